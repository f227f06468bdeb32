//! Taking in running servers that Segue did not launch: a plan that is shown, and what is done once it was
//! confirmed. It is tags and nothing else; no server notices.
//!
//! Guarantees: what is done is what was shown; never while a release is on; the intent is in the journal before
//! a tag is written, and the end after.
//!
//! If killed here: the next desk takes an adoption without an end up again, before anything else is done for the
//! service. It looks at the servers anew and writes the tags that are missing. Where that cannot be done any
//! more it says so in the journal, and whoever asks again begins with what is there.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use segue_domain::adoption::{
    AdoptionFacts, AdoptionPlan, AdoptionRequest, Rest, candidates, plan, plan_rest,
};
use segue_domain::app::AppStatus;
use segue_domain::effect::{Done, Outcome};
use segue_domain::event::{ServiceEvent, Taken};
use segue_domain::ids::{GroupArn, InstanceId, Version};
use segue_domain::instance::InstanceState;
use segue_domain::reading::Reading;
use segue_domain::refusal::Refusal;
use segue_domain::service_state::{Adoption, ServiceState};
use segue_domain::stranger::{Stranger, tags_of};
use segue_domain::target::Targets;
use segue_journal::Append;

use super::Desk;
use super::book::ServiceBook;
use super::start::seen;
use crate::observe;
use crate::outside::Call;
use crate::pen::By;
use crate::ports::{CallError, Class, Target, chain};
use crate::retry::Repeat::KnownById;

const STRANGERS: Call = Call::new("cloud", "strangers");
const TAG: Call = Call::new("cloud", "tag");
/// Servers that are asked for their version at once.
const AT_ONCE: usize = 32;

/// What became of a request to adopt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Those that were to be taken in.
    pub servers: BTreeMap<InstanceId, Taken>,
    pub end: AdoptionEnd,
}

/// How an adoption ended, as far as anybody can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdoptionEnd {
    /// There was nothing left to do.
    FoundDone,
    Did,
    /// Some tags may have been written: whoever asks again goes on from there.
    Unknown(String),
}

/// What was read for a plan.
struct Sight {
    targets: BTreeMap<GroupArn, Targets>,
    servers: BTreeMap<InstanceId, Stranger>,
    apps: BTreeMap<InstanceId, Reading<AppStatus>>,
}

impl Desk {
    /// What would be done; nothing is.
    pub(crate) async fn plan_adoption(&self, request: &AdoptionRequest) -> Result<AdoptionPlan, Refusal> {
        let history = self.history();
        self.adoption(request, &history).await
    }

    /// Takes in what was shown, or says why not. Asked again, it finds it done.
    pub(crate) async fn adopt(
        &self,
        request: &AdoptionRequest,
        digest: &str,
        by: &By,
    ) -> Result<Adopted, Refusal> {
        if let Some(what) = self.trouble() {
            return Err(Refusal::CannotSee { what });
        }
        let mut book = self.book.lock().await;
        self.settle_adoption(&mut book).await?;
        let plan = self.adoption(request, &book.state).await?;
        let before = book.state.adopted_as(digest).map(|adoption| adoption.servers.clone());
        match (plan.is_done(), plan.digest() == digest, before) {
            (false, true, _) => self.take_in(&mut book, plan, by).await,
            (true, _, before) => {
                Ok(Adopted { servers: before.unwrap_or_default(), end: AdoptionEnd::FoundDone })
            }
            // The others came later. Where one of its own is left to be taken in, it is not done.
            (false, false, Some(servers)) if plan.servers.keys().all(|id| !servers.contains_key(id)) => {
                Ok(Adopted { servers, end: AdoptionEnd::FoundDone })
            }
            (false, false, Some(_) | None) => Err(Refusal::AdoptionChanged { service: plan.service }),
        }
    }

    async fn take_in(&self, book: &mut ServiceBook, plan: AdoptionPlan, by: &By) -> Result<Adopted, Refusal> {
        let (number, digest) = (book.state.next_adoption(), plan.digest());
        let servers = taken(plan);
        let began = ServiceEvent::AdoptionBegan { number, servers: servers.clone(), digest };
        self.record(book, by, began).await?;
        let outcome = self.write_tags(&servers).await;
        let ended = ServiceEvent::AdoptionEnded { number, outcome: outcome.clone() };
        self.record(book, &By::engine(), ended).await?;
        match outcome {
            Outcome::Done(_) => Ok(Adopted { servers, end: AdoptionEnd::Did }),
            Outcome::Refused(why) => Err(Refusal::TagsRefused { why }),
            Outcome::Unknown(why) => Ok(Adopted { servers, end: AdoptionEnd::Unknown(why) }),
        }
    }

    /// Ends an adoption of which a daemon that is gone did not see the end.
    pub(super) async fn settle_adoption(&self, book: &mut ServiceBook) -> Result<(), Refusal> {
        let Some(begun) = book.state.open_adoption().cloned() else { return Ok(()) };
        tracing::warn!(adoption = begun.number, "an adoption was cut off; it is ended now");
        let outcome = self.rest_of(&begun).await?;
        let ended = ServiceEvent::AdoptionEnded { number: begun.number, outcome };
        self.record(book, &By::engine(), ended).await
    }

    /// The same, when nobody asks for anything.
    pub(super) async fn end_adoption(&self) {
        if self.history.borrow().open_adoption().is_none() {
            return;
        }
        let mut book = self.book.lock().await;
        if let Err(error) = self.settle_adoption(&mut book).await {
            tracing::warn!(error = chain(&error), "an adoption that was cut off cannot be ended yet");
        }
    }

    async fn rest_of(&self, begun: &Adoption) -> Result<Outcome, Refusal> {
        let sight = self.adoption_sight(|_| begun.servers.keys().cloned().collect()).await?;
        let history = self.history();
        match plan_rest(begun, &self.facts(&sight, &history)) {
            // Before it was cut off a tag may have been written: a refusal now does not say that nothing was.
            Ok(Rest { plan, away }) => Ok(match self.write_tags(&taken(plan)).await {
                Outcome::Done(_) if !away.is_empty() => {
                    let away: Vec<&str> = away.iter().map(InstanceId::as_str).collect();
                    Outcome::Unknown(format!("it was cut off, and not running now: {}", away.join(", ")))
                }
                Outcome::Refused(why) => Outcome::Unknown(why),
                outcome @ (Outcome::Done(_) | Outcome::Unknown(_)) => outcome,
            }),
            Err(unfit) => Ok(Outcome::Unknown(format!("it was cut off, and now {unfit}"))),
        }
    }

    async fn adoption(
        &self,
        request: &AdoptionRequest,
        history: &ServiceState,
    ) -> Result<AdoptionPlan, Refusal> {
        // Said before anything is read: it is the most common refusal.
        if let Some(active) = history.active() {
            return Err(Refusal::ReleaseActive { active: active.release.clone() });
        }
        let service = &self.setup.service;
        let sight = self.adoption_sight(|targets| candidates(request, service, targets)).await?;
        plan(request, &self.facts(&sight, history))
    }

    fn facts<'a>(&'a self, sight: &'a Sight, history: &'a ServiceState) -> AdoptionFacts<'a> {
        AdoptionFacts {
            service: &self.setup.service,
            targets: &sight.targets,
            servers: &sight.servers,
            apps: &sight.apps,
            history,
        }
    }

    /// Reads what a plan needs of the servers that are chosen once it is known who is registered.
    async fn adoption_sight(
        &self,
        choose: impl FnOnce(&BTreeMap<GroupArn, Targets>) -> BTreeSet<InstanceId>,
    ) -> Result<Sight, Refusal> {
        let (routing, outside) = (&self.setup.service.routing, &self.outside);
        let groups = routing.forwarded().chain(routing.slot_groups()).cloned().collect();
        let targets = observe::targets(outside, groups).await;
        let targets = targets.into_iter().map(|(group, reading)| Ok((group, seen(reading)?)));
        let targets = targets.collect::<Result<_, Refusal>>()?;
        let chosen = choose(&targets);
        let servers = outside.read(STRANGERS, outside.ports.cloud.strangers(&chosen)).await;
        let servers = servers.map_err(|error| Refusal::CannotSee { what: error.what })?;
        let apps = self.ask_each(&servers).await;
        Ok(Sight { targets, servers, apps })
    }

    /// What each that runs says of itself.
    async fn ask_each(
        &self,
        servers: &BTreeMap<InstanceId, Stranger>,
    ) -> BTreeMap<InstanceId, Reading<AppStatus>> {
        let generation = self.outside.term.epoch();
        let running = servers.values().filter(|it| it.state == InstanceState::Running);
        let targets = running.filter_map(|it| {
            let address = it.address.clone()?;
            Some(Target { instance: it.id.clone(), address, generation })
        });
        // Collected before anything waits: no borrowed closure lives across an await.
        let readings: Vec<_> = targets.map(|at| self.ask_one(at)).collect();
        stream::iter(readings).buffer_unordered(AT_ONCE).collect().await
    }

    async fn ask_one(&self, at: Target) -> (InstanceId, Reading<AppStatus>) {
        let status = observe::status_at(&self.outside, &at).await;
        if let Some(status) = status.known() {
            self.outside.term.saw_generation(status.generation);
        }
        (at.instance, status)
    }

    /// One call for each version. What a call that failed left behind is judged together with those before it.
    async fn write_tags(&self, servers: &BTreeMap<InstanceId, Taken>) -> Outcome {
        let mut by_version: BTreeMap<&Version, Vec<InstanceId>> = BTreeMap::new();
        for (id, taken) in servers {
            by_version.entry(&taken.version).or_default().push(id.clone());
        }
        let cloud = &self.outside.ports.cloud;
        let mut is_begun = false;
        for (version, ids) in by_version {
            let tags = tags_of(&self.setup.service.name, version);
            // Tags that are there already may be written again.
            match self.outside.write(TAG, KnownById, || cloud.tag(&ids, &tags)).await {
                Ok(()) => is_begun = true,
                Err(CallError { class: Class::Refused, what }) if !is_begun => return Outcome::Refused(what),
                Err(error) => return Outcome::Unknown(error.what),
            }
        }
        Outcome::Done(Done::Nothing)
    }

    async fn record(&self, book: &mut ServiceBook, by: &By, event: ServiceEvent) -> Result<(), Refusal> {
        let (at, events) = (self.pen.clock.now(), [event]);
        let append = Append { streams: vec![book.part(at, by, &events)], outbox: Vec::new() };
        let written = self.pen.write(&append).await;
        let written = written.map_err(|error| Refusal::NotServed { why: error.to_string() })?;
        book.applied(at, &events);
        self.history.send_replace(book.state.clone());
        self.pen.herald.tell(written);
        Ok(())
    }
}

fn taken(plan: AdoptionPlan) -> BTreeMap<InstanceId, Taken> {
    let servers = plan.servers.into_iter();
    servers.map(|(id, it)| (id, Taken { version: it.version, known_by: it.known_by })).collect()
}
