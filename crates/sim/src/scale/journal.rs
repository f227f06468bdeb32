//! The journal of the large world: the real codec, in memory, counted; and the court that hears every record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::event::Event;
use segue_domain::fold::fold;
use segue_domain::state::ReleaseState;
use segue_engine::fakes::Law;
use segue_journal::{
    AcquireError, Append, AppendError, Appended, Claim, Holder, JournalId, Lease, MemoryStore, Newest,
    OutboxError, OutboxId, Owner, Page, ReadError, Reader, Record, RenewError, Scope, Settled, Store, Stream,
    StreamEnd,
};
use serde::Serialize;
use tokio::time::sleep;

use super::world::World;
use crate::laws::Court;

/// One commit of a database in the same region.
const COMMIT: Duration = Duration::from_millis(5);
/// A release of so many records would be one that turns in a circle: a few for each server, and two for each wave.
const RECORDS_MAX: u64 = 100_000;

/// How much was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    pub appends: u64,
    pub records: u64,
    pub bytes: u64,
    pub largest_record_bytes: u64,
}

/// A journal that is counted.
pub(super) struct Counted {
    store: MemoryStore,
    heard: Mutex<Heard>,
    /// Tells an append: when, and what.
    tell: Option<fn(u64, &[Record])>,
}

struct Heard {
    state: Option<ReleaseState>,
    court: Court,
    written: Written,
}

impl Counted {
    pub(super) fn new(world: &World, tell: Option<fn(u64, &[Record])>) -> Self {
        let clock = world.clone();
        let store = MemoryStore::new(Arc::new(move || segue_engine::ports::Clock::now(&clock)));
        let court = Court::new(Arc::new(world.clone()), RECORDS_MAX);
        Self { store, heard: Mutex::new(Heard { state: None, court, written: Written::default() }), tell }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn written(&self) -> Written {
        self.heard().written
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.heard().court.violations()
    }

    /// S21: everything is read once more, verified, and folded to what is known.
    pub(super) async fn audit(&self, stream: &Stream) {
        let records = self.store.read(stream, 0).await;
        let folded = records.map_err(|error| error.to_string()).and_then(|records| {
            let events = records.iter().filter_map(|record| Some((record.at, record.fact.release()?)));
            fold(events).map_err(|error| error.to_string())
        });
        let mut heard = self.heard();
        match folded {
            Ok(state) if state == heard.state => {}
            Ok(_) => heard.court.convict(Law::Audit, "it folds to something else"),
            Err(error) => heard.court.convict(Law::Audit, &error),
        }
    }
}

impl Heard {
    fn hear(&mut self, record: &Record) {
        let bytes = u64::try_from(record.line().len()).unwrap_or(u64::MAX);
        self.written.records += 1;
        self.written.bytes += bytes;
        self.written.largest_record_bytes = self.written.largest_record_bytes.max(bytes);
        let Some(event) = record.fact.release() else { return self.court.hear_service(record) };
        self.court.hear_release(self.state.as_ref(), record, event);
        let folds = match (&mut self.state, event) {
            (Some(state), _) => state.apply(record.at, event).is_ok(),
            (None, Event::Planned(plan)) => {
                self.state = Some(ReleaseState::planned(plan.as_ref().clone(), record.at));
                true
            }
            (None, _) => false,
        };
        if !folds {
            self.court.convict(Law::Audit, &format!("it does not fold at {}", record.seq));
        }
    }
}

#[async_trait]
impl Reader for Counted {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        self.store.page(stream, after_seq).await
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
impl Store for Counted {
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
        self.store.acquire_above(scope, owner, ttl, floor).await
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError> {
        self.store.renew(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), RenewError> {
        self.store.release(lease).await
    }

    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError> {
        sleep(COMMIT).await;
        let appended = self.store.append(lease, append).await?;
        let mut heard = self.heard();
        heard.written.appends += 1;
        appended.records.iter().for_each(|record| heard.hear(record));
        if let Some(tell) = self.tell {
            tell(heard.court.elapsed_ms(), &appended.records);
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
