//! The service that every scenario releases.

use std::time::Duration;

use segue_domain::ids::{
    Commit, ForwardArn, ImageId, PoolName, Route, ServiceName, SubnetId, TemplateId, Version,
};
use segue_domain::instance::Image;
use segue_domain::service::{
    Balancer, CanaryPolicy, FullPolicy, HandoverPolicy, LaunchSpec, NeedsCanary, Patience, Routing, Service,
    Slot, Workload,
};
use segue_domain::time::Timestamp;

use crate::stage::group;

/// One of the load balancers; the first has the plain names.
pub(crate) fn balancer(place: u32) -> Balancer {
    let name = |plain: &str| if place == 1 { plain.to_owned() } else { format!("{plain}.{place}") };
    let slots = (1..=12).map(|n| Slot {
        route: Route::new(name(&format!("s{n:02}"))),
        group: group(&name(&format!("slot-{n:02}"))),
    });
    Balancer {
        forward: ForwardArn::new(name("listener")),
        share: 1,
        colours: [group(&name("a")), group(&name("b"))],
        canaries: vec![group(&name("canary-1")), group(&name("canary-2"))],
        slots: slots.collect(),
    }
}

pub(crate) fn service() -> Service {
    Service {
        name: ServiceName::new("boards"),
        environment: "stage".into(),
        region: "eu-west-1".into(),
        workload: Workload::Boards,
        pool: PoolName::new("main"),
        launch: LaunchSpec {
            template: TemplateId::new("lt-1"),
            subnets: vec![SubnetId::new("subnet-a"), SubnetId::new("subnet-b")],
            types: Vec::new(),
            size: None,
            configure: None,
            warm: None,
        },
        routing: Routing::of(balancer(1)),
        canary: CanaryPolicy { count: 1, bake: Duration::from_secs(10), min_boards: 5, max_error_ratio: 2 },
        full: FullPolicy {
            bake: Duration::from_secs(3),
            needs_canary: NeedsCanary::Yes,
            keep_old: Duration::from_mins(1),
        },
        handover: HandoverPolicy {
            level_max: 2,
            seal_ttl: Duration::from_secs(1),
            attach_deadline: Duration::from_secs(10),
            attach_rate_per_s: 200,
            wave_boards: 20,
            switching_at_once: 4,
        },
        patience: Patience {
            step: Duration::from_mins(1),
            settle: Duration::from_secs(5),
            max_age: Duration::from_secs(10),
            zeros_apart: Duration::from_secs(1),
        },
    }
}

/// Images of three versions, newest first.
pub(crate) fn images() -> Vec<Image> {
    let image = |n: u32| Image {
        id: ImageId::new(format!("ami-{n}")),
        version: Version::new(n.to_string()),
        commit: Some(Commit::new(format!("c{n}"))),
        created_at: Timestamp::from_ms(i64::from(n)),
    };
    vec![image(3), image(2), image(1)]
}
