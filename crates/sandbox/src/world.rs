//! The sandbox's world as a value: instances, target groups, rules, and what was asked of them.
//!
//! Every method is told what time it is, and what must be done outside comes back as an [`Effect`]; so the
//! whole of AWS's manners can be tested without a clock, a process or a socket. The world knows no HTTP and
//! no XML either: `query` reads calls and writes answers.

mod at;
mod balancer;
mod balancers;
mod buckets;
mod capacity;
mod cloud;
mod effect;
mod forward;
mod group;
mod image;
mod instance;
mod lag;
mod launch;
mod ledger;
mod lifecycle;
mod refusal;
mod route;
mod strike;
mod subnet;
mod tagging;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod trouble;

pub(crate) use at::At;
pub use balancer::{AtDelayEnd, WhenUnhealthy};
pub(crate) use balancer::{Balancer, BalancerSettings, Check};
pub(crate) use balancers::Balancers;
pub use buckets::TokenBuckets;
pub(crate) use buckets::{Ec2Call, Listing, Toll, ec2_tolls, elb_tolls};
pub(crate) use cloud::{Cloud, CloudSettings};
pub use effect::Launch;
pub(crate) use effect::{Effect, ProcessSignal};
pub(crate) use forward::{Forward, QueryCondition, QueryPair, Rule, Weighted};
pub(crate) use group::{Group, HealthReport};
pub(crate) use image::{Image, Tags};
pub(crate) use instance::{Instance, InstanceState, Protection, StateReason};
pub(crate) use lag::Lags;
pub(crate) use launch::{LaunchRequest, Launched, TemplateChoice};
pub use ledger::{EndRecord, LaunchRecord, Ledger};
pub(crate) use lifecycle::{Change, Verb};
pub(crate) use refusal::{Ec2Refusal, ElbRefusal, Refusal};
pub(crate) use route::Route;
pub(crate) use subnet::{Cidr, Subnet};
pub use target::TargetKey;
pub(crate) use target::{CheckOutcome, Failure, Health, Thresholds};
pub(crate) use template::{Template, TemplateData, TemplateName, VersionSpec};

use std::collections::BTreeSet;
use std::time::Duration;

use crate::names::{InstanceId, SubnetId};
use buckets::Buckets;
use launch::Plan;
use trouble::Trouble;

/// The account that owns everything in the sandbox.
pub(crate) const ACCOUNT: &str = "111122223333";

/// Everything that the sandbox knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) balancers: Balancers,
    ledger: Ledger,
    trouble: Trouble,
    buckets: Buckets,
    rng: fastrand::Rng,
}

impl World {
    pub(crate) fn new(cloud: Cloud, balancers: Balancers, rng: fastrand::Rng) -> Self {
        Self {
            cloud,
            balancers,
            ledger: Ledger::default(),
            trouble: Trouble::default(),
            buckets: Buckets::default(),
            rng,
        }
    }

    /// From now on things show as late as this, and calls are counted like this.
    pub(crate) fn keep_manners(&mut self, lags: Lags, buckets: TokenBuckets) {
        self.cloud.lags = lags;
        self.balancers.show_after(lags.targets);
        self.buckets.count = buckets;
    }

    /// Whether a call is taken: no fault throttles it, and the account's buckets hold its tolls.
    pub(crate) fn admits(&mut self, action: &str, tolls: &[Toll], now: At) -> bool {
        !self.throttles(action, now) && self.buckets.take(tolls, now)
    }

    /// Lets time pass until `now`. Every look at the world comes after this.
    pub(crate) fn advance(&mut self, now: At) {
        if self.next_due().is_some_and(|due| due <= now) {
            self.cloud.advance(now);
            for instance in self.cloud.forget(now) {
                self.ledger.note(&instance);
            }
            self.balancers.advance(&self.cloud, now);
        }
    }

    /// The next moment at which something changes by itself; health checks have their own rhythm.
    pub(crate) fn next_due(&self) -> Option<At> {
        self.cloud.next_due().into_iter().chain(self.balancers.next_due()).min()
    }

    pub(crate) fn has_effects(&self) -> bool {
        !self.cloud.effects.is_empty() || self.balancers.have_effects()
    }

    /// What must be done outside since the last time this was asked.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.cloud.effects);
        effects.extend(self.balancers.take_effects());
        effects
    }

    pub(crate) fn launch(&mut self, request: LaunchRequest, now: At) -> Result<Launched, Ec2Refusal> {
        let resolved = match self.cloud.plan(&request)? {
            Plan::Again(launched) => return Ok(launched),
            Plan::New(resolved) => resolved,
        };
        self.check_capacity(&resolved.subnet, &resolved.instance_type, now)?;
        let boot = self.boot(now);
        let launched = self.cloud.launch(request, &resolved, boot, now);
        self.note(&launched.instances);
        Ok(launched)
    }

    /// Does a launch of the newest image once more, as soon as so many instances of it are there: a fault that is
    /// planted.
    pub(crate) fn launch_again(&mut self, there: usize, now: At) -> Option<Launched> {
        let request = self.cloud.forgotten(there)?;
        self.launch(request, now).ok()
    }

    pub(crate) fn change(
        &mut self,
        verb: Verb,
        ids: &[InstanceId],
        now: At,
    ) -> Result<Vec<Change>, Ec2Refusal> {
        self.cloud.check_change(verb, ids)?;
        let boot = match verb {
            Verb::Start => {
                self.check_start(ids, now)?;
                self.boot(now)
            }
            Verb::Stop | Verb::Terminate => Duration::ZERO,
        };
        let (reached, protected) = match verb {
            Verb::Start | Verb::Stop => (ids.to_vec(), None),
            Verb::Terminate => self.cloud.unprotected(ids),
        };
        let changes = self.cloud.change(verb, &reached, boot, now);
        self.ledger.changed(&changes, now);
        self.balancers.advance(&self.cloud, now);
        match protected {
            Some(instance) => Err(Ec2Refusal::Protected { instance }),
            None => Ok(changes),
        }
    }

    /// Whether a change would be done, without doing it.
    pub(crate) fn change_dry(&self, verb: Verb, ids: &[InstanceId]) -> Ec2Refusal {
        if let Err(no) = self.cloud.check_change(verb, ids) {
            return no;
        }
        match (verb, self.cloud.unprotected(ids).1) {
            (Verb::Terminate, Some(instance)) => Ec2Refusal::Protected { instance },
            (Verb::Start | Verb::Stop | Verb::Terminate, _) => Ec2Refusal::DryRun,
        }
    }

    /// Whether there is room for those of the instances that are stopped.
    fn check_start(&mut self, ids: &[InstanceId], now: At) -> Result<(), Ec2Refusal> {
        self.cloud.check_room_to_start(ids)?;
        let stopped = ids.iter().filter_map(|id| self.cloud.instance(id));
        let stopped = stopped.filter(|i| i.state() == InstanceState::Stopped);
        let wanted: BTreeSet<_> = stopped.map(|i| (i.subnet.clone(), i.instance_type.clone())).collect();
        wanted.iter().try_for_each(|(subnet, kind)| self.check_capacity(subnet, kind, now))
    }

    fn check_capacity(&mut self, subnet: &SubnetId, kind: &str, now: At) -> Result<(), Ec2Refusal> {
        let Some(zone) = self.cloud.subnets.get(subnet).map(|subnet| subnet.zone.clone()) else {
            return Err(Ec2Refusal::SubnetNotFound(subnet.clone()));
        };
        let is_refused = self.refuses_capacity(&zone, kind, now);
        if is_refused { Err(self.cloud.no_capacity(&zone, kind)) } else { Ok(()) }
    }

    /// How long what is launched or started now takes until it runs.
    fn boot(&mut self, now: At) -> Duration {
        self.slow_boot(now).unwrap_or(self.cloud.settings.boot)
    }

    pub(crate) fn program_ended(&mut self, id: &InstanceId, run: u32, how: &str, now: At) {
        self.cloud.program_ended(id, run, how, now);
        self.trouble.thawed(id);
        self.balancers.advance(&self.cloud, now);
    }

    pub(crate) fn launch_failed(&mut self, id: &InstanceId, run: u32, why: &str, now: At) {
        self.cloud.launch_failed(id, run, why, now);
        self.balancers.advance(&self.cloud, now);
    }

    pub(crate) fn due_checks(&mut self, now: At) -> Vec<Check> {
        self.balancers.due_checks(&self.cloud, now)
    }

    /// Where the load balancer at this place sends a request.
    pub(crate) fn route(&mut self, place: usize, query: &str) -> Option<Route> {
        self.balancers.at_mut(place).route(&self.cloud, query, &mut self.rng)
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
