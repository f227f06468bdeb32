//! What a sandbox is made of: one TOML file, every value with a default.
//!
//! An unknown key is a mistake, and all mistakes in the values are told at once.

mod check;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::faults::Fault;
use crate::sabotage::Sabotage;
use crate::store::{ABANDONED_MS, LIVENESS_MS};
use crate::world::{AtDelayEnd, Lags, TokenBuckets, WhenUnhealthy};
pub use check::ConfigMistakes;

/// As many as one service may name; AWS gives fifty in a region.
pub const BALANCERS_MAX: u16 = 8;
/// Simulated instances have larger subnets than others.
pub(crate) const INSTANCES_MAX_SIMULATED: u32 = 20_000;

/// The configuration of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// The AWS region whose names are used.
    pub region: String,
    /// The service that the seeded images and the fleet belong to; at most 20 lower-case letters, digits, `-`.
    pub service: String,
    /// Makes ids and weighted draws repeatable; another for each run when it is left out.
    pub seed: Option<u64>,
    /// Logs and the store's file. When it is left out: a new folder under the system's temporary one, which is
    /// removed when the sandbox ends well.
    pub data_dir: Option<PathBuf>,
    /// The pair of keys that AWS calls are signed with.
    pub credentials: Credentials,
    /// The secret of the control contract; a new one when it is left out.
    pub handover_key: Option<String>,
    /// How many load balancers there are, each with a listener and groups of its own.
    pub load_balancers: u16,
    /// How many route slots each has, `s01` and so on; at the second load balancer `s01-2`.
    pub slots: u16,
    /// Where the other endpoints listen.
    pub listen: ListenConfig,
    /// How long instances take.
    pub instances: InstancesConfig,
    /// Whether calls are counted against AWS's limits: `off` or `aws`.
    pub token_buckets: TokenBuckets,
    /// How late what was done shows.
    pub consistency: ConsistencyConfig,
    /// How the load balancer routes.
    pub load_balancer: LoadBalancerConfig,
    /// How it checks health.
    pub health: HealthConfig,
    /// How metrics are scraped.
    pub prometheus: PrometheusConfig,
    /// The boards' database.
    pub store: StoreConfig,
    /// The machine images, the oldest first; versions 1 and 2 of the demo application when there are none.
    pub images: Vec<ImageConfig>,
    /// Instances that run already when the sandbox is ready.
    pub fleet: Option<FleetConfig>,
    /// Instances are no processes: their application is simulated. Its own part of the configuration.
    #[serde(rename = "virtual", skip_serializing_if = "Option::is_none")]
    pub simulated: Option<SimulatedConfig>,
    /// Faults that are set as soon as the fleet runs.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    /// A fault that is planted on purpose.
    pub sabotage: Option<Sabotage>,
}

/// Addresses of the endpoints besides AWS; port 0 takes a free one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// The load balancer.
    pub load_balancer: SocketAddr,
    /// The monitoring server.
    pub prometheus: SocketAddr,
    /// The ledger and its like.
    pub admin: SocketAddr,
}

/// Times and limits of instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstancesConfig {
    /// From launch or start until `running`.
    pub boot_ms: u64,
    /// The least time that `stopping` and `shutting-down` last.
    pub stop_ms: u64,
    /// How long a program may take to end before it is killed.
    pub kill_after_ms: u64,
    /// How long a terminated instance stays listed.
    pub terminated_listed_s: u64,
    /// Instances that may live at once.
    pub max: u32,
    /// Instances that one zone has room for, those that are stopped not counted; no limit when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_max: Option<u32>,
    /// The account's quota of vCPUs for what is not stopped; no limit when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus_max: Option<u32>,
    /// What the launch template says.
    pub instance_type: String,
}

/// The load balancer's times and limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadBalancerConfig {
    /// A socket that is silent for this long is closed (60 by default on AWS, at most 4000).
    pub idle_timeout_s: u64,
    /// How long a connection to a target may take.
    pub connect_timeout_ms: u64,
    /// Clients' connections at once.
    pub connections_max: usize,
    /// How long a deregistered target drains (300 by default on AWS, at most 3600; 1 here, because nobody
    /// wants to watch it).
    pub deregistration_delay_s: u64,
    /// What becomes of sockets that still live then: `close` or `keep`.
    pub at_delay_end: AtDelayEnd,
    /// What becomes of sockets whose target turns unhealthy: `close` or `keep`.
    pub when_unhealthy: WhenUnhealthy,
    /// The quota of targets, for a group and for the whole load balancer (1000 on AWS, which raises it on
    /// request).
    pub targets_max: u16,
}

/// How late what was done shows, from the moment that the sandbox is ready. All zero unless it is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsistencyConfig {
    /// A launch: until then no call but the launch itself knows the instance.
    pub launch_ms: u64,
    /// New tags.
    pub tags_ms: u64,
    /// A registered target.
    pub targets_ms: u64,
}

impl ConsistencyConfig {
    pub(crate) const fn lags(&self) -> Lags {
        Lags {
            launch: Duration::from_millis(self.launch_ms),
            tags: Duration::from_millis(self.tags_ms),
            targets: Duration::from_millis(self.targets_ms),
        }
    }
}

/// How targets' health is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthConfig {
    /// Between two checks of a target.
    pub interval_ms: u64,
    /// For one check.
    pub timeout_ms: u64,
    /// Passes in a row that make an unhealthy target healthy; a new one needs a single pass.
    pub healthy_threshold: u32,
    /// Failures in a row that make a target unhealthy.
    pub unhealthy_threshold: u32,
    /// What is asked for on the traffic port.
    pub path: String,
}

/// How metrics are scraped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Between two scrapes, and the limit of one.
    pub interval_ms: u64,
}

/// The boards' database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// How long each group of writes takes on top of the machine's own time.
    pub latency_ms: u64,
    /// A server that sent no heartbeat for this long is dead.
    pub liveness_ms: u64,
    /// The boards of a server that sent no heartbeat for this long are given to nobody.
    pub abandoned_ms: u64,
}

/// One machine image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// Its `releaseVersion` tag.
    pub version: String,
    /// Its `commit` tag; one made up from the version when it is left out.
    #[serde(default)]
    pub commit: Option<String>,
    /// The program and its arguments. The word `segue` stands for this very binary.
    pub command: Vec<String>,
    /// The program's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// More tags of the image.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Instances that are launched and registered before the sandbox says that it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// The version of the image.
    pub version: String,
    /// How many; each has a route slot of its own.
    pub count: u16,
    /// The weight of group `a`, in which they are registered.
    #[serde(default = "full_weight")]
    pub weight: u32,
    /// Whose launch they are told apart by: Segue knows what it launched by its tags.
    #[serde(default)]
    pub launched_by: LaunchedBy,
    /// More tags, or other values for those that every seeded instance has. Those of AWS itself may be among
    /// them, such as `aws:autoscaling:groupName`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// What simulated instances hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedConfig {
    /// Boards of the fleet that runs when the sandbox is ready, as many on each server as on any other.
    pub boards: u32,
    /// Clients of each board; they are counted, and have no sockets.
    pub clients_per_board: u32,
}

/// Who launched the fleet that runs when the sandbox is ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchedBy {
    /// An earlier release: its instances carry the tags of one.
    #[default]
    Segue,
    /// Somebody else: none of Segue's tags is on them.
    Others,
}

const fn full_weight() -> u32 {
    100
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            region: "eu-west-1".to_owned(),
            service: "boards".to_owned(),
            seed: None,
            data_dir: None,
            credentials: Credentials::default(),
            handover_key: None,
            load_balancers: 1,
            slots: 40,
            listen: ListenConfig::default(),
            instances: InstancesConfig::default(),
            token_buckets: TokenBuckets::Off,
            consistency: ConsistencyConfig::default(),
            load_balancer: LoadBalancerConfig::default(),
            health: HealthConfig::default(),
            prometheus: PrometheusConfig::default(),
            store: StoreConfig::default(),
            images: ["1", "2"].map(ImageConfig::demo).into(),
            fleet: None,
            simulated: None,
            faults: Vec::new(),
            sabotage: None,
        }
    }
}

impl FleetConfig {
    /// Nobody yet, in a version.
    pub fn of(version: String) -> Self {
        Self {
            version,
            count: 0,
            weight: full_weight(),
            launched_by: LaunchedBy::Segue,
            tags: BTreeMap::new(),
        }
    }
}

impl ImageConfig {
    /// The demo application in a version.
    pub fn demo(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            commit: None,
            command: vec!["segue".to_owned(), "demo-app".to_owned()],
            env: [("VERSION".to_owned(), version.to_owned())].into(),
            tags: BTreeMap::new(),
        }
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { load_balancer: any, prometheus: any, admin: any }
    }
}

impl Default for InstancesConfig {
    fn default() -> Self {
        Self {
            boot_ms: 300,
            stop_ms: 100,
            kill_after_ms: 5_000,
            terminated_listed_s: 3_600,
            max: 250,
            zone_max: None,
            vcpus_max: None,
            instance_type: "m7i.large".to_owned(),
        }
    }
}

impl Default for LoadBalancerConfig {
    fn default() -> Self {
        Self {
            idle_timeout_s: 60,
            connect_timeout_ms: 3_000,
            connections_max: 30_000,
            deregistration_delay_s: 1,
            at_delay_end: AtDelayEnd::Close,
            when_unhealthy: WhenUnhealthy::Keep,
            targets_max: 1_000,
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            interval_ms: 250,
            timeout_ms: 1_000,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            path: "/health".to_owned(),
        }
    }
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self { interval_ms: 500 }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { latency_ms: 1, liveness_ms: LIVENESS_MS, abandoned_ms: ABANDONED_MS }
    }
}

impl SandboxConfig {
    /// Reads a file of TOML (docs/sandbox.md). What its types do not say is for [`SandboxConfig::check`].
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a sandbox's configuration", file.display()))
    }

    /// Route slots of all load balancers together.
    pub(crate) fn slots_in_all(&self) -> u16 {
        self.slots.saturating_mul(self.load_balancers)
    }
}
