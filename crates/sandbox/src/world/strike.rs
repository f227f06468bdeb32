//! The world with its faults: they are set and healed here, and strike here, so that each strike is counted.

use std::time::Duration;

use super::at::At;
use super::effect::{Effect, ProcessSignal};
use super::instance::{Instance, InstanceState};
use super::target::{CheckOutcome, Failure};
use super::{Check, World};
use crate::faults::{Fault, FaultRefused, Faults, PrometheusFault};
use crate::names::InstanceId;

/// What a health check is answered with that a fault has failed.
const SICK: CheckOutcome = CheckOutcome::Failed(Failure::Code(503));

impl World {
    /// Sets a fault, or does what it says when that is done in a moment.
    pub(crate) fn set_fault(&mut self, fault: Fault, now: At) -> Result<(), FaultRefused> {
        fault.check()?;
        match &fault {
            Fault::Kill { instance } => self.signal(&instance.clone(), ProcessSignal::Kill),
            Fault::Thaw { instance } => {
                self.signal(instance, ProcessSignal::Thaw)?;
                self.trouble.thawed(instance);
                Ok(())
            }
            Fault::Freeze { instance } => {
                if self.trouble.is_frozen(instance) {
                    return Ok(());
                }
                self.running(instance)?;
                self.trouble.add(fault.clone(), now)?;
                self.signal(instance, ProcessSignal::Freeze)
            }
            Fault::Unhealthy { instance, .. } => {
                self.existing(instance)?;
                self.trouble.add(fault, now)
            }
            Fault::RefuseCapacity { zone: Some(zone), .. } => {
                let zones: Vec<_> = self.cloud.subnets.values().map(|subnet| subnet.zone.clone()).collect();
                if !zones.contains(zone) {
                    return Err(FaultRefused::UnknownZone { zone: zone.clone(), zones });
                }
                self.trouble.add(fault, now)
            }
            Fault::Throttle { .. }
            | Fault::ExpireCredentials { .. }
            | Fault::RefuseCapacity { zone: None, .. }
            | Fault::LoseResponse { .. }
            | Fault::SlowBoot { .. }
            | Fault::Prometheus { .. } => self.trouble.add(fault, now),
        }
    }

    /// Takes every fault away and thaws what is frozen.
    pub(crate) fn heal(&mut self) {
        let frozen = |i: &&Instance| self.trouble.is_frozen(&i.id);
        let frozen: Vec<_> = self.cloud.instances().filter(frozen).map(|i| (i.id.clone(), i.run)).collect();
        let thaw = |(instance, run)| Effect::Signal { instance, run, signal: ProcessSignal::Thaw };
        self.cloud.effects.extend(frozen.into_iter().map(thaw));
        self.trouble.heal();
    }

    pub(crate) fn faults(&mut self, now: At) -> Faults {
        self.trouble.view(now)
    }

    /// Whether a call is refused as one too many.
    pub(super) fn throttles(&mut self, action: &str, now: At) -> bool {
        let strikes = self.trouble.throttles(action, now);
        if strikes {
            self.ledger.struck(format!("throttle:{action}"));
        }
        strikes
    }

    /// Whether the credentials of a call have expired.
    pub(crate) fn expires(&mut self, action: &str, now: At) -> bool {
        let strikes = self.trouble.expires(now);
        if strikes {
            self.ledger.struck(format!("expire_credentials:{action}"));
        }
        strikes
    }

    /// Whether the answer to a call that was done is lost.
    pub(crate) fn loses_response(&mut self, action: &str, now: At) -> bool {
        let strikes = self.trouble.loses_response(action, now);
        if strikes {
            self.ledger.struck(format!("lose_response:{action}"));
        }
        strikes
    }

    pub(crate) fn prometheus_is(&mut self, what: PrometheusFault, now: At) -> bool {
        let strikes = self.trouble.prometheus_is(what, now);
        if strikes {
            self.ledger.struck(format!("prometheus:{}", what.name()));
        }
        strikes
    }

    /// Takes the outcome of a health check, unless a fault has another.
    pub(crate) fn checked(&mut self, check: &Check, outcome: CheckOutcome, now: At) {
        let instance = &check.target.instance;
        let is_sick = self.trouble.is_unhealthy(instance, now);
        if is_sick {
            self.ledger.struck(format!("unhealthy:{instance}"));
        }
        self.balancers.checked(check, if is_sick { SICK } else { outcome });
    }

    pub(super) fn refuses_capacity(&mut self, zone: &str, kind: &str, now: At) -> bool {
        let strikes = self.trouble.refuses_capacity(zone, kind, now);
        if strikes {
            self.ledger.struck(format!("refuse_capacity:{zone}"));
        }
        strikes
    }

    pub(super) fn slow_boot(&mut self, now: At) -> Option<Duration> {
        let boot = self.trouble.slow_boot(now);
        if boot.is_some() {
            self.ledger.struck("slow_boot".to_owned());
        }
        boot
    }

    fn existing(&self, id: &InstanceId) -> Result<&Instance, FaultRefused> {
        self.cloud.instance(id).ok_or_else(|| FaultRefused::UnknownInstance(id.clone()))
    }

    /// The run of an instance that has a program.
    pub(crate) fn running(&self, id: &InstanceId) -> Result<u32, FaultRefused> {
        let instance = self.existing(id)?;
        match instance.state() {
            InstanceState::Running => Ok(instance.run),
            state @ (InstanceState::Pending
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown
            | InstanceState::Terminated) => {
                Err(FaultRefused::NotRunning { instance: id.clone(), state: state.name() })
            }
        }
    }

    fn signal(&mut self, id: &InstanceId, signal: ProcessSignal) -> Result<(), FaultRefused> {
        let run = self.running(id)?;
        self.cloud.effects.push(Effect::Signal { instance: id.clone(), run, signal });
        self.ledger.struck(format!("{}:{id}", signal.name()));
        Ok(())
    }
}
