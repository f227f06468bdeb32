//! What a sandbox is made of: one TOML file, every value with a default.
//!
//! An unknown key is a mistake, and all mistakes in the values are told at once.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::faults::Fault;
use crate::sabotage::Sabotage;
use crate::simulated::BOARDS_MAX;
use crate::store::{ABANDONED_MS, LIVENESS_MS};
use crate::world::{AtDelayEnd, Lags, TokenBuckets, WhenUnhealthy};

/// As many as one service may name; AWS gives fifty in a region.
pub const BALANCERS_MAX: u16 = 8;
/// Slots and colour groups share the hundred target groups that a load balancer may have.
const SLOTS_MAX: u16 = 95;

/// Three subnets of 251 addresses each.
const INSTANCES_MAX: u64 = 750;
/// Simulated ones have larger subnets.
pub(crate) const INSTANCES_MAX_SIMULATED: u32 = 20_000;
/// Clients of a simulated board.
const CLIENTS_MAX: u32 = 10_000;

/// Ten minutes: nobody has seen AWS be later than that.
const LAG_MS_MAX: u64 = 600_000;

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

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox's configuration has {} mistakes: {}", .0.len(), .0.join("; "))]
pub struct ConfigMistakes(pub Vec<String>);

impl SandboxConfig {
    /// Reads a file of TOML (docs/sandbox.md). What its types do not say is for [`SandboxConfig::check`].
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a sandbox's configuration", file.display()))
    }

    /// Checks what the types do not say.
    pub fn check(&self) -> Result<(), ConfigMistakes> {
        let mut mistakes = Vec::new();
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.service.is_empty() || self.service.len() > 20 || !self.service.chars().all(name) {
            mistakes.push("service must be 1 to 20 lower-case letters, digits or -".to_owned());
        }
        let instances_max =
            if self.simulated.is_some() { INSTANCES_MAX_SIMULATED.into() } else { INSTANCES_MAX };
        let lb = &self.load_balancer;
        for (key, value, from, to) in [
            ("load_balancers", u64::from(self.load_balancers), 1, u64::from(BALANCERS_MAX)),
            ("slots", u64::from(self.slots), 0, u64::from(SLOTS_MAX)),
            ("load_balancer.idle_timeout_s", lb.idle_timeout_s, 1, 4_000),
            ("load_balancer.deregistration_delay_s", lb.deregistration_delay_s, 0, 3_600),
            ("health.interval_ms", self.health.interval_ms, 1, 300_000),
            ("health.timeout_ms", self.health.timeout_ms, 1, 120_000),
            ("health.healthy_threshold", u64::from(self.health.healthy_threshold), 1, 10),
            ("health.unhealthy_threshold", u64::from(self.health.unhealthy_threshold), 1, 10),
            ("prometheus.interval_ms", self.prometheus.interval_ms, 1, 300_000),
            ("instances.max", u64::from(self.instances.max), 1, instances_max),
            ("load_balancer.targets_max", lb.targets_max.into(), 1, INSTANCES_MAX_SIMULATED.into()),
            ("consistency.launch_ms", self.consistency.launch_ms, 0, LAG_MS_MAX),
            ("consistency.tags_ms", self.consistency.tags_ms, 0, LAG_MS_MAX),
            ("consistency.targets_ms", self.consistency.targets_ms, 0, LAG_MS_MAX),
        ] {
            if !(from..=to).contains(&value) {
                mistakes.push(format!("{key} must be from {from} to {to}, not {value}"));
            }
        }
        mistakes.extend(self.credentials.mistakes().into_iter().map(str::to_owned));
        self.check_images(&mut mistakes);
        self.check_simulated(&mut mistakes);
        let wrong = |(place, fault): (usize, &Fault)| {
            fault.check().err().map(|why| format!("fault {}: {why}", place.saturating_add(1)))
        };
        mistakes.extend(self.faults.iter().enumerate().filter_map(wrong));
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigMistakes(mistakes)) }
    }

    /// Route slots of all load balancers together.
    pub(crate) fn slots_in_all(&self) -> u16 {
        self.slots.saturating_mul(self.load_balancers)
    }

    fn check_simulated(&self, mistakes: &mut Vec<String>) {
        let Some(simulated) = &self.simulated else { return };
        for (key, value, to) in [
            ("virtual.boards", simulated.boards, BOARDS_MAX),
            ("virtual.clients_per_board", simulated.clients_per_board, CLIENTS_MAX),
        ] {
            if value > to {
                mistakes.push(format!("{key} must be at most {to}, not {value}"));
            }
        }
        if simulated.boards > 0 && self.fleet.as_ref().is_none_or(|fleet| fleet.count == 0) {
            mistakes.push("virtual.boards need a fleet that has them".to_owned());
        }
        if self.sabotage.is_some() {
            mistakes.push(
                "sabotage is planted in the demo application, which virtual instances do not run".to_owned(),
            );
        }
    }

    fn check_images(&self, mistakes: &mut Vec<String>) {
        for image in &self.images {
            if image.command.is_empty() {
                mistakes.push(format!("the image of version {} has no command", image.version));
            }
            if self.images.iter().filter(|other| other.version == image.version).count() > 1 {
                mistakes.push(format!("there are several images of version {}", image.version));
            }
        }
        if let Some(fleet) = &self.fleet {
            if !self.images.iter().any(|image| image.version == fleet.version) {
                mistakes.push(format!("the fleet's version {} has no image", fleet.version));
            }
            // Simulated servers that lead their clients by themselves need none at all.
            let needs_slots = self.simulated.is_none() || self.slots > 0;
            let slots = self.slots_in_all();
            if needs_slots && fleet.count > slots {
                mistakes.push(format!("a fleet of {} needs as many slots, not {slots}", fleet.count));
            }
            if fleet.weight > 999 {
                mistakes.push(format!("fleet.weight must be from 0 to 999, not {}", fleet.weight));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        let config: SandboxConfig = toml::from_str("").expect("nothing is needed");
        assert_eq!(config, SandboxConfig::default());
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn a_file_may_say_anything_that_the_default_says() {
        let written = toml::to_string(&SandboxConfig::default()).expect("every value has a form in TOML");
        assert_eq!(
            toml::from_str::<SandboxConfig>(&written).expect("it reads back"),
            SandboxConfig::default()
        );
    }

    #[test]
    fn an_unknown_key_is_a_mistake() {
        assert!(toml::from_str::<SandboxConfig>("[health]\nintervall_ms = 3\n").is_err());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "slots = 96\nservice = \"Board\"\n[credentials]\naccess_key_id = \"a/b\"\n\
                    secret_access_key = \"\"\n[fleet]\nversion = \"9\"\ncount = 97\nweight = 1000\n[[fault]]\nfault = \"throttle\"\ncalls = 0\n";
        let config: SandboxConfig = toml::from_str(text).expect("the types are right");
        let mistakes = config.check().expect_err("eight values are wrong").0;
        assert_eq!(mistakes.len(), 8, "{mistakes:?}");
    }
}
