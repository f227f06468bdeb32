//! `StartInstances`, `StopInstances`, `TerminateInstances`: all or nothing, idempotent where AWS is.
//!
//! But for one case, as on AWS: an instance that is protected from termination keeps those of its own zone
//! alive that are named beside it; the rest is terminated, and the call refused.
//!
//! Sources: the pages of the three actions in the EC2 API reference.

use std::time::Duration;

use super::at::At;
use super::cloud::Cloud;
use super::effect::Effect;
use super::instance::{Instance, InstanceState, Phase, Program, Protection, StateReason};
use super::refusal::Ec2Refusal;
use crate::names::InstanceId;

/// What is to become of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Terminate,
}

/// One instance's change, as the answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) instance: InstanceId,
    pub(crate) before: InstanceState,
    pub(crate) after: InstanceState,
}

impl Verb {
    const fn participle(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Terminate => "terminated",
        }
    }

    /// Whether the verb may be said of an instance in this state.
    const fn allowed(self, state: InstanceState) -> bool {
        match (self, state) {
            (Self::Terminate, _)
            | (Self::Start, InstanceState::Stopped | InstanceState::Running | InstanceState::Pending)
            | (Self::Stop, InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped) => true,
            (
                Self::Start,
                InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated,
            )
            | (
                Self::Stop,
                InstanceState::Pending | InstanceState::ShuttingDown | InstanceState::Terminated,
            ) => false,
        }
    }
}

impl Cloud {
    /// Whether the call would be done; the first obstacle otherwise.
    pub(super) fn check_change(&self, verb: Verb, ids: &[InstanceId]) -> Result<(), Ec2Refusal> {
        if ids.is_empty() {
            return Err(Ec2Refusal::MissingParameter("InstanceId".to_owned()));
        }
        self.require(ids)?;
        let stuck = ids.iter().find(|id| self.instance(id).is_some_and(|i| !verb.allowed(i.state())));
        match stuck {
            Some(id) => {
                Err(Ec2Refusal::IncorrectInstanceState { instance: id.clone(), verb: verb.participle() })
            }
            None => Ok(()),
        }
    }

    /// Those of the named that a termination reaches, and the first that is protected from it.
    pub(super) fn unprotected(&self, ids: &[InstanceId]) -> (Vec<InstanceId>, Option<InstanceId>) {
        let guarded =
            |i: &&Instance| i.protection == Protection::On && i.state() != InstanceState::Terminated;
        let guarded: Vec<_> = ids.iter().filter_map(|id| self.instance(id)).filter(guarded).collect();
        let reached = |id: &&InstanceId| {
            self.instance(id).is_some_and(|i| !guarded.iter().any(|other| other.zone == i.zone))
        };
        let first = guarded.first().map(|instance| instance.id.clone());
        (ids.iter().filter(reached).cloned().collect(), first)
    }

    /// Protects an instance from termination, or does so no longer.
    pub(crate) fn protect(&mut self, id: &InstanceId, protection: Protection) {
        if let Some(instance) = self.instance_mut(id) {
            instance.protection = protection;
        }
    }

    /// Changes all of them, after `check_change`. What is started runs after `boot`.
    pub(super) fn change(&mut self, verb: Verb, ids: &[InstanceId], boot: Duration, now: At) -> Vec<Change> {
        ids.iter().filter_map(|id| self.change_one(verb, id, boot, now)).collect()
    }

    fn change_one(&mut self, verb: Verb, id: &InstanceId, boot: Duration, now: At) -> Option<Change> {
        let stop = self.settings.stop;
        let instance = self.instance_mut(id)?;
        let before = instance.state();
        let (seq, run, had_program) = (instance.seq, instance.run, before == InstanceState::Running);
        let not_before = now.plus(stop);
        let next = match (verb, instance.phase) {
            (Verb::Start, Phase::Stopped) => Phase::Pending { running_at: now.plus(boot) },
            (Verb::Stop, Phase::Running) => Phase::Stopping { not_before, program: Program::Ending },
            (Verb::Terminate, Phase::Running) => Phase::ShuttingDown { not_before, program: Program::Ending },
            (Verb::Terminate, Phase::Stopping { program, .. }) => Phase::ShuttingDown { not_before, program },
            (Verb::Terminate, Phase::Pending { .. }) => {
                Phase::ShuttingDown { not_before, program: Program::Ended }
            }
            (Verb::Terminate, Phase::Stopped) => Phase::Terminated { at: now },
            (_, same) => same,
        };
        if next != instance.phase {
            instance.reason = (verb != Verb::Start).then_some(StateReason::UserInitiated);
            instance.phase = next;
        }
        if had_program && next != Phase::Running {
            self.effects.push(Effect::Stop { instance: id.clone(), run });
        }
        if before == InstanceState::Stopped && verb == Verb::Terminate {
            self.release_address(seq);
        }
        let after = self.instance(id)?.state();
        Some(Change { instance: id.clone(), before, after })
    }
}
