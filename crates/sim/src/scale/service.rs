//! The large service as it is configured, and the names of what it is made of, as long as real ones.

use std::time::Duration;

use segue_domain::ids::{
    Environment, ForwardArn, GroupArn, PoolName, Region, ServiceName, SubnetId, TemplateId,
};
use segue_domain::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Workload,
};

/// The version that runs, and the one that is brought in.
pub(super) const OLD: &str = "2026.11.27-1";
pub(super) const NEW: &str = "2026.11.28-1";
const ZONES: u32 = 3;

/// A group of one load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Blue,
    Green,
    Canary,
}

impl Place {
    const ALL: [Self; 3] = [Self::Blue, Self::Green, Self::Canary];
}

pub(super) fn group(balancer: u32, place: Place) -> GroupArn {
    let name = match place {
        Place::Blue => "blue",
        Place::Green => "green",
        Place::Canary => "canary",
    };
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup";
    GroupArn::new(format!("{arn}/boards-{balancer:02}-{name}/0123456789abcdef"))
}

pub(super) fn forward(balancer: u32) -> ForwardArn {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app";
    ForwardArn::new(format!("{arn}/boards-{balancer:02}/0123456789abcdef/0123456789abcdef"))
}

/// The groups of one load balancer's weighted forward.
pub(super) fn groups_of(balancer: u32) -> impl Iterator<Item = GroupArn> {
    Place::ALL.into_iter().map(move |place| group(balancer, place))
}

/// Every group of every load balancer.
pub(super) fn groups(balancers: u32) -> impl Iterator<Item = GroupArn> {
    (0..balancers).flat_map(groups_of)
}

pub(super) fn subnet(number: u32) -> SubnetId {
    SubnetId::new(format!("subnet-0123456789abcde{:02}", number % ZONES))
}

fn balancer(number: u32) -> Balancer {
    Balancer {
        forward: forward(number),
        share: 1,
        colours: [group(number, Place::Blue), group(number, Place::Green)],
        canaries: vec![group(number, Place::Canary)],
        slots: Vec::new(),
    }
}

/// What a daemon makes of an example configuration, with the largest waves that a configuration may ask for, and a
/// bake that hides nothing.
pub(super) fn service(balancers: u32) -> Service {
    Service {
        name: ServiceName::new("boards"),
        environment: Environment::new("production"),
        region: Region::new("eu-west-1"),
        workload: Workload::Boards,
        pool: PoolName::new("main"),
        launch: LaunchSpec {
            template: TemplateId::new("lt-0123456789abcdef0"),
            subnets: (0..ZONES).map(subnet).collect(),
            types: Vec::new(),
            size: None,
            configure: None,
            warm: None,
        },
        routing: Routing { first: balancer(0), others: (1..balancers).map(balancer).collect() },
        canary: CanaryPolicy { count: 1, bake: Duration::from_mins(10), min_boards: 1, max_error_ratio: 2 },
        full: FullPolicy {
            bake: Duration::from_secs(30),
            needs_canary: NeedsCanary::No,
            keep_old: Duration::from_hours(24),
        },
        handover: HandoverPolicy {
            level_max: 2,
            seal_ttl: Duration::from_secs(1),
            attach_deadline: Duration::from_secs(30),
            attach_rate_per_s: 100,
            wave_boards: 1_000,
            switching_at_once: 8,
        },
        patience: Patience {
            step: Duration::from_mins(15),
            settle: Duration::from_mins(1),
            max_age: Duration::from_secs(45),
            zeros_apart: Duration::from_secs(30),
        },
    }
}
