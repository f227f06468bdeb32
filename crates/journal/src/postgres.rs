//! The journal in a PostgreSQL database: for several machines.
//!
//! Every call is one transaction over one connection, within a limit; every commit waits for the disk. One
//! connection appends, one keeps the lease, so that a renewal never waits behind a long append, one reads for the
//! engine, and one for everybody else, so that nobody who takes over waits behind pages that are looked at.
//! The lease is a row: no connection holds it, and none that is lost takes it along.
//!
//! Deliberately absent: poolers that give each transaction another connection (its statements are prepared),
//! and reading from a server that follows another one, which may be behind.

mod line;
mod open;
mod outbox;
mod page;
mod sql;
mod transaction;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::append::{self, Append, AppendError, Appended};
use crate::lease::{self, AcquireError, Holder, Lease, LeaseRow, Owner, RenewError, Scope};
use crate::moment::Moment;
use crate::outbox::{Claim, OutboxError, OutboxId, Settled};
use crate::read::{self, Newest, Page, ReadError, StreamEnd};
use crate::record::Record;
use crate::store::{JournalId, Reader, Store};
use crate::stream::Stream;
use line::{Failed, Line};
use transaction::{FoundLease, Transaction};

/// The number of the database's layout that this version makes. It opens this and every lower one.
pub const LAYOUT: u32 = open::LAYOUT;

/// A journal in a database. Clones share its connections.
#[derive(Clone)]
pub struct PostgresStore {
    writer: Line,
    /// Of the lease.
    keeper: Line,
    reader: PostgresReader,
    /// For those who only read: many at once stand in a row, and whoever takes over stands in another.
    visitors: PostgresReader,
    id: JournalId,
}

/// A journal in a database that is only read: for an operator beside a daemon, or after one.
#[derive(Clone)]
pub struct PostgresReader {
    line: Line,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl fmt::Debug for PostgresReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresReader").finish_non_exhaustive()
    }
}

#[async_trait]
impl Reader for PostgresReader {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        let raw = page::page(&self.line, stream, after_seq).await.map_err(page::unavailable)?;
        read::verify(stream, after_seq, raw)
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        page::streams(&self.line, prefix).await
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        page::newest(&self.line).await
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        page::holder(&self.line, scope).await.map_err(page::unavailable)
    }
}

#[async_trait]
impl Reader for PostgresStore {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        self.reader.page(stream, after_seq).await
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        self.reader.streams(prefix).await
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        self.reader.newest().await
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        self.reader.holder(scope).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn journal_id(&self) -> JournalId {
        self.id
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.visitors.clone())
    }

    async fn close(&self) {
        let Self { writer, keeper, reader, visitors, id: _ } = self;
        tokio::join!(writer.close(), keeper.close(), reader.line.close(), visitors.line.close());
    }

    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError> {
        let unavailable = |failed: Failed| AcquireError::Unavailable(failed.into());
        // Who waits asks every second: without a lock, so that the holder never waits for who waits.
        let seen = page::lease(&self.keeper, scope).await.map_err(unavailable)?;
        lease::grant(seen.row.as_ref(), scope, owner, seen.now_ms, ttl, floor)?;
        let asked_at = Moment::now();
        let mut transaction = Transaction::begin(&self.keeper).await.map_err(unavailable)?;
        let found = transaction.lease_or_new(scope).await.map_err(unavailable)?;
        match lease::grant(found.row.as_ref(), scope, owner, found.now_ms, ttl, floor) {
            Ok(row) => {
                put(transaction, scope, &row).await.map_err(unavailable)?;
                Ok(Lease::granted(scope, owner, row.epoch, ttl, asked_at))
            }
            Err(refused) => {
                transaction.give_up().await;
                Err(refused)
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError> {
        let asked_at = Moment::now();
        self.change(lease, lease::extend).await?;
        Ok(lease.renewed(asked_at))
    }

    async fn release(&self, lease: &Lease) -> Result<(), RenewError> {
        self.change(lease, lease::give_back).await
    }

    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError> {
        append::check(append)?;
        let mut transaction = Transaction::begin(&self.writer).await.map_err(nothing_taken)?;
        match write(&mut transaction, lease, append).await {
            Ok(records) => {
                transaction.commit().await.map_err(|failed| AppendError::OutcomeUnknown(failed.into()))?;
                Ok(Appended { records })
            }
            Err(refused) => {
                // A connection that did not answer is not asked for more; it is closed.
                if !matches!(refused, AppendError::Unavailable(_)) {
                    transaction.give_up().await;
                }
                Err(refused)
            }
        }
    }

    async fn claim_outbox(
        &self,
        lease: &Lease,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Claim>, OutboxError> {
        outbox::claim(&self.writer, lease, limit, hold).await
    }

    async fn settle_outbox(&self, lease: &Lease, settled: &[(OutboxId, Settled)]) -> Result<(), OutboxError> {
        outbox::settle(&self.writer, lease, settled).await
    }
}

impl PostgresStore {
    /// Changes the lease's row by a rule, under its lock.
    async fn change(&self, lease: &Lease, rule: lease::Rule) -> Result<(), RenewError> {
        let unavailable = |failed: Failed| RenewError::Unavailable(failed.into());
        let mut transaction = Transaction::begin(&self.keeper).await.map_err(unavailable)?;
        let found: FoundLease = transaction.lease(lease.scope()).await.map_err(unavailable)?;
        match rule(found.row.as_ref(), lease, found.now_ms) {
            Ok(row) => put(transaction, lease.scope(), &row).await.map_err(unavailable),
            Err(lost) => {
                transaction.give_up().await;
                Err(lost)
            }
        }
    }
}

async fn put(mut transaction: Transaction, scope: &Scope, row: &LeaseRow) -> Result<(), Failed> {
    transaction.put_lease(scope, row).await?;
    transaction.commit().await
}

/// Everything of an append but its commit.
async fn write(
    transaction: &mut Transaction,
    lease: &Lease,
    append: &Append,
) -> Result<Vec<Record>, AppendError> {
    let found = transaction.lease(lease.scope()).await.map_err(nothing_taken)?;
    lease::held(found.row.as_ref(), lease).map_err(|stale| append::fenced(lease, stale))?;
    let mut records = Vec::new();
    for part in &append.streams {
        let head = transaction.head(&part.stream).await.map_err(nothing_taken)?;
        let sealed = append::seal_all(part, head, lease.epoch())?;
        transaction.put_records(&sealed).await.map_err(nothing_taken)?;
        records.extend(sealed);
    }
    transaction.put_outbox(&append.outbox, found.now_ms).await.map_err(nothing_taken)?;
    Ok(records)
}

fn nothing_taken(failed: Failed) -> AppendError {
    AppendError::Unavailable(failed.into())
}
