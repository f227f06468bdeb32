//! Between a daemon and the outside: every call of a release that changes something must be an intent in the journal by
//! then, and some known mistakes are made here. Tags pass through: an adoption writes them, and no release.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::{AppStatus, BoardCount, BoardRow};
use segue_domain::effect::{Effect, LaunchBatch};
use segue_domain::event::Vital;
use segue_domain::ids::{
    BoardId, EffectId, ForwardArn, GroupArn, InstanceId, MoveId, Route, ServiceName, SubnetId, TemplateId,
};
use segue_domain::instance::{Image, Instance};
use segue_domain::reading::Reading;
use segue_domain::service::WarmSpec;
use segue_domain::stranger::Stranger;
use segue_domain::target::{Targets, Weights};
use segue_engine::Ports;
use segue_engine::fakes::Law;
use segue_engine::ports::{
    AttachPlan, BoardMetrics, Boards, CallError, Cloud, EndOf, Hooks, ImageQuery, ItemOutcome, LoadBalancer,
    MoveItem, Notifier, Prepared, Sealed, StandbyTerms, Target,
};

use super::{Bug, Bugs};
use crate::journal::Telling;

/// So often whoever does not rest asks again.
const RESTLESS_TRIES: u32 = 150;

/// One daemon's ports, looked at.
pub(crate) struct Between {
    ports: Ports,
    journal: Arc<Telling>,
    bugs: Bugs,
    /// The first token of each batch.
    tokens: Mutex<BTreeMap<(String, u32), EffectId>>,
    launches: AtomicU64,
}

impl Between {
    pub(crate) fn ports(ports: Ports, journal: &Arc<Telling>, bugs: &Bugs) -> Ports {
        let between = Arc::new(Self {
            ports,
            journal: Arc::clone(journal),
            bugs: bugs.clone(),
            tokens: Mutex::default(),
            launches: AtomicU64::new(0),
        });
        Ports {
            cloud: Arc::<Self>::clone(&between),
            balancer: Arc::<Self>::clone(&between),
            metrics: Arc::<Self>::clone(&between),
            boards: Arc::<Self>::clone(&between),
            hooks: Arc::<Self>::clone(&between),
            notifier: between,
        }
    }

    /// S17: what is called is an intent in the journal, and in flight.
    fn s17_intent_first(&self, what: &str, is_it: impl Fn(&Effect) -> bool) {
        if !self.journal.is_intended(is_it) {
            let what = format!("{what} was called, and no intent in flight asks for it");
            self.journal.court().convict(Law::IntentFirst, &what);
        }
    }

    fn moves(&self, what: &str, id: &MoveId) {
        let has = |effect: &Effect| match effect {
            Effect::Move(effect) => effect.wave.moves.iter().any(|one| one.id == *id),
            Effect::Launch(_)
            | Effect::Start { .. }
            | Effect::Stop { .. }
            | Effect::Terminate { .. }
            | Effect::Register { .. }
            | Effect::Deregister { .. }
            | Effect::SetWeights { .. }
            | Effect::Open { .. }
            | Effect::CloseToNew { .. }
            | Effect::Configure { .. }
            | Effect::WarmUp { .. }
            | Effect::Drain { .. }
            | Effect::Announce { .. } => false,
        };
        self.s17_intent_first(what, has);
    }

    fn token(&self, id: &EffectId, batch: &LaunchBatch) -> EffectId {
        if self.bugs.has(Bug::RandomToken) {
            return EffectId::new(format!("{id}/{}", self.launches.fetch_add(1, Ordering::Relaxed)));
        }
        if self.bugs.has(Bug::TokenReused) {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            return tokens
                .entry((batch.release.to_string(), batch.batch))
                .or_insert_with(|| id.clone())
                .clone();
        }
        id.clone()
    }
}

#[async_trait]
impl Cloud for Between {
    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CallError> {
        self.ports.cloud.images(query).await
    }

    async fn instances(&self, service: &ServiceName) -> Result<BTreeMap<InstanceId, Instance>, CallError> {
        let mut listed = self.ports.cloud.instances(service).await;
        if self.bugs.has(Bug::RetriesAtOnce) {
            for _ in 0..RESTLESS_TRIES {
                if listed.is_err() {
                    listed = self.ports.cloud.instances(service).await;
                }
            }
        }
        listed
    }

    async fn strangers(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, Stranger>, CallError> {
        self.ports.cloud.strangers(instances).await
    }

    async fn free_addresses(&self, subnets: &[SubnetId]) -> Result<BTreeMap<SubnetId, u64>, CallError> {
        self.ports.cloud.free_addresses(subnets).await
    }

    async fn template_exists(&self, template: &TemplateId) -> Result<bool, CallError> {
        self.ports.cloud.template_exists(template).await
    }

    async fn launch(&self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError> {
        self.s17_intent_first("launch", |effect| matches!(effect, Effect::Launch(it) if it == batch));
        self.ports.cloud.launch(&self.token(id, batch), batch).await
    }

    async fn start(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        self.s17_intent_first("start", |it| *it == Effect::Start { instances: instances.to_vec() });
        self.ports.cloud.start(instances).await
    }

    async fn stop(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        self.s17_intent_first("stop", |it| *it == Effect::Stop { instances: instances.to_vec() });
        self.ports.cloud.stop(instances).await
    }

    async fn terminate(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        self.s17_intent_first("terminate", |it| *it == Effect::Terminate { instances: instances.to_vec() });
        self.ports.cloud.terminate(instances).await
    }

    async fn tag(&self, instances: &[InstanceId], tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        self.ports.cloud.tag(instances, tags).await
    }
}

#[async_trait]
impl LoadBalancer for Between {
    async fn targets(&self, group: &GroupArn) -> Result<Targets, CallError> {
        self.ports.balancer.targets(group).await
    }

    async fn register(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        let wanted = Effect::Register { group: group.clone(), instances: instances.to_vec() };
        self.s17_intent_first("register", |effect| *effect == wanted);
        self.ports.balancer.register(group, instances).await
    }

    async fn deregister(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        let wanted = Effect::Deregister { group: group.clone(), instances: instances.to_vec() };
        self.s17_intent_first("deregister", |effect| *effect == wanted);
        self.ports.balancer.deregister(group, instances).await
    }

    async fn weights(&self, forward: &ForwardArn) -> Result<Weights, CallError> {
        self.ports.balancer.weights(forward).await
    }

    async fn set_weights(&self, forward: &ForwardArn, weights: &Weights) -> Result<(), CallError> {
        let wanted = Effect::SetWeights { forward: forward.clone(), weights: weights.clone() };
        self.s17_intent_first("set_weights", |effect| *effect == wanted);
        self.ports.balancer.set_weights(forward, weights).await
    }
}

#[async_trait]
impl BoardMetrics for Between {
    async fn boards(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BoardCount> {
        let counts = self.ports.metrics.boards(instances).await;
        if !self.bugs.has(Bug::StaleIsFresh) {
            return counts;
        }
        let fresh = |count| match count {
            Reading::Known { value, .. } => Reading::fresh(value),
            unknown @ Reading::Unknown(_) => unknown,
        };
        counts.into_iter().map(|(id, count)| (id, fresh(count))).collect()
    }

    async fn vitals(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Reading<Vital>> {
        self.ports.metrics.vitals(instances).await
    }
}

#[async_trait]
impl Boards for Between {
    async fn status(&self, at: &Target) -> Result<AppStatus, CallError> {
        self.ports.boards.status(at).await
    }

    async fn boards(&self, at: &Target) -> Result<Vec<BoardRow>, CallError> {
        let mut rows = self.ports.boards.boards(at).await?;
        if self.bugs.has(Bug::SwitchesEarly) {
            for row in &mut rows {
                row.unsupported = row.clients;
            }
        }
        Ok(rows)
    }

    async fn owned_by(&self, at: &Target, dead: &InstanceId) -> Result<u64, CallError> {
        self.ports.boards.owned_by(at, dead).await
    }

    async fn open(&self, at: &Target, route: Option<&Route>) -> Result<(), CallError> {
        let wanted = Effect::Open { instance: at.instance.clone(), route: route.cloned() };
        self.s17_intent_first("open", |effect| *effect == wanted);
        self.ports.boards.open(at, route).await
    }

    async fn close(&self, at: &Target) -> Result<(), CallError> {
        let wanted = Effect::CloseToNew { instance: at.instance.clone() };
        self.s17_intent_first("close", |effect| *effect == wanted);
        self.ports.boards.close(at).await
    }

    async fn drain(&self, at: &Target, id: &EffectId, rate_per_s: u32) -> Result<(), CallError> {
        let wanted = Effect::Drain { instance: at.instance.clone(), rate_per_s };
        self.s17_intent_first("drain", |effect| *effect == wanted);
        self.ports.boards.drain(at, id, rate_per_s).await
    }

    async fn prepare(
        &self,
        at: &Target,
        items: &[MoveItem],
        terms: StandbyTerms,
    ) -> Result<Vec<ItemOutcome<Prepared>>, CallError> {
        for item in items {
            self.moves("prepare", &item.id);
        }
        self.ports.boards.prepare(at, items, terms).await
    }

    async fn offer(&self, at: &Target, offers: &[AttachPlan]) -> Result<Vec<ItemOutcome<()>>, CallError> {
        for plan in offers {
            self.moves("offer", &plan.item.id);
        }
        if self.bugs.has(Bug::OfferLapses) {
            let half = |plan: &AttachPlan| AttachPlan { deadline: plan.deadline / 2, ..plan.clone() };
            return self.ports.boards.offer(at, &offers.iter().map(half).collect::<Vec<_>>()).await;
        }
        self.ports.boards.offer(at, offers).await
    }

    async fn seal(&self, at: &Target, item: &MoveItem, ttl: Duration) -> Result<Sealed, CallError> {
        self.moves("seal", &item.id);
        self.ports.boards.seal(at, item, ttl).await
    }

    async fn activate(&self, at: &Target, item: &MoveItem, sealed: &Sealed) -> Result<u64, CallError> {
        self.moves("activate", &item.id);
        if self.bugs.has(Bug::ActivateDropped) {
            return Ok(item.from_epoch + 1);
        }
        self.ports.boards.activate(at, item, sealed).await
    }

    async fn end(&self, at: &Target, moves: &[(MoveId, BoardId)], outcome: EndOf) -> Result<(), CallError> {
        for (id, _) in moves {
            self.moves("end", id);
        }
        self.ports.boards.end(at, moves, outcome).await
    }
}

#[async_trait]
impl Hooks for Between {
    async fn configure(&self, at: &Target, command: &[String]) -> Result<(), CallError> {
        let wanted = Effect::Configure { instance: at.instance.clone(), command: command.to_vec() };
        self.s17_intent_first("configure", |effect| *effect == wanted);
        self.ports.hooks.configure(at, command).await
    }

    async fn warm_up(&self, at: &Target, spec: &WarmSpec) -> Result<(), CallError> {
        let wanted = Effect::WarmUp { instance: at.instance.clone(), spec: spec.clone() };
        self.s17_intent_first("warm_up", |effect| *effect == wanted);
        self.ports.hooks.warm_up(at, spec).await
    }
}

#[async_trait]
impl Notifier for Between {
    async fn announce(&self, line: &str) -> Result<(), CallError> {
        self.s17_intent_first("announce", |it| *it == Effect::Announce { line: line.to_owned() });
        self.ports.notifier.announce(line).await
    }
}
