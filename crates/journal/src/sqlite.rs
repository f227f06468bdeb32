//! The journal in one SQLite file: for one machine.
//!
//! Write-ahead log with `synchronous = FULL`: what was acknowledged outlives a power cut, and an approval or
//! a point of no return must. One connection writes; readers have their own and never wait for it.

mod look;
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
use sqlx::SqlitePool;

use crate::append::{self, Append, AppendError, Appended};
use crate::lease::{self, AcquireError, Holder, Lease, Owner, RenewError, Scope};
use crate::moment::Moment;
use crate::outbox::{Claim, OutboxError, OutboxId, Settled};
use crate::read::{self, Newest, Page, ReadError, StreamEnd};
use crate::store::{JournalId, Reader, Store};
use crate::stream::Stream;
use transaction::Transaction;

/// The number of the database's layout that this version makes. It opens this and every lower one.
pub const LAYOUT: u32 = open::LAYOUT;

/// What may be under way with the connections of one kind when the journal is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A journal in a file. Clones share its connections.
#[derive(Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqliteReader,
    id: JournalId,
}

/// A journal in a file that is only read: for an operator beside a daemon, or after one.
#[derive(Clone)]
pub struct SqliteReader {
    pool: SqlitePool,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReader").finish_non_exhaustive()
    }
}

#[async_trait]
impl Reader for SqliteReader {
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError> {
        let raw = page::page(&self.pool, stream, after_seq)
            .await
            .map_err(|error| ReadError::Unavailable(error.into()))?;
        read::verify(stream, after_seq, raw)
    }

    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
        page::streams(&self.pool, prefix).await
    }

    async fn newest(&self) -> Result<Option<Newest>, ReadError> {
        page::newest(&self.pool).await
    }

    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError> {
        page::holder(&self.pool, scope).await.map_err(|error| ReadError::Unavailable(error.into()))
    }
}

#[async_trait]
impl Reader for SqliteStore {
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
impl Store for SqliteStore {
    fn journal_id(&self) -> JournalId {
        self.id
    }

    /// Readers have several connections, and never wait for the writer.
    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.reader.clone())
    }

    /// What was written is in one file afterwards, unless somebody keeps a connection for too long: then it is in the
    /// file and its log, and nothing is lost either.
    async fn close(&self) {
        for pool in [&self.reader.pool, &self.writer] {
            drop(tokio::time::timeout(CLOSE_WITHIN, pool.close()).await);
        }
    }

    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError> {
        let unavailable = |error: sqlx::Error| AcquireError::Unavailable(error.into());
        let asked_at = Moment::now();
        let mut transaction = Transaction::begin(&self.writer).await.map_err(unavailable)?;
        let found = transaction.lease(scope).await.map_err(unavailable)?;
        let row = match lease::grant(found.row.as_ref(), scope, owner, found.now_ms, ttl, floor) {
            Ok(row) => row,
            Err(refused) => {
                // Who waits asks every second.
                transaction.give_up().await;
                return Err(refused);
            }
        };
        transaction.put_lease(scope, &row).await.map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(Lease::granted(scope, owner, row.epoch, ttl, asked_at))
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
        let unavailable = |error: sqlx::Error| AppendError::Unavailable(error.into());
        append::check(append)?;
        // Dropped before its commit, by a refusal or by a caller who gave up, it leaves nothing.
        let mut transaction = Transaction::begin(&self.writer).await.map_err(unavailable)?;
        let found = transaction.lease(lease.scope()).await.map_err(unavailable)?;
        lease::held(found.row.as_ref(), lease).map_err(|stale| append::fenced(lease, stale))?;
        let mut records = Vec::new();
        for part in &append.streams {
            let head = transaction.head(&part.stream).await.map_err(unavailable)?;
            let sealed = append::seal_all(part, head, lease.epoch())?;
            transaction.put_records(&sealed).await.map_err(unavailable)?;
            records.extend(sealed);
        }
        transaction.put_outbox(&append.outbox, found.now_ms).await.map_err(unavailable)?;
        transaction.commit().await.map_err(|error| AppendError::OutcomeUnknown(error.into()))?;
        Ok(Appended { records })
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

impl SqliteStore {
    /// Changes the lease's row by a rule.
    async fn change(&self, lease: &Lease, rule: lease::Rule) -> Result<(), RenewError> {
        let unavailable = |error: sqlx::Error| RenewError::Unavailable(error.into());
        let mut transaction = Transaction::begin(&self.writer).await.map_err(unavailable)?;
        let found = transaction.lease(lease.scope()).await.map_err(unavailable)?;
        match rule(found.row.as_ref(), lease, found.now_ms) {
            Ok(row) => {
                transaction.put_lease(lease.scope(), &row).await.map_err(unavailable)?;
                transaction.commit().await.map_err(unavailable)
            }
            Err(lost) => {
                transaction.give_up().await;
                Err(lost)
            }
        }
    }
}
