//! A service as it is configured: where its servers are, what admits clients to them, and the policies of
//! a release. A copy of it goes into every plan, so that a configuration reload changes no running release.

use std::time::Duration;

use crate::ids::{
    Environment, ForwardArn, GroupArn, InstanceType, PoolName, Region, Route, ServiceName, SubnetId,
    TemplateId,
};

/// Everything a release must know about its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub name: ServiceName,
    pub environment: Environment,
    pub region: Region,
    pub workload: Workload,
    pub pool: PoolName,
    pub launch: LaunchSpec,
    pub routing: Routing,
    pub canary: CanaryPolicy,
    pub full: FullPolicy,
    pub handover: HandoverPolicy,
    pub patience: Patience,
}

/// What must be carried across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Boards with clients: this design's main case.
    Boards,
    /// Stateless requests: draining is waiting for open requests.
    Requests,
    /// Workers: nothing is carried.
    None,
}

/// How instances are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchSpec {
    pub template: TemplateId,
    /// One for each zone; launches are spread over them in turn. Where there is no room, the next one is tried.
    pub subnets: Vec<SubnetId>,
    /// In order of preference: the next is tried where no subnet has room for one. Empty: the template's own.
    pub types: Vec<InstanceType>,
    /// How many instances a full release brings; as many as blue runs when it is not set.
    pub size: Option<u32>,
    /// Run on each new instance; its exit code decides. None: the AMI needs nothing.
    pub configure: Option<Vec<String>>,
    /// Warm-up requests before an instance is admitted. None: it is fast from the start.
    pub warm: Option<WarmSpec>,
}

/// Requests until the answers are fast enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmSpec {
    /// Path on the instance's traffic port.
    pub path: String,
    /// How many requests at the most.
    pub requests: u32,
    /// Fast enough: the median of the last ten answers.
    pub median_ms: u32,
}

/// How clients reach instances: through one load balancer, or several. There is always one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    pub first: Balancer,
    /// Empty for most services: a load balancer has a hundred target groups, which is enough for forty servers.
    pub others: Vec<Balancer>,
}

/// One load balancer. Its users come to it by DNS, so it has servers of its own, and no other's users reach them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// The listener or rule with the one weighted forward. It names the load balancer.
    pub forward: ForwardArn,
    /// What part of the users DNS sends to it, against the shares of the others.
    pub share: u32,
    /// The two colours.
    pub colours: [GroupArn; 2],
    /// Up to three (AWS allows five groups in one action).
    pub canaries: Vec<GroupArn>,
    /// Empty when the application redirects clients by itself.
    pub slots: Vec<Slot>,
}

impl Routing {
    /// A service with one load balancer.
    pub fn of(first: Balancer) -> Self {
        Self { first, others: Vec::new() }
    }

    pub fn balancers(&self) -> impl Iterator<Item = &Balancer> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The load balancer with this forward.
    pub fn balancer(&self, forward: &ForwardArn) -> Option<&Balancer> {
        self.balancers().find(|balancer| balancer.forward == *forward)
    }

    /// The load balancer that has this group, as a colour, for canaries or behind a slot.
    pub fn of_group(&self, group: &GroupArn) -> Option<&Balancer> {
        self.balancers().find(|balancer| balancer.groups().any(|it| it == group))
    }

    /// The load balancer of whoever is registered in these groups; the first one, where they are of none.
    pub fn home_of<'a>(&'a self, mut groups: impl Iterator<Item = &'a GroupArn>) -> &'a ForwardArn {
        let found = groups.find_map(|group| self.of_group(group));
        found.map_or(&self.first.forward, |balancer| &balancer.forward)
    }

    /// The groups of every weighted forward.
    pub fn forwarded(&self) -> impl Iterator<Item = &GroupArn> + Clone {
        self.balancers().flat_map(Balancer::forwarded)
    }

    /// The route slots of all load balancers. No route is there twice.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.balancers().flat_map(|balancer| &balancer.slots)
    }

    /// The groups behind the route slots.
    pub fn slot_groups(&self) -> impl Iterator<Item = &GroupArn> {
        self.slots().map(|slot| &slot.group)
    }
}

impl Balancer {
    /// The groups of its weighted forward.
    pub fn forwarded(&self) -> impl Iterator<Item = &GroupArn> + Clone {
        self.colours.iter().chain(&self.canaries)
    }

    /// Every group that it has.
    pub fn groups(&self) -> impl Iterator<Item = &GroupArn> {
        self.forwarded().chain(self.slots.iter().map(|slot| &slot.group))
    }
}

/// A pre-provisioned query-string rule with a one-target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub route: Route,
    pub group: GroupArn,
}

/// What a canary must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryPolicy {
    pub count: u32,
    /// At least this long under real traffic.
    pub bake: Duration,
    /// It must have held this many boards at some time of the bake.
    pub min_boards: u64,
    /// Its errors for each instance, as a multiple of blue's.
    pub max_error_ratio: u64,
}

/// What a full release asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullPolicy {
    /// How long blue and green serve side by side before blue is closed.
    pub bake: Duration,
    /// Whether a passed canary of the version is demanded.
    pub needs_canary: NeedsCanary,
    /// How long the old servers stay stopped before they are terminated.
    pub keep_old: Duration,
}

/// Whether a full release demands a passed canary of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedsCanary {
    Yes,
    No,
}

/// How boards are carried across.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandoverPolicy {
    /// The highest level of the contract to use, even if both sides know more. At 0 clients are sent away, at 1
    /// and 2 boards are carried, by the same calls: whether a new server loads before the seal or after it is
    /// for the server to know, so 1 is no brake on 2.
    pub level_max: u8,
    /// A sealed board that hears nothing re-opens after this.
    pub seal_ttl: Duration,
    /// How long clients have to attach before the board is switched without the late ones.
    pub attach_deadline: Duration,
    /// Attaches that one new server admits in a second.
    pub attach_rate_per_s: u32,
    /// The most boards in one wave; the trial waves before have fewer.
    pub wave_boards: u32,
    /// Boards between seal and activate at one time, in each wave. All waves together keep to a limit of the engine's.
    pub switching_at_once: u32,
}

/// One wave at a time for so many new servers.
const SERVERS_OF_A_WAVE: u32 = 40;
/// However large the fleet is: more would wait for each other with their intents written, and begin after an abort.
pub const WAVES_AT_ONCE_MAX: u32 = 25;

impl HandoverPolicy {
    /// Waves that may be under way at one time: a large fleet is carried across like several fleets of forty
    /// servers and more side by side, each at the pace that the policy gives to one.
    pub fn waves_at_once(&self, new_servers: u32) -> u32 {
        (new_servers / SERVERS_OF_A_WAVE).clamp(1, WAVES_AT_ONCE_MAX)
    }
}

/// How long to wait without progress, and how sure to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// A step that makes no progress for this long has failed, or holds when only a reading is missing.
    pub step: Duration,
    /// After an effect was done, how long the world may take to show it before it is repeated.
    pub settle: Duration,
    /// A reading older than this is not used.
    pub max_age: Duration,
    /// Two zeros of one server count as repeated when their samples are at least this far apart.
    pub zeros_apart: Duration,
}
