//! Taking in running servers that Segue did not launch: a plan that is shown, and what is done once it was
//! confirmed. It is tags and nothing else; no server notices.
//!
//! Guarantees: what is done is what was shown; never while a release is on; the intent is in the journal before
//! a tag is written, and the end after. Servers are read before the service's book is taken, so that nobody waits
//! for them, and again where the history went on meanwhile.
//!
//! If killed here: the next desk takes an adoption without an end up again, before anything else is done for the
//! service. It looks at the servers anew and writes the tags that are missing. Where that cannot be done any
//! more it says so in the journal, and whoever asks again begins with what is there.

mod sight;

use std::collections::BTreeMap;

use segue_domain::adoption::{
    AdoptionFacts, AdoptionPlan, AdoptionRequest, Rest, candidates, plan, plan_rest,
};
use segue_domain::basis::Basis;
use segue_domain::effect::{Done, Outcome};
use segue_domain::event::{ServiceEvent, Taken};
use segue_domain::ids::{InstanceId, Version};
use segue_domain::refusal::Refusal;
use segue_domain::service_state::{Adoption, ServiceState};
use segue_domain::stranger::tags_of;
use segue_journal::Append;

use super::Desk;
use super::book::ServiceBook;
use crate::ask::AskError;
use crate::outside::Call;
use crate::pen::By;
use crate::ports::{Class, chain};
use crate::retry::Repeat::KnownById;

use sight::Sight;

const TAG: Call = Call::new("cloud", "tag");
/// How often servers are looked at anew because what was seen of them is old.
const LOOKS_MAX: u32 = 3;
/// Servers that one call tags, as many as one request names: a try that failed repeats no more than that.
const TAGGED_AT_ONCE: usize = 100;

/// The plan that somebody saw and said yes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub basis: Basis,
    /// Of those facts; the journal keeps it, so that the same yes is known again.
    pub digest: String,
}

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

/// An adoption that a daemon began and did not end.
struct CutOff {
    begun: Adoption,
    sight: Sight,
}

impl Desk {
    /// What would be done; nothing is.
    pub(crate) async fn plan_adoption(&self, request: &AdoptionRequest) -> Result<AdoptionPlan, Refusal> {
        let history = self.history();
        let sight = self.sight_for(request, &history).await?;
        plan(request, &self.facts(&sight, &history))
    }

    /// Takes in what was shown, or says why not. Asked again, it finds it done.
    pub(crate) async fn adopt(
        &self,
        request: &AdoptionRequest,
        shown: &Shown,
        by: &By,
    ) -> Result<Adopted, AskError> {
        if let Some(what) = self.trouble() {
            return Err(Refusal::CannotSee { what }.into());
        }
        let _place = self.queue()?;
        for _ in 0..LOOKS_MAX {
            self.settle_adoption().await?;
            let history = self.history();
            let sight = self.sight_for(request, &history).await?;
            let mut book = self.book.lock().await;
            // Whoever had the book meanwhile may have written tags, or begun a release: what was seen is old.
            if book.state == history && book.state.open_adoption().is_none() && sight.is_fresh() {
                let plan = plan(request, &self.facts(&sight, &book.state))?;
                self.heed_generations(&sight, plan.servers.keys());
                return self.agreed(&mut book, plan, shown, by).await;
            }
        }
        let why = "each time its servers were looked at, much had happened before it could go on".to_owned();
        Err(Refusal::NotServed { why }.into())
    }

    async fn agreed(
        &self,
        book: &mut ServiceBook,
        plan: AdoptionPlan,
        shown: &Shown,
        by: &By,
    ) -> Result<Adopted, AskError> {
        let differences = shown.basis.differences(&plan.basis());
        let before = book.state.adopted_as(&shown.digest).map(|adoption| adoption.servers.clone());
        match (plan.is_done(), differences.is_empty(), before) {
            (false, true, _) => self.take_in(book, plan, shown.digest.clone(), by).await,
            (true, _, Some(servers)) => Ok(Adopted { servers, end: AdoptionEnd::FoundDone }),
            (true, true, None) => Ok(Adopted { servers: BTreeMap::new(), end: AdoptionEnd::FoundDone }),
            // The others came later. Where one of its own is left to be taken in, it is not done.
            (false, false, Some(servers)) if plan.servers.keys().all(|id| !servers.contains_key(id)) => {
                Ok(Adopted { servers, end: AdoptionEnd::FoundDone })
            }
            // Nothing of it was done for this yes, whoever did it or took the servers away.
            (true, false, None) | (false, false, Some(_) | None) => {
                Err(Refusal::AdoptionChanged { service: plan.service, differences }.into())
            }
        }
    }

    async fn take_in(
        &self,
        book: &mut ServiceBook,
        plan: AdoptionPlan,
        digest: String,
        by: &By,
    ) -> Result<Adopted, AskError> {
        let number = book.state.next_adoption();
        let servers = taken(plan);
        let began = ServiceEvent::AdoptionBegan { number, servers: servers.clone(), digest };
        self.record(book, by, began).await?;
        let outcome = self.write_tags(&servers).await;
        let ended = ServiceEvent::AdoptionEnded { number, outcome: outcome.clone() };
        if let Err(error) = self.record(book, &By::engine(), ended).await {
            // The tags are written all the same, and the next desk goes on from there.
            let end = AdoptionEnd::Unknown(format!("its end is not in the journal: {}", chain(&error)));
            return Ok(Adopted { servers, end });
        }
        match outcome {
            Outcome::Done(_) => Ok(Adopted { servers, end: AdoptionEnd::Did }),
            Outcome::Refused { why, .. } => Err(Refusal::TagsRefused { why }.into()),
            Outcome::Unknown(why) => Ok(Adopted { servers, end: AdoptionEnd::Unknown(why) }),
        }
    }

    /// Ends an adoption of which a daemon that is gone did not see the end.
    pub(super) async fn settle_adoption(&self) -> Result<(), AskError> {
        match self.cut_off().await? {
            Some(cut_off) => self.end_cut_off(cut_off).await,
            None => Ok(()),
        }
    }

    /// An adoption without an end that nobody carries, and its servers as they are now. May be left off anywhere.
    async fn cut_off(&self) -> Result<Option<CutOff>, Refusal> {
        // Whoever carries one holds the book until its end is written.
        let Some(begun) = self.book.lock().await.state.open_adoption().cloned() else { return Ok(None) };
        let sight = self.adoption_sight(|_| begun.servers.keys().cloned().collect()).await?;
        Ok(Some(CutOff { begun, sight }))
    }

    async fn end_cut_off(&self, cut_off: CutOff) -> Result<(), AskError> {
        let CutOff { begun, sight } = cut_off;
        let mut book = self.book.lock().await;
        // Somebody else may have ended it.
        if book.state.open_adoption() != Some(&begun) {
            return Ok(());
        }
        if !sight.is_fresh() {
            let why = format!("the servers of adoption {} were looked at too long ago", begun.number);
            return Err(Refusal::NotServed { why }.into());
        }
        self.heed_generations(&sight, begun.servers.keys());
        tracing::warn!(adoption = begun.number, "an adoption was cut off; it is ended now");
        let outcome = self.rest_of(&begun, &sight, &book.state).await;
        let ended = ServiceEvent::AdoptionEnded { number: begun.number, outcome };
        self.record(&mut book, &By::engine(), ended).await
    }

    /// The same, when nobody asks for anything. Servers that are slow to answer keep nobody: it looks no longer
    /// than until `is_called`.
    pub(super) async fn end_adoption(&self, is_called: impl Future<Output = ()>) {
        let cut_off = tokio::select! {
            biased;
            () = is_called => return,
            cut_off = self.cut_off() => cut_off,
        };
        let ended = match cut_off {
            Ok(Some(cut_off)) => self.end_cut_off(cut_off).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = ended {
            tracing::warn!(error = chain(&error), "an adoption that was cut off cannot be ended yet");
        }
    }

    /// Only of servers that are this service's from now on: anybody can be asked about.
    fn heed_generations<'a>(&self, sight: &Sight, servers: impl Iterator<Item = &'a InstanceId>) {
        let asked = servers.filter_map(|id| sight.apps.get(id)?.known());
        asked.for_each(|status| self.outside.term.saw_generation(status.generation));
    }

    async fn rest_of(&self, begun: &Adoption, sight: &Sight, history: &ServiceState) -> Outcome {
        match plan_rest(begun, &self.facts(sight, history)) {
            // Before it was cut off a tag may have been written: a refusal now does not say that nothing was.
            Ok(Rest { plan, away }) => match self.write_tags(&taken(plan)).await {
                Outcome::Done(_) if !away.is_empty() => {
                    let away: Vec<&str> = away.iter().map(InstanceId::as_str).collect();
                    Outcome::Unknown(format!("it was cut off, and not running now: {}", away.join(", ")))
                }
                Outcome::Refused { why, .. } => Outcome::Unknown(why),
                outcome @ (Outcome::Done(_) | Outcome::Unknown(_)) => outcome,
            },
            Err(unfit) => Outcome::Unknown(format!("it was cut off, and now {unfit}")),
        }
    }

    async fn sight_for(&self, request: &AdoptionRequest, history: &ServiceState) -> Result<Sight, Refusal> {
        // Said before anything is read: it is the most common refusal.
        if let Some(active) = history.active() {
            return Err(Refusal::ReleaseActive { active: active.release.clone() });
        }
        let service = &self.setup.service;
        self.adoption_sight(|targets| candidates(request, service, targets)).await
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

    /// A call for each hundred of a version. What one that failed left behind is judged together with those before it.
    async fn write_tags(&self, servers: &BTreeMap<InstanceId, Taken>) -> Outcome {
        let mut by_version: BTreeMap<&Version, Vec<InstanceId>> = BTreeMap::new();
        for (id, taken) in servers {
            by_version.entry(&taken.version).or_default().push(id.clone());
        }
        let cloud = &self.outside.ports.cloud;
        let mut is_begun = false;
        let calls = by_version.iter().flat_map(|(version, ids)| {
            let together = ids.chunks(TAGGED_AT_ONCE);
            together.map(move |some| (*version, some))
        });
        let calls: Vec<(&Version, &[InstanceId])> = calls.collect();
        for (version, ids) in calls {
            let tags = tags_of(&self.setup.service.name, version);
            // Tags that are there already may be written again.
            match self.outside.write(TAG, KnownById, || cloud.tag(ids, &tags)).await {
                Ok(()) => is_begun = true,
                Err(error) if error.class == Class::Refused && !is_begun => {
                    return Outcome::refused(error.what);
                }
                Err(error) => return Outcome::Unknown(error.what),
            }
        }
        Outcome::Done(Done::Nothing)
    }

    async fn record(&self, book: &mut ServiceBook, by: &By, event: ServiceEvent) -> Result<(), AskError> {
        let (at, events) = (self.pen.clock.now(), [event]);
        let append = Append { streams: vec![book.part(at, by, &events)], outbox: Vec::new() };
        let written = self.pen.write(&append).await?;
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
