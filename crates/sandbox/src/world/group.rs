//! Target groups: who is registered, who drains, what their health is called.
//!
//! The names and sentences are those of
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html>.

use std::collections::BTreeMap;
use std::time::Duration;

use super::at::At;
use super::instance::Instance;
use super::target::{Failure, Health, Target, TargetKey, TargetPhase};
use crate::names::GroupArn;

/// One target group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) arn: GroupArn,
    pub(crate) name: String,
    /// The port of targets that name none.
    pub(crate) port: u16,
    pub(crate) deregistration_delay: Duration,
    pub(super) targets: BTreeMap<TargetKey, Target>,
    /// Whether a listener or a rule names it; health checks run only then.
    pub(super) use_: GroupUse,
    /// How many requests were sent to it: the round robin's place.
    pub(super) turn: usize,
}

/// Whether the load balancer may send anything to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupUse {
    /// Named in a listener or rule, whatever its weight.
    InUse,
    NotInUse,
}

/// A target's health in AWS's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthReport {
    pub(crate) state: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) description: Option<String>,
}

impl HealthReport {
    fn of(state: &'static str, reason: &'static str, description: impl Into<String>) -> Self {
        Self { state, reason: Some(reason), description: Some(description.into()) }
    }

    pub(crate) fn not_registered() -> Self {
        Self::of("unused", "Target.NotRegistered", "Target is not registered to the target group")
    }
}

impl Group {
    pub(crate) const fn new(arn: GroupArn, name: String, port: u16, deregistration_delay: Duration) -> Self {
        let targets = BTreeMap::new();
        Self { arn, name, port, deregistration_delay, targets, use_: GroupUse::NotInUse, turn: 0 }
    }

    /// The targets whose registration shows.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&TargetKey, &Target)> {
        self.targets.iter().filter(|(_, target)| !matches!(target.phase, TargetPhase::Coming { .. }))
    }

    /// Registers a target anew, or leaves it as it is when it is registered already.
    pub(super) fn register(&mut self, key: TargetKey, new: Target) {
        let is_registered = |target: &Target| match target.phase {
            TargetPhase::Coming { .. } | TargetPhase::Registered(_) => true,
            TargetPhase::Draining { .. } => false,
        };
        if !self.targets.get(&key).is_some_and(is_registered) {
            self.targets.insert(key, new);
        }
    }

    /// Lets registrations show whose time has come.
    pub(super) fn show(&mut self, now: At) {
        self.targets.values_mut().for_each(|target| target.show(now));
    }

    /// Begins to drain a target; one that is not registered is left alone, and one whose registration does
    /// not show yet shows as draining.
    pub(super) fn deregister(&mut self, key: &TargetKey, now: At) {
        let until = now.plus(self.deregistration_delay);
        if let Some(target) = self.targets.get_mut(key)
            && let TargetPhase::Coming { .. } | TargetPhase::Registered(_) = target.phase
        {
            target.phase = TargetPhase::Draining { until };
        }
    }

    /// When the next target has drained or begins to show.
    pub(super) fn next_due(&self) -> Option<At> {
        let due = |target: &Target| match target.phase {
            TargetPhase::Coming { at } => Some(at),
            TargetPhase::Draining { until } => Some(until),
            TargetPhase::Registered(_) => None,
        };
        self.targets.values().filter_map(due).min()
    }

    /// Takes out the targets that have drained.
    pub(super) fn drained(&mut self, now: At) -> Vec<TargetKey> {
        let done = |target: &Target| drained_at(target).is_some_and(|at| at <= now);
        self.targets.extract_if(.., |_, target| done(target)).map(|(key, _)| key).collect()
    }

    /// The health of one of its targets.
    pub(crate) fn report(&self, key: &TargetKey, instance: Option<&Instance>) -> HealthReport {
        let (Some(target), Some(instance)) = (self.targets.get(key), instance) else {
            return HealthReport::not_registered();
        };
        if let TargetPhase::Coming { .. } = target.phase {
            return HealthReport::not_registered();
        }
        if let TargetPhase::Draining { .. } = target.phase {
            let text = "Target deregistration is in progress";
            return HealthReport::of("draining", "Target.DeregistrationInProgress", text);
        }
        if self.use_ == GroupUse::NotInUse {
            let text = "Target group is not configured to receive traffic from the load balancer";
            return HealthReport::of("unused", "Target.NotInUse", text);
        }
        target.health(instance).map_or_else(
            || {
                let text = format!("Target is in the {} state", instance.state().name());
                HealthReport::of("unused", "Target.InvalidState", text)
            },
            report_health,
        )
    }
}

fn drained_at(target: &Target) -> Option<At> {
    match target.phase {
        TargetPhase::Draining { until } => Some(until),
        TargetPhase::Coming { .. } | TargetPhase::Registered(_) => None,
    }
}

fn report_health(health: Health) -> HealthReport {
    match health {
        Health::Registering => {
            HealthReport::of("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
        }
        Health::Initial { .. } => {
            HealthReport::of("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        }
        Health::Healthy { .. } => HealthReport { state: "healthy", reason: None, description: None },
        Health::Unhealthy { why, .. } => match why {
            Failure::Code(code) => {
                let text = format!("Health checks failed with these codes: [{code}]");
                HealthReport::of("unhealthy", "Target.ResponseCodeMismatch", text)
            }
            Failure::Timeout => HealthReport::of("unhealthy", "Target.Timeout", "Request timed out"),
            Failure::Connection => {
                HealthReport::of("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
            }
        },
    }
}
