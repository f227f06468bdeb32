//! The journal of one run. Whatever is appended is told at once: to the people, who wait for it, and to the court,
//! which looks whether a law was broken. Nobody else has to read it, and reading is dear: every record is verified.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::decision::Cause;
use segue_domain::effect::{Effect, Intent};
use segue_domain::event::{Event, ServiceEvent};
use segue_domain::fold;
use segue_domain::ids::ReleaseId;
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;
use segue_engine::fakes::{FakeWorld, Law};
use segue_journal::{
    About, AcquireError, Append, AppendError, Appended, Claim, Holder, JournalId, Lease, MemoryStore, Newest,
    OutboxError, OutboxId, Owner, Page, ReadError, Reader, Record, RenewError, Scope, Settled, Store, Stream,
    StreamAppend, StreamEnd,
};
use tokio::sync::watch;

use crate::bug::{Bug, Bugs};
use crate::laws::{Court, RECORDS_MAX};
use crate::run::Watchers;

/// What the journal says of every release.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) releases: BTreeMap<ReleaseId, Arc<ReleaseState>>,
    /// Steps that were entered, over all releases.
    pub(crate) steps: u32,
    /// It goes on for ever: nobody need look at it any longer.
    pub(crate) is_endless: bool,
}

/// The journal, as all daemons of a run share it.
pub(crate) struct Telling {
    store: MemoryStore,
    told: watch::Sender<Told>,
    court: Mutex<Court>,
    bugs: Bugs,
    /// The last lease that was given to anybody.
    newest: Mutex<Option<Lease>>,
    watchers: Watchers,
    world: FakeWorld,
}

impl Telling {
    pub(crate) fn new(world: &FakeWorld, bugs: Bugs, watchers: Watchers, clocks_apart: Duration) -> Self {
        let court = Court::new(Arc::new(world.clone()), RECORDS_MAX);
        Self {
            store: world.store(),
            told: watch::Sender::new(Told::default()),
            court: Mutex::new(court.with_clocks_apart(clocks_apart)),
            bugs,
            newest: Mutex::new(None),
            watchers,
            world: world.clone(),
        }
    }

    pub(crate) fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    pub(crate) fn court(&self) -> MutexGuard<'_, Court> {
        self.court.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the effect of an intent that is in flight is one of these.
    pub(crate) fn is_intended(&self, is_it: impl Fn(&segue_domain::effect::Effect) -> bool) -> bool {
        let told = self.told.borrow();
        told.releases.values().any(|state| state.in_flight().any(|(_, record)| is_it(&record.effect)))
    }

    /// Reads the journal once more, whole: every record's chain is verified.
    pub(crate) async fn read(&self) -> BTreeMap<String, ReleaseState> {
        let mut releases = BTreeMap::new();
        for end in self.store.streams("").await.expect("the journal is whole") {
            let records = match self.store.read(&end.stream, 0).await {
                Ok(records) => records,
                Err(error) => {
                    self.court().convict(Law::Audit, &format!("{} cannot be read: {error}", end.stream));
                    continue;
                }
            };
            // A service's own has nothing to fold to.
            let About::Release(_) = end.stream.about() else { continue };
            let events = records.iter().filter_map(|record| Some((record.at, record.fact.release()?)));
            match fold(events) {
                Ok(state) => releases.extend(state.map(|it| (it.plan.release.to_string(), it))),
                Err(error) => {
                    self.court().convict(Law::Audit, &format!("{} does not fold: {error}", end.stream));
                }
            }
        }
        releases
    }

    fn take(&self, record: &Record) {
        self.watchers.record(self.world.elapsed_ms(), record);
        match record.stream.about() {
            About::Release(release) => self.take_of_release(release, record),
            About::Service(_) => self.court().hear_service(record),
        }
    }

    fn take_of_release(&self, release: &ReleaseId, record: &Record) {
        let Some(event) = record.fact.release() else { return };
        let before = self.told.borrow().releases.get(release).cloned();
        let after = folded(before.as_deref(), record, event);
        self.court().hear_release(before.as_deref(), record, event);
        let Some(after) = after else {
            return self.court().convict(Law::Audit, &format!("{release} does not fold at {}", record.seq));
        };
        if let Event::Planned(plan) = event {
            self.world.expect_floor(plan.floor);
            self.world.expect_besides(&plan.release, plan.spares.iter().chain(&plan.takeover).cloned());
        }
        if let Event::Intended(Intent { attempt: 1, effect: Effect::Move(effect), .. }) = event {
            let sides = after.blue.union(&after.green()).cloned().collect();
            self.world.expect_moves(effect, sides);
        }
        let is_step = matches!(event, Event::StepEntered { .. });
        let is_endless = self.court().is_endless();
        self.told.send_modify(|told| {
            told.steps += u32::from(is_step);
            told.is_endless |= is_endless;
            told.releases.insert(release.clone(), Arc::new(after));
        });
    }

    /// The append as it would be if nobody looked where its streams end, or if an abort were no more than a word.
    async fn mistaken(&self, append: &Append) -> Append {
        let mut append = append.clone();
        if self.bugs.has(Bug::AbortIgnored) {
            append.streams.iter_mut().for_each(|part| self.leave_the_way_back_out(part));
        }
        if self.bugs.has(Bug::Unplaced) {
            for part in &mut append.streams {
                let ends = self.store.streams(part.stream.as_str()).await.unwrap_or_default();
                let end = ends.into_iter().find(|end| end.stream == part.stream);
                part.expected_seq = end.map_or(0, |end| end.seq);
            }
        }
        append
    }

    /// Of an abort after blue was closed.
    fn leave_the_way_back_out(&self, part: &mut StreamAppend) {
        let About::Release(release) = part.stream.about() else { return };
        let told = self.told.borrow();
        if told.releases.get(release).is_some_and(|state| state.was_entered(Step::Close)) {
            let is_abort =
                |event: &Event| matches!(event, Event::WayBackBegan { cause: Cause::AbortedBy(_) });
            part.records.retain(|record| !record.fact.release().is_some_and(is_abort));
        }
    }

    fn keep(&self, lease: &Lease) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease.clone());
    }
}

fn folded(before: Option<&ReleaseState>, record: &Record, event: &Event) -> Option<ReleaseState> {
    match before {
        Some(before) => {
            let mut state = before.clone();
            state.apply(record.at, event).ok().map(|()| state)
        }
        None => fold([(record.at, event)]).ok().flatten(),
    }
}

/// The page up to where a release began that has not ended.
fn without_who_is_on(mut page: Page) -> Page {
    let began = |record: &Record| matches!(record.fact.service(), Some(ServiceEvent::Began { .. }));
    let finished = |record: &Record| matches!(record.fact.service(), Some(ServiceEvent::Finished { .. }));
    let last = page.records.iter().rposition(|record| began(record) || finished(record));
    if let Some(last) = last.filter(|last| page.records.get(*last).is_some_and(began)) {
        page.end_seq = page.records.get(last).map_or(0, |record| record.seq.saturating_sub(1));
        page.records.truncate(last);
    }
    page
}

#[async_trait]
impl Reader for Telling {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        let page = self.store.page(stream, after_seq).await?;
        Ok(if self.bugs.has(Bug::ReleaseHidden) { without_who_is_on(page) } else { page })
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        self.store.streams(prefix).await
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        self.store.newest().await
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        self.store.holder(scope).await
    }
}

#[async_trait]
impl Store for Telling {
    fn journal_id(&self) -> JournalId {
        self.store.journal_id()
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.store.reader()
    }

    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError> {
        let lease = self.store.acquire_above(scope, owner, ttl, floor).await?;
        self.keep(&lease);
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError> {
        let renewed = self.store.renew(lease).await?;
        self.keep(&renewed);
        Ok(renewed)
    }

    async fn release(&self, lease: &Lease) -> Result<(), RenewError> {
        self.store.release(lease).await
    }

    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let epoch = newest.as_ref().map_or(0, Lease::epoch);
        let under = self.bugs.lease_to_append_under(lease, newest);
        let appended = match self.bugs.is_empty() {
            true => self.store.append(&under, append).await?,
            false => self.store.append(&under, &self.mistaken(append).await).await?,
        };
        if lease.epoch() < epoch {
            let what = format!("epoch {} appended when {epoch} was given", lease.epoch());
            self.court().convict(Law::OneChain, &what);
        }
        for record in &appended.records {
            self.take(record);
        }
        Ok(appended)
    }

    async fn claim_outbox(
        &self,
        lease: &Lease,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Claim>, OutboxError> {
        self.store.claim_outbox(lease, limit, hold).await
    }

    async fn settle_outbox(&self, lease: &Lease, settled: &[(OutboxId, Settled)]) -> Result<(), OutboxError> {
        self.store.settle_outbox(lease, settled).await
    }
}
