//! Taking a request: what planning needs is read, the domain makes a plan of it or refuses, and the release
//! begins with one append. A request that was refused has changed nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use segue_domain::basis::Basis;
use segue_domain::event::{Event, RequestKey, ServiceEvent};
use segue_domain::ids::{GroupArn, InstanceId, ReleaseId};
use segue_domain::instance::{Image, Instance};
use segue_domain::plan::Plan;
use segue_domain::reading::Reading;
use segue_domain::refusal::Refusal;
use segue_domain::request::{Facts, Request, plan};
use segue_domain::service_state::ServiceState;
use segue_domain::state::ReleaseState;
use segue_domain::target::{Targets, Weights};
use segue_domain::world::{Needs, World};
use segue_journal::{Append, Stream, StreamAppend};

use super::Desk;
use super::book::ServiceBook;
use crate::ask::AskError;
use crate::ledger::{Ledger, Watch};
use crate::observe;
use crate::outside::Call;
use crate::pen::By;

/// What was read for a plan: all of it, or there is none.
struct Sight {
    images: Vec<Image>,
    has_template: bool,
    instances: BTreeMap<InstanceId, Instance>,
    targets: BTreeMap<GroupArn, Targets>,
    weights: Weights,
}

impl Desk {
    /// Begins a release, or says why not. The same key with the same body is the same release. With the facts of
    /// a plan that was made before, it begins only if they are the same now.
    pub(crate) async fn start(
        &self,
        request: &Request,
        basis: Option<&Basis>,
        key: Option<RequestKey>,
        by: &By,
    ) -> Result<ReleaseId, AskError> {
        if let Some(what) = self.trouble() {
            return Err(Refusal::CannotSee { what }.into());
        }
        if let Some(release) = begun_as(key.as_ref(), &self.history())? {
            return Ok(release);
        }
        let _place = self.queue()?;
        self.settle_adoption().await?;
        let mut book = self.book.lock().await;
        // Somebody else may have been quicker.
        if let Some(release) = begun_as(key.as_ref(), &book.state)? {
            return Ok(release);
        }
        if let Some(open) = book.state.open_adoption() {
            let why = format!("adoption {} has no end in the journal yet", open.number);
            return Err(Refusal::NotServed { why }.into());
        }
        let plan = self.planned(request, &book.state).await?;
        let differences = basis.map(|basis| basis.differences(&plan.basis())).unwrap_or_default();
        if !differences.is_empty() {
            return Err(Refusal::PlanStale { differences }.into());
        }
        let release = plan.release.clone();
        let began = ServiceEvent::Began {
            release: release.clone(),
            kind: plan.kind,
            version: plan.image.version.clone(),
            from_version: plan.from_version.clone(),
            request: key,
        };
        self.begin(&mut book, plan, began, by).await?;
        self.begun.notify_one();
        Ok(release)
    }

    /// What would be done; nothing is.
    pub(crate) async fn plan(&self, request: &Request) -> Result<Plan, Refusal> {
        let history = self.history();
        self.planned(request, &history).await
    }

    /// The same, with the world in which preflight would look.
    pub(crate) async fn foresee(&self, request: &Request) -> Result<(Plan, World), Refusal> {
        let plan = self.plan(request).await?;
        let needs = Needs {
            slots: plan.service.routing.slot_groups().cloned().collect(),
            subnets: plan.service.launch.subnets.clone(),
            instances: plan.blue.union(&plan.takeover).cloned().collect(),
            ..Needs::default()
        };
        let world = observe::observe(&self.outside, &plan.service, &needs, self.pen.clock.now()).await;
        Ok((plan, world))
    }

    /// The service's record and the release's first one, in one append.
    async fn begin(
        &self,
        book: &mut ServiceBook,
        plan: Plan,
        began: ServiceEvent,
        by: &By,
    ) -> Result<(), AskError> {
        let at = self.pen.clock.now();
        let release = plan.release.clone();
        let state = ReleaseState::planned(plan.clone(), at);
        let first = StreamAppend {
            stream: Stream::release(&release),
            expected_seq: 0,
            records: vec![by.record(at, Event::Planned(Box::new(plan)))],
        };
        let events = [began];
        let streams = vec![book.part(at, by, &events), first];
        let written = self.pen.write(&Append { streams, outbox: Vec::new() }).await?;
        book.applied(at, &events);
        self.history.send_replace(book.state.clone());
        let known = Watch { release, seq: 1, state: Arc::new(state), waiting: None, world: None };
        let ledger = Arc::new(Ledger::new(self.pen.clone(), known));
        self.set_active(ledger);
        self.pen.herald.tell(written);
        Ok(())
    }

    async fn planned(&self, request: &Request, history: &ServiceState) -> Result<Plan, Refusal> {
        // Said before anything is read: it is the most common refusal.
        if let Some(active) = history.active() {
            return Err(Refusal::ReleaseActive { active: active.release.clone() });
        }
        let sight = self.survey().await?;
        let facts = Facts {
            service: &self.setup.service,
            images: &sight.images,
            has_template: sight.has_template,
            instances: &sight.instances,
            targets: &sight.targets,
            weights: &sight.weights,
            history,
        };
        plan(request, &facts)
    }

    async fn survey(&self) -> Result<Sight, Refusal> {
        let (service, outside) = (&self.setup.service, &self.outside);
        let routing = &service.routing;
        let groups: BTreeSet<GroupArn> = routing.forwarded().chain(routing.slot_groups()).cloned().collect();
        let images =
            outside.read(Call::new("cloud", "images"), outside.ports.cloud.images(&self.setup.images));
        let template = outside.ports.cloud.template_exists(&service.launch.template);
        let template = outside.read(Call::new("cloud", "template_exists"), template);
        let (images, template, instances, targets, weights) = tokio::join!(
            images,
            template,
            observe::instances(outside, service),
            observe::targets(outside, groups),
            observe::weights(outside, service),
        );
        let unread = |error: crate::ports::CallError| Refusal::CannotSee { what: error.what };
        let targets = targets.into_iter().map(|(group, reading)| Ok((group, seen(reading)?)));
        // What EC2 says of credentials comes first. No group is in two forwards.
        let instances = seen(instances)?;
        let weights = weights.into_values().map(seen).collect::<Result<Vec<_>, _>>()?;
        Ok(Sight {
            images: images.map_err(unread)?,
            has_template: template.map_err(unread)?,
            instances,
            targets: targets.collect::<Result<_, Refusal>>()?,
            weights: weights.into_iter().flatten().collect(),
        })
    }
}

/// The release that a request of this key began before.
fn begun_as(key: Option<&RequestKey>, history: &ServiceState) -> Result<Option<ReleaseId>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    match history.requests.get(&key.key) {
        None => Ok(None),
        Some((digest, release)) if *digest == key.digest => Ok(Some(release.clone())),
        Some(_) => Err(Refusal::KeyReused { key: key.key.clone() }),
    }
}

pub(super) fn seen<T>(reading: Reading<T>) -> Result<T, Refusal> {
    match reading {
        Reading::Known { value, .. } => Ok(value),
        Reading::Unknown(why) => Err(Refusal::CannotSee { what: why.to_string() }),
    }
}
