//! The journal in memory, for tests and simulation. It keeps text as a database would, under a clock that
//! is handed in. It has no faults of its own: who wants faults wraps it.

#[cfg(any(test, feature = "contract"))]
mod subject;
mod tables;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::time::Timestamp;

use crate::append::{self, Append, AppendError, Appended};
use crate::lease::{self, AcquireError, Holder, Lease, Owner, RenewError, Scope};
use crate::moment::Moment;
use crate::outbox::{Claim, OutboxError, OutboxId, Settled};
use crate::read::{self, Newest, Page, ReadError, StreamEnd};
use crate::store::{JournalId, Reader, Store};
use crate::stream::Stream;
use tables::Tables;

/// The "database's clock" of a store in memory.
pub type MemoryClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A journal in memory. Clones share it, as two daemons share a database.
#[derive(Clone)]
pub struct MemoryStore {
    clock: MemoryClock,
    tables: Arc<Mutex<Tables>>,
}

impl MemoryStore {
    /// An empty journal whose leases and outbox go by `clock`.
    pub fn new(clock: MemoryClock) -> Self {
        Self { clock, tables: Arc::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing is half-done when a holder panics: each change is computed first and put in at once.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts records in as they are: those of a journal that was written long ago.
    #[cfg(test)]
    pub(crate) fn put(&self, records: &[crate::record::Record]) {
        self.tables().put_records(records);
    }

    fn now_ms(&self) -> i64 {
        (self.clock)().as_ms()
    }

    /// Changes the lease's row by a rule.
    fn change(&self, lease: &Lease, rule: lease::Rule) -> Result<(), RenewError> {
        let now_ms = self.now_ms();
        let mut tables = self.tables();
        let row = rule(tables.lease(lease.scope()), lease, now_ms)?;
        tables.put_lease(lease.scope(), row);
        Ok(())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("tables", &self.tables).finish_non_exhaustive()
    }
}

#[async_trait]
impl Reader for MemoryStore {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        let raw = self.tables().page(stream, after_seq);
        read::verify(stream, after_seq, raw)
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        Ok(self.tables().streams(prefix))
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        Ok(self.tables().newest())
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        let now_ms = self.now_ms();
        Ok(self.tables().lease(scope).and_then(|row| row.holder(now_ms)))
    }
}

#[async_trait]
impl Store for MemoryStore {
    /// Nothing that outlives it remembers it.
    fn journal_id(&self) -> JournalId {
        JournalId(0)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError> {
        let asked_at = Moment::now();
        let now_ms = self.now_ms();
        let mut tables = self.tables();
        let row = lease::grant(tables.lease(scope), scope, owner, now_ms, ttl, floor)?;
        let lease = Lease::granted(scope, owner, row.epoch, ttl, asked_at);
        tables.put_lease(scope, row);
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError> {
        let asked_at = Moment::now();
        self.change(lease, lease::extend)?;
        Ok(lease.renewed(asked_at))
    }

    async fn release(&self, lease: &Lease) -> Result<(), RenewError> {
        self.change(lease, lease::give_back)
    }

    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError> {
        append::check(append)?;
        let now_ms = self.now_ms();
        let mut tables = self.tables();
        lease::held(tables.lease(lease.scope()), lease).map_err(|stale| append::fenced(lease, stale))?;
        let mut records = Vec::new();
        for part in &append.streams {
            records.extend(append::seal_all(part, tables.head(&part.stream), lease.epoch())?);
        }
        tables.put_records(&records);
        tables.put_outbox(&append.outbox, now_ms);
        Ok(Appended { records })
    }

    async fn claim_outbox(
        &self,
        lease: &Lease,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Claim>, OutboxError> {
        let now_ms = self.now_ms();
        let mut tables = self.tables();
        tables.check_outbox(lease)?;
        Ok(tables.claim(limit, now_ms, lease::after(now_ms, hold)))
    }

    async fn settle_outbox(&self, lease: &Lease, settled: &[(OutboxId, Settled)]) -> Result<(), OutboxError> {
        let now_ms = self.now_ms();
        let mut tables = self.tables();
        tables.check_outbox(lease)?;
        tables.settle(settled, now_ms);
        Ok(())
    }
}
