//! The sandbox's world as a value: instances, target groups, rules, and what was asked of them.
//!
//! Every method is told what time it is, and what must be done outside comes back as an [`Effect`]; so the
//! whole of AWS's manners can be tested without a clock, a process or a socket. The world knows no HTTP and
//! no XML either: `query` reads calls and writes answers.

mod at;
mod balancer;
mod cloud;
mod effect;
mod forward;
mod group;
mod image;
mod instance;
mod launch;
mod ledger;
mod lifecycle;
mod refusal;
mod route;
mod subnet;
mod target;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use at::At;
pub use balancer::AtDelayEnd;
pub(crate) use balancer::{Balancer, BalancerSettings, Check};
pub(crate) use cloud::{Cloud, CloudSettings};
pub(crate) use effect::Effect;
pub use effect::Launch;
pub(crate) use forward::{Forward, QueryCondition, QueryPair, Rule, Weighted};
pub(crate) use group::{Group, HealthReport};
pub(crate) use image::{Image, Tags};
pub(crate) use instance::{Instance, InstanceState, StateReason};
pub(crate) use launch::{LaunchRequest, Launched, TemplateChoice};
pub use ledger::{LaunchRecord, Ledger};
pub(crate) use lifecycle::{Change, Verb};
pub(crate) use refusal::{Ec2Refusal, ElbRefusal, Refusal};
pub(crate) use route::Route;
pub(crate) use subnet::Subnet;
pub use target::TargetKey;
pub(crate) use target::{CheckOutcome, Failure, Health, Thresholds};
pub(crate) use template::{Template, TemplateData, TemplateName, VersionSpec};

use crate::names::InstanceId;

/// The account that owns everything in the sandbox.
pub(crate) const ACCOUNT: &str = "111122223333";

/// Everything that the sandbox knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) balancer: Balancer,
    ledger: Ledger,
    rng: fastrand::Rng,
}

impl World {
    pub(crate) fn new(cloud: Cloud, balancer: Balancer, rng: fastrand::Rng) -> Self {
        Self { cloud, balancer, ledger: Ledger::default(), rng }
    }

    /// Lets time pass until `now`. Every look at the world comes after this.
    pub(crate) fn advance(&mut self, now: At) {
        if self.next_due().is_some_and(|due| due <= now) {
            self.cloud.advance(now);
            for instance in self.cloud.forget(now) {
                self.ledger.note(&instance);
            }
            self.balancer.advance(&self.cloud, now);
        }
    }

    /// The next moment at which something changes by itself; health checks have their own rhythm.
    pub(crate) fn next_due(&self) -> Option<At> {
        self.cloud.next_due().into_iter().chain(self.balancer.next_due()).min()
    }

    pub(crate) fn has_effects(&self) -> bool {
        !self.cloud.effects.is_empty() || !self.balancer.effects.is_empty()
    }

    /// What must be done outside since the last time this was asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.cloud.effects);
        effects.append(&mut self.balancer.effects);
        effects
    }

    pub(crate) fn launch(&mut self, request: LaunchRequest, now: At) -> Result<Launched, Ec2Refusal> {
        let launched = self.cloud.launch(request, now)?;
        self.note(&launched.instances);
        Ok(launched)
    }

    pub(crate) fn change(
        &mut self,
        verb: Verb,
        ids: &[InstanceId],
        now: At,
    ) -> Result<Vec<Change>, Ec2Refusal> {
        let changes = self.cloud.change(verb, ids, now)?;
        self.balancer.advance(&self.cloud, now);
        Ok(changes)
    }

    pub(crate) fn program_ended(&mut self, id: &InstanceId, run: u32, how: &str, now: At) {
        self.cloud.program_ended(id, run, how, now);
        self.balancer.advance(&self.cloud, now);
    }

    pub(crate) fn launch_failed(&mut self, id: &InstanceId, run: u32, why: &str, now: At) {
        self.cloud.launch_failed(id, run, why, now);
        self.balancer.advance(&self.cloud, now);
    }

    pub(crate) fn due_checks(&mut self, now: At) -> Vec<Check> {
        self.balancer.due_checks(&self.cloud, now)
    }

    pub(crate) fn route(&mut self, query: &str) -> Option<Route> {
        self.balancer.route(&self.cloud, query, &mut self.rng)
    }

    /// Counts a call, and why it was refused if it was.
    pub(crate) fn called(&mut self, action: &str, refusal: Option<&impl Refusal>) {
        match refusal {
            Some(refusal) if refusal.is_unknown_action() => self.ledger.unknown(action),
            Some(refusal) => {
                self.ledger.called(action);
                self.ledger.refused(action, refusal.code());
            }
            None => self.ledger.called(action),
        }
    }

    /// The ledger with the states of this moment.
    pub(crate) fn ledger(&mut self) -> Ledger {
        for instance in self.cloud.instances() {
            self.ledger.note(instance);
        }
        self.ledger.sum_up();
        self.ledger.clone()
    }

    fn note(&mut self, ids: &[InstanceId]) {
        for instance in ids.iter().filter_map(|id| self.cloud.instance(id)) {
            self.ledger.note(instance);
        }
    }
}
