//! The faults that are set now, and whom they strike.
//!
//! Each is asked about at the one place where it can strike, says yes or no, and counts. A fault that is used
//! up or over is gone at the next look; what it did stays in the ledger.

use std::time::Duration;

use super::at::At;
use crate::faults::{FAULTS_MAX, Fault, FaultRefused, Faults, PrometheusFault, SetFault};
use crate::names::InstanceId;

/// All that are set, oldest first.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    set: Vec<Set>,
}

#[derive(Debug)]
struct Set {
    fault: Fault,
    until: Option<At>,
    calls_left: Option<u32>,
    struck: u64,
}

impl Set {
    fn is_over(&self, now: At) -> bool {
        self.until.is_some_and(|until| until <= now) || self.calls_left == Some(0)
    }
}

impl Trouble {
    /// Sets a fault that has been checked.
    pub(super) fn add(&mut self, fault: Fault, now: At) -> Result<(), FaultRefused> {
        self.set.retain(|set| !set.is_over(now));
        if self.set.len() >= FAULTS_MAX {
            return Err(FaultRefused::TooMany);
        }
        let (calls_left, for_ms) = fault.limits();
        let until = for_ms.map(|ms| now.plus(Duration::from_millis(ms)));
        self.set.push(Set { fault, until, calls_left, struck: 0 });
        Ok(())
    }

    /// Takes all of them away.
    pub(super) fn heal(&mut self) {
        self.set.clear();
    }

    pub(super) fn view(&mut self, now: At) -> Faults {
        self.set.retain(|set| !set.is_over(now));
        let view = |set: &Set| SetFault {
            fault: set.fault.clone(),
            struck: set.struck,
            calls_left: set.calls_left,
            ms_left: set.until.map(|until| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX)),
        };
        Faults { faults: self.set.iter().map(view).collect() }
    }

    /// The first fault that is meant strikes, if there is one.
    fn strike(&mut self, now: At, is_meant: impl Fn(&Fault) -> bool) -> Option<&Fault> {
        self.set.retain(|set| !set.is_over(now));
        let set = self.set.iter_mut().find(|set| is_meant(&set.fault))?;
        set.struck = set.struck.saturating_add(1);
        set.calls_left = set.calls_left.map(|left| left.saturating_sub(1));
        Some(&set.fault)
    }

    pub(super) fn throttles(&mut self, called: &str, now: At) -> bool {
        let is_meant = |fault: &Fault| matches!(fault, Fault::Throttle { action, .. } if action.as_ref().is_none_or(|a| a == called));
        self.strike(now, is_meant).is_some()
    }

    pub(super) fn expires(&mut self, now: At) -> bool {
        self.strike(now, |fault| matches!(fault, Fault::ExpireCredentials { .. })).is_some()
    }

    pub(super) fn loses_response(&mut self, called: &str, now: At) -> bool {
        let is_meant =
            |fault: &Fault| matches!(fault, Fault::LoseResponse { action, .. } if action == called);
        self.strike(now, is_meant).is_some()
    }

    pub(super) fn refuses_capacity(&mut self, in_zone: &str, kind: &str, now: At) -> bool {
        let is_meant = |fault: &Fault| {
            matches!(fault, Fault::RefuseCapacity { zone, instance_type, .. }
                if zone.as_ref().is_none_or(|it| it == in_zone)
                    && instance_type.as_ref().is_none_or(|it| it == kind))
        };
        self.strike(now, is_meant).is_some()
    }

    /// How long a boot takes that has been made slow.
    pub(super) fn slow_boot(&mut self, now: At) -> Option<Duration> {
        match self.strike(now, |fault| matches!(fault, Fault::SlowBoot { .. }))? {
            Fault::SlowBoot { boot_ms, .. } => Some(Duration::from_millis(*boot_ms)),
            Fault::Throttle { .. }
            | Fault::ExpireCredentials { .. }
            | Fault::RefuseCapacity { .. }
            | Fault::LoseResponse { .. }
            | Fault::Kill { .. }
            | Fault::Freeze { .. }
            | Fault::Thaw { .. }
            | Fault::Unhealthy { .. }
            | Fault::Prometheus { .. } => None,
        }
    }

    pub(super) fn is_unhealthy(&mut self, checked: &InstanceId, now: At) -> bool {
        let is_meant =
            |fault: &Fault| matches!(fault, Fault::Unhealthy { instance, .. } if instance == checked);
        self.strike(now, is_meant).is_some()
    }

    pub(super) fn prometheus_is(&mut self, what: PrometheusFault, now: At) -> bool {
        self.strike(now, |fault| matches!(fault, Fault::Prometheus { is, .. } if *is == what)).is_some()
    }

    pub(super) fn is_frozen(&self, asked: &InstanceId) -> bool {
        self.set.iter().any(|set| matches!(&set.fault, Fault::Freeze { instance } if instance == asked))
    }

    /// Forgets that an instance is frozen: it was thawed, or is no more.
    pub(super) fn thawed(&mut self, gone: &InstanceId) {
        self.set.retain(|set| !matches!(&set.fault, Fault::Freeze { instance } if instance == gone));
    }
}
