//! One target of a target group and its health, as a state machine without a clock or a socket.
//!
//! Rules (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>):
//! a new target is `initial` and one passed check makes it healthy; a healthy one becomes unhealthy after
//! `unhealthy_threshold` failures in a row, an unhealthy one healthy after `healthy_threshold` passes in a
//! row. A deregistered target drains for the group's delay and is then gone. An instance that is started again
//! begins anew.

use std::fmt;
use std::time::Duration;

use super::at::At;
use super::instance::{Instance, InstanceState};
use crate::names::InstanceId;

/// A target: an instance and the port its traffic goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// The instance.
    pub instance: InstanceId,
    /// Its port for traffic and health checks.
    pub port: u16,
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.instance, self.port)
    }
}

/// A registered or draining target.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) phase: TargetPhase,
    /// Grows with each registration: a check of an earlier one says nothing of this one.
    pub(crate) registration: u64,
    /// The run of the instance that the health belongs to.
    pub(super) run: u32,
    pub(super) next_check: At,
    pub(super) check_in_flight: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetPhase {
    /// The registration does not show yet.
    Coming {
        at: At,
    },
    Registered(Health),
    Draining {
        until: At,
    },
}

/// What the checks of a registered target have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// No check has been sent yet.
    Registering,
    Initial {
        fails: u32,
    },
    Healthy {
        fails: u32,
    },
    Unhealthy {
        passes: u32,
        why: Failure,
    },
}

/// How one health check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckOutcome {
    Passed,
    Failed(Failure),
}

/// Why a health check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The status that came instead of 200.
    Code(u16),
    Timeout,
    /// No connection, or no HTTP.
    Connection,
}

/// How many checks in a row change a target's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
}

impl Health {
    /// The health after one more check.
    pub(crate) const fn after(self, outcome: CheckOutcome, thresholds: Thresholds) -> Self {
        match (self, outcome) {
            (Self::Registering | Self::Initial { .. } | Self::Healthy { .. }, CheckOutcome::Passed) => {
                Self::Healthy { fails: 0 }
            }
            (Self::Registering, CheckOutcome::Failed(why)) => {
                Self::Initial { fails: 1 }.unless_too_many(1, why, thresholds)
            }
            (Self::Initial { fails }, CheckOutcome::Failed(why)) => {
                Self::Initial { fails: fails + 1 }.unless_too_many(fails + 1, why, thresholds)
            }
            (Self::Healthy { fails }, CheckOutcome::Failed(why)) => {
                Self::Healthy { fails: fails + 1 }.unless_too_many(fails + 1, why, thresholds)
            }
            (Self::Unhealthy { passes, why }, CheckOutcome::Passed) => {
                if passes + 1 >= thresholds.healthy {
                    Self::Healthy { fails: 0 }
                } else {
                    Self::Unhealthy { passes: passes + 1, why }
                }
            }
            (Self::Unhealthy { .. }, CheckOutcome::Failed(why)) => Self::Unhealthy { passes: 0, why },
        }
    }

    const fn unless_too_many(self, fails: u32, why: Failure, thresholds: Thresholds) -> Self {
        if fails >= thresholds.unhealthy { Self::Unhealthy { passes: 0, why } } else { self }
    }
}

impl Target {
    pub(crate) const fn registered(registration: u64, run: u32, now: At) -> Self {
        Self {
            phase: TargetPhase::Registered(Health::Registering),
            registration,
            run,
            next_check: now,
            check_in_flight: false,
        }
    }

    /// The same, when its registration shows only after a lag.
    pub(super) fn known_after(self, lag: Duration, now: At) -> Self {
        if lag.is_zero() { self } else { Self { phase: TargetPhase::Coming { at: now.plus(lag) }, ..self } }
    }

    /// Lets the registration show, when its time has come.
    pub(super) fn show(&mut self, now: At) {
        if let TargetPhase::Coming { at } = self.phase
            && at <= now
        {
            *self = Self::registered(self.registration, self.run, at);
        }
    }

    /// The health of a registered target whose instance runs; none when it drains or the instance does not.
    pub(crate) fn health(&self, instance: &Instance) -> Option<Health> {
        match (self.phase, instance.state()) {
            (TargetPhase::Registered(health), InstanceState::Running) => {
                Some(if self.run == instance.run { health } else { Health::Registering })
            }
            (TargetPhase::Coming { .. } | TargetPhase::Registered(_) | TargetPhase::Draining { .. }, _) => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { healthy: 3, unhealthy: 2 };
    const FAILED: CheckOutcome = CheckOutcome::Failed(Failure::Timeout);

    fn after(start: Health, outcomes: &[CheckOutcome]) -> Health {
        outcomes.iter().fold(start, |health, outcome| health.after(*outcome, THRESHOLDS))
    }

    #[test]
    fn one_pass_makes_a_new_target_healthy() {
        assert_eq!(after(Health::Registering, &[CheckOutcome::Passed]), Health::Healthy { fails: 0 });
        assert_eq!(after(Health::Registering, &[FAILED, CheckOutcome::Passed]), Health::Healthy { fails: 0 });
    }

    #[test]
    fn a_healthy_target_survives_one_failure_but_not_two_in_a_row() {
        let healthy = Health::Healthy { fails: 0 };
        assert_eq!(after(healthy, &[FAILED]), Health::Healthy { fails: 1 });
        assert_eq!(after(healthy, &[FAILED, CheckOutcome::Passed, FAILED]), Health::Healthy { fails: 1 });
        let unhealthy = Health::Unhealthy { passes: 0, why: Failure::Timeout };
        assert_eq!(after(healthy, &[FAILED, FAILED]), unhealthy);
    }

    #[test]
    fn an_unhealthy_target_needs_its_passes_in_a_row() {
        let unhealthy = Health::Unhealthy { passes: 0, why: Failure::Code(503) };
        let passed = CheckOutcome::Passed;
        let nearly = after(unhealthy, &[passed, passed]);
        assert_eq!(nearly, Health::Unhealthy { passes: 2, why: Failure::Code(503) });
        assert_eq!(after(nearly, &[passed]), Health::Healthy { fails: 0 });
        assert_eq!(after(nearly, &[FAILED]), Health::Unhealthy { passes: 0, why: Failure::Timeout });
    }

    #[test]
    fn a_new_target_that_only_fails_becomes_unhealthy() {
        assert_eq!(after(Health::Registering, &[FAILED]), Health::Initial { fails: 1 });
        let unhealthy = Health::Unhealthy { passes: 0, why: Failure::Timeout };
        assert_eq!(after(Health::Registering, &[FAILED, FAILED]), unhealthy);
    }
}
