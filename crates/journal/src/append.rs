//! What an append is, how it can fail, and what every store does with it before it writes.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::lease::{Lease, Scope, Stale};
use crate::outbox::OutboxItem;
use crate::record::{Hash, NewRecord, Place, Record, RecordError, seal};
use crate::store::Trouble;
use crate::stream::Stream;

/// The most records and messages of one append.
pub const APPEND_MAX: usize = 1_000;

/// The most records of one stream; the release of a fleet of 5,000 has tens of thousands.
pub const STREAM_MAX: u64 = 100_000;

/// Everything that is written together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Append {
    /// Each stream at the most once.
    pub streams: Vec<StreamAppend>,
    pub outbox: Vec<OutboxItem>,
}

/// Records for one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAppend {
    pub stream: Stream,
    /// The last record that the writer has seen; 0 for a stream that does not exist yet.
    pub expected_seq: u64,
    /// May be empty: then the append only happens if nothing was added to this stream.
    pub records: Vec<NewRecord>,
}

/// What was written: the records in the order of the append, as a later reader will see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appended {
    pub records: Vec<Record>,
}

/// Why nothing was written, or why nobody knows.
#[derive(Debug, Error)]
pub enum AppendError {
    /// Another holder, or a newer self, has the lease: drop everything in memory and acquire again.
    #[error("the epoch {epoch} of the lease on {scope} is no longer the current one")]
    Fenced { scope: Scope, epoch: u64, current: Option<u64> },
    /// Somebody appended since the writer read: read again and decide again.
    #[error("{stream} is at {found}, not at {expected}")]
    Conflict { stream: Stream, expected: u64, found: u64 },
    /// Nothing was written.
    #[error("the database took nothing")]
    Unavailable(#[source] Trouble),
    /// It may have been written: [`crate::fate`] finds out.
    #[error("the database did not say whether it committed")]
    OutcomeUnknown(#[source] Trouble),
    /// The append itself is wrong; it would be refused for ever.
    #[error("the append cannot be written")]
    Unwritable(#[source] Unwritable),
}

/// What is wrong with an append.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unwritable {
    #[error("a record for {stream} is not one")]
    Record {
        stream: Stream,
        #[source]
        source: RecordError,
    },
    #[error("{stream} stands in it twice")]
    StreamTwice { stream: Stream },
    #[error("it has {entries} entries, and the limit is {APPEND_MAX}")]
    TooMany { entries: usize },
    #[error("{stream} would have more than {STREAM_MAX} records")]
    StreamTooLong { stream: Stream },
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Head {
    /// Of a stream that does not exist yet.
    pub(crate) const NONE: Self = Self { seq: 0, hash: Hash::GENESIS };
}

/// What can be said of an append without looking at a database.
pub(crate) fn check(append: &Append) -> Result<(), AppendError> {
    let records: usize = append.streams.iter().map(|stream| stream.records.len()).sum();
    let entries = records.saturating_add(append.streams.len()).saturating_add(append.outbox.len());
    if entries > APPEND_MAX {
        return Err(AppendError::Unwritable(Unwritable::TooMany { entries }));
    }
    let mut seen = BTreeSet::new();
    for part in &append.streams {
        if !seen.insert(&part.stream) {
            return Err(AppendError::Unwritable(Unwritable::StreamTwice { stream: part.stream.clone() }));
        }
    }
    Ok(())
}

/// The records of one stream with their places and hashes, after `head`.
pub(crate) fn seal_all(part: &StreamAppend, head: Head, epoch: u64) -> Result<Vec<Record>, AppendError> {
    let StreamAppend { stream, expected_seq, records } = part;
    if head.seq != *expected_seq {
        let (expected, found) = (*expected_seq, head.seq);
        return Err(AppendError::Conflict { stream: stream.clone(), expected, found });
    }
    let mut prev_hash = head.hash;
    let mut sealed = Vec::with_capacity(records.len());
    for (new, seq) in records.iter().zip(head.seq.saturating_add(1)..) {
        if seq > STREAM_MAX {
            return Err(AppendError::Unwritable(Unwritable::StreamTooLong { stream: stream.clone() }));
        }
        let record = seal(new, &Place { stream, seq, epoch, prev_hash }).map_err(|source| {
            AppendError::Unwritable(Unwritable::Record { stream: stream.clone(), source })
        })?;
        prev_hash = record.hash;
        sealed.push(record);
    }
    Ok(sealed)
}

pub(crate) fn fenced(lease: &Lease, stale: Stale) -> AppendError {
    AppendError::Fenced { scope: lease.scope().clone(), epoch: lease.epoch(), current: stale.current }
}
