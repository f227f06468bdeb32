//! What a journal must be able to do, whatever database keeps it.
//!
//! Deliberately absent: changing or deleting a record, and any retry. A store makes one try.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use async_trait::async_trait;

use crate::append::{Append, AppendError, Appended};
use crate::lease::{AcquireError, Holder, Lease, Owner, RenewError, Scope};
use crate::outbox::{Claim, OutboxError, OutboxId, Settled};
use crate::read::{Newest, Page, ReadError, StreamEnd};
use crate::record::{RECORD_SCHEMA, Record};
use crate::stream::Stream;

/// What a database says when it does not do its work.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// A journal's own number, drawn by chance when it was made. Tokens that outside systems remember are made with
/// it, so that a new journal does not repeat those of a lost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JournalId(pub u64);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Reading needs no lease.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The next records after `after_seq`, verified; a bounded number of them.
    async fn page(&self, stream: &Stream, after_seq: u64) -> Result<Page, ReadError>;

    /// Every stream whose name begins with `prefix`, in order of name.
    async fn streams(&self, prefix: &str) -> Result<Vec<StreamEnd>, ReadError>;

    /// Of the first and the last record of every stream, the one of the highest schema; none in an empty journal. A
    /// database answers it at once, however many streams there are.
    async fn newest(&self) -> Result<Option<Newest>, ReadError>;

    /// Whether a newer daemon wrote here, as far as the ends of streams show it: then this one must not work on it.
    async fn understood(&self) -> Result<(), ReadError> {
        match self.newest().await? {
            Some(Newest { stream, schema }) if schema > RECORD_SCHEMA => {
                Err(ReadError::Newer { stream, found: schema, understood: RECORD_SCHEMA })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Who may append now; nobody when the lease is free or has expired.
    async fn holder(&self, scope: &Scope) -> Result<Option<Holder>, ReadError>;

    /// Every record after `after_seq`, verified; none when the stream does not go so far. Not more than
    /// [`crate::append::STREAM_MAX`], which may be hundreds of megabytes: whoever needs each only once takes
    /// [`Records`].
    async fn read(&self, stream: &Stream, after_seq: u64) -> Result<Vec<Record>, ReadError> {
        let (mut records, mut all) = (Records::new(self, stream, after_seq), Vec::new());
        while let Some(record) = records.next().await? {
            all.push(record);
        }
        Ok(all)
    }
}

/// The records of a stream from a place on, read page by page.
pub struct Records<'a, R: Reader + ?Sized> {
    reader: &'a R,
    stream: &'a Stream,
    /// What is left of the page that was read last.
    page: vec::IntoIter<Record>,
    /// Where the next page begins; none when there is none.
    after_seq: Option<u64>,
}

impl<R: Reader + ?Sized> fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("stream", self.stream)
            .field("after_seq", &self.after_seq)
            .finish_non_exhaustive()
    }
}

impl<'a, R: Reader + ?Sized> Records<'a, R> {
    pub fn new(reader: &'a R, stream: &'a Stream, after_seq: u64) -> Self {
        Self { reader, stream, page: vec::IntoIter::default(), after_seq: Some(after_seq) }
    }

    /// The next record, verified; none when there are no more.
    pub async fn next(&mut self) -> Result<Option<Record>, ReadError> {
        if self.page.as_slice().is_empty()
            && let Some(after_seq) = self.after_seq
        {
            let page = self.reader.page(self.stream, after_seq).await?;
            // A page without records is the end, even if the stream grew meanwhile.
            self.after_seq = page.records.last().map(|last| last.seq).filter(|seq| *seq < page.end_seq);
            self.page = page.records.into_iter();
        }
        Ok(self.page.next())
    }
}

/// A journal that can be written to.
#[async_trait]
pub trait Store: Reader {
    /// Tells this journal from every other, the one that was here before it was lost included.
    fn journal_id(&self) -> JournalId;

    /// For whoever only reads: over a way of its own, so that nobody who takes over or writes waits behind it.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Ends its connections, and those of its reader, if it has any. Nothing can be asked of it afterwards.
    async fn close(&self) {}

    /// Takes the lease: at once when it is free, expired, or was the same owner's before.
    async fn acquire(&self, scope: &Scope, owner: &Owner, ttl: Duration) -> Result<Lease, AcquireError> {
        self.acquire_above(scope, owner, ttl, 0).await
    }

    /// The same, under an epoch above `floor`: others remember epochs that this journal does not, when it was
    /// begun anew or comes from a backup.
    async fn acquire_above(
        &self,
        scope: &Scope,
        owner: &Owner,
        ttl: Duration,
        floor: u64,
    ) -> Result<Lease, AcquireError>;

    /// The same lease with a new end; the same epoch.
    async fn renew(&self, lease: &Lease) -> Result<Lease, RenewError>;

    /// Gives the lease back, so that another owner need not wait. Nothing can be appended under it any more.
    async fn release(&self, lease: &Lease) -> Result<(), RenewError>;

    /// Writes everything or nothing, if the lease is the current one and every stream is where the writer
    /// believes.
    async fn append(&self, lease: &Lease, append: &Append) -> Result<Appended, AppendError>;

    /// Messages that are due, oldest first, at most `limit` and [`crate::outbox::OUTBOX_MAX`]. Nobody else
    /// gets them for as long as `hold`, and then somebody does unless they were settled.
    async fn claim_outbox(
        &self,
        lease: &Lease,
        limit: u32,
        hold: Duration,
    ) -> Result<Vec<Claim>, OutboxError>;

    /// Says what became of claimed messages. A message that was settled for good stays so.
    async fn settle_outbox(&self, lease: &Lease, settled: &[(OutboxId, Settled)]) -> Result<(), OutboxError>;
}
