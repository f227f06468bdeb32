//! Faults that can be set: what goes wrong in the sandbox on request, and only then.
//!
//! A fault comes as JSON to `POST /admin/faults` or stands as `[[fault]]` in the configuration; both are this
//! one type. What a set fault does, and for how long, is the world's business (`world::Trouble`). No fault is
//! drawn by lot: whoever wants chance draws himself and keeps the seed.

use serde::{Deserialize, Serialize};

use crate::names::InstanceId;
use crate::query;

/// The longest that a fault may be set for: a day.
pub const FOR_MS_MAX: u64 = 86_400_000;
/// The most calls that a fault may strike.
pub const CALLS_MAX: u32 = 100_000;
/// The longest boot: an hour.
pub const BOOT_MS_MAX: u64 = 3_600_000;
/// Faults that may be set at once.
pub const FAULTS_MAX: usize = 100;

/// One fault. Where it has both `calls` and `for_ms`, it ends with whichever is used up first; with neither it
/// lasts until all faults are healed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Calls are refused as too many: `RequestLimitExceeded` by EC2, `Throttling` by Elastic Load Balancing.
    Throttle {
        /// The action, as `RunInstances`; every one when it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// How many calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<u32>,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// The credentials of every call have expired, as a role's do that nobody renewed: `RequestExpired` by EC2,
    /// `ExpiredToken` by Elastic Load Balancing.
    ExpireCredentials {
        /// How many calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<u32>,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Launches and starts are refused with `InsufficientInstanceCapacity`.
    RefuseCapacity {
        /// The zone, as `eu-west-1a`; every one when it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
        /// The type of instances, as `m7i.large`; every one when it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance_type: Option<String>,
        /// How many calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<u32>,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// A call is done, and its connection closed without an answer: the caller cannot know. Calls that are
    /// refused get their refusal and are not counted.
    LoseResponse {
        /// The action.
        action: String,
        /// How many calls.
        calls: u32,
    },
    /// An instance's program gets SIGKILL, once.
    Kill {
        /// The instance.
        instance: InstanceId,
    },
    /// An instance's processes are stopped (SIGSTOP): they live, listen, and do not answer. Until a `thaw`.
    Freeze {
        /// The instance.
        instance: InstanceId,
    },
    /// A frozen instance goes on (SIGCONT).
    Thaw {
        /// The instance.
        instance: InstanceId,
    },
    /// Instances that are launched or started take this long to run.
    SlowBoot {
        /// From the launch, or the start, until `running`.
        boot_ms: u64,
        /// How many calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<u32>,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// An instance fails the load balancer's health checks with status 503, whatever it answers. In the way
    /// of all health checks, by thresholds.
    Unhealthy {
        /// The instance.
        instance: InstanceId,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// The monitoring server is not what it should be.
    Prometheus {
        /// What it is instead.
        is: PrometheusFault,
        /// For how long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
}

/// What may be wrong with the monitoring server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrometheusFault {
    /// Every connection is closed without an answer.
    Down,
    /// Every query is answered with 503.
    Failing,
    /// Nothing is scraped: samples grow old and are answered as long as Prometheus would.
    Stale,
    /// Every value is `NaN`.
    Nan,
    /// Every answer is empty, and a success.
    Empty,
    /// Every series comes twice, the second time from another job and with the value 0.
    Duplicate,
    /// Every answer has a warning, as a partial one would.
    Warning,
}

impl PrometheusFault {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Nan => "nan",
            Self::Empty => "empty",
            Self::Duplicate => "duplicate",
            Self::Warning => "warning",
        }
    }
}

/// `GET /admin/faults`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Those that are set, in the order in which they were set. What is used up is in the ledger only.
    pub faults: Vec<SetFault>,
}

/// A fault that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetFault {
    /// As it was asked for.
    pub fault: Fault,
    /// How often it has struck.
    pub struck: u64,
    /// How often it will strike at most from now on; none when it has no such limit.
    pub calls_left: Option<u32>,
    /// How long it lasts at most from now on; none when it has no such limit.
    pub ms_left: Option<u64>,
}

/// Why a fault cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultRefused {
    /// A number is out of its bounds.
    #[error("{name} must be from 1 to {max}, not {value}")]
    OutOfBounds {
        /// The field.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The largest allowed.
        max: u64,
    },
    /// The sandbox has no such action, so the fault would never strike.
    #[error("the sandbox has no action {0}")]
    UnknownAction(String),
    /// The sandbox has no such zone.
    #[error("the sandbox has no zone {zone}, only {}", .zones.join(", "))]
    UnknownZone {
        /// What was asked for.
        zone: String,
        /// Those that there are.
        zones: Vec<String>,
    },
    /// There is no such instance.
    #[error("there is no instance {0}")]
    UnknownInstance(InstanceId),
    /// There is nothing to kill, freeze or thaw.
    #[error("the instance {instance} does not run, it is {state}")]
    NotRunning {
        /// The instance.
        instance: InstanceId,
        /// Its state, as EC2 names it.
        state: &'static str,
    },
    /// The instance's program is no process of its own, or not yet.
    #[error("the instance {0} has no process that could be stopped")]
    NoProcess(InstanceId),
    /// Enough is enough.
    #[error("{FAULTS_MAX} faults are set already: heal them first")]
    TooMany,
}

impl Fault {
    /// Checks what can be told without a look at the world: numbers and names of actions.
    pub fn check(&self) -> Result<(), FaultRefused> {
        let (calls, for_ms) = self.limits();
        bounded("calls", calls.map(u64::from), CALLS_MAX.into())?;
        bounded("for_ms", for_ms, FOR_MS_MAX)?;
        match self {
            Self::Throttle { action: Some(action), .. } | Self::LoseResponse { action, .. } => {
                if query::knows(action) { Ok(()) } else { Err(FaultRefused::UnknownAction(action.clone())) }
            }
            Self::SlowBoot { boot_ms, .. } => bounded("boot_ms", Some(*boot_ms), BOOT_MS_MAX),
            Self::Throttle { action: None, .. }
            | Self::ExpireCredentials { .. }
            | Self::RefuseCapacity { .. }
            | Self::Kill { .. }
            | Self::Freeze { .. }
            | Self::Thaw { .. }
            | Self::Unhealthy { .. }
            | Self::Prometheus { .. } => Ok(()),
        }
    }

    /// How many calls it may strike, and for how long.
    pub(crate) const fn limits(&self) -> (Option<u32>, Option<u64>) {
        match self {
            Self::Throttle { calls, for_ms, .. }
            | Self::ExpireCredentials { calls, for_ms }
            | Self::RefuseCapacity { calls, for_ms, .. }
            | Self::SlowBoot { calls, for_ms, .. } => (*calls, *for_ms),
            Self::LoseResponse { calls, .. } => (Some(*calls), None),
            Self::Unhealthy { for_ms, .. } | Self::Prometheus { for_ms, .. } => (None, *for_ms),
            Self::Kill { .. } | Self::Freeze { .. } | Self::Thaw { .. } => (None, None),
        }
    }
}

fn bounded(name: &'static str, value: Option<u64>, max: u64) -> Result<(), FaultRefused> {
    match value {
        Some(value) if value == 0 || value > max => Err(FaultRefused::OutOfBounds { name, value, max }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Fault, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fault_is_read_from_json_and_from_toml_alike() {
        let throttle =
            Fault::Throttle { action: Some("RunInstances".to_owned()), calls: Some(3), for_ms: None };
        assert_eq!(
            read(r#"{"fault": "throttle", "action": "RunInstances", "calls": 3}"#),
            Ok(throttle.clone())
        );
        let toml = toml::from_str("fault = \"throttle\"\naction = \"RunInstances\"\ncalls = 3\n");
        assert_eq!(toml, Ok(throttle));
        let down = Fault::Prometheus { is: PrometheusFault::Down, for_ms: Some(500) };
        assert_eq!(read(r#"{"fault": "prometheus", "is": "down", "for_ms": 500}"#), Ok(down.clone()));
        assert_eq!(read(&serde_json::to_string(&down).expect("it has a form in JSON")), Ok(down));
    }

    #[test]
    fn what_a_fault_does_not_have_is_a_mistake() {
        for json in [
            r#"{"fault": "kill", "instance": "i-1", "calls": 2}"#,
            r#"{"fault": "flood"}"#,
            r#"{"fault": "lose_response", "action": "RunInstances"}"#,
            r#"{"fault": "prometheus", "is": "late"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn numbers_have_bounds_and_actions_must_exist() {
        for (json, why) in [
            (
                r#"{"fault": "throttle", "action": "LaunchInstances"}"#,
                "the sandbox has no action LaunchInstances",
            ),
            (r#"{"fault": "throttle", "calls": 0}"#, "calls must be from 1 to 100000, not 0"),
            (
                r#"{"fault": "unhealthy", "instance": "i-1", "for_ms": 86400001}"#,
                "for_ms must be from 1 to 86400000, not 86400001",
            ),
            (r#"{"fault": "slow_boot", "boot_ms": 0}"#, "boot_ms must be from 1 to 3600000, not 0"),
        ] {
            let fault = read(json).expect("it is a fault");
            assert_eq!(fault.check().expect_err("it is out of bounds").to_string(), why);
        }
        assert_eq!(Fault::LoseResponse { action: "RegisterTargets".to_owned(), calls: 1 }.check(), Ok(()));
    }
}
