//! What became of an append whose commit was never answered. Read, never guessed.

use crate::append::{Append, Appended, Head, StreamAppend, seal_all};
use crate::lease::Lease;
use crate::read::ReadError;
use crate::record::{Hash, Record};
use crate::store::Reader;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was written after all.
    Written(Appended),
    /// It was not there when this was read. To repeat it is safe: the expected sequence holds against a
    /// commit that arrives late.
    NotWritten,
    /// Somebody else wrote in its place: read again and decide again.
    Overtaken,
}

/// Finds out, for an append that ended in [`crate::AppendError::OutcomeUnknown`]. An append without records
/// leaves no trace to find, and is `NotWritten`.
pub async fn fate(reader: &dyn Reader, lease: &Lease, append: &Append) -> Result<Fate, ReadError> {
    let mut appended = Appended::default();
    for part in &append.streams {
        let found = reader.read(&part.stream, part.expected_seq).await?;
        match compare(part, lease, &found) {
            Fate::Written(mine) => appended.records.extend(mine.records),
            // One transaction: what is true of one stream is true of all.
            fate @ (Fate::NotWritten | Fate::Overtaken) => return Ok(fate),
        }
    }
    Ok(if appended.records.is_empty() { Fate::NotWritten } else { Fate::Written(appended) })
}

/// Seals the records again after the same predecessor: the same hashes mean the same append.
fn compare(part: &StreamAppend, lease: &Lease, found: &[Record]) -> Fate {
    let Some(first) = found.first() else {
        return if part.records.is_empty() { written(&[]) } else { Fate::NotWritten };
    };
    let head = Head { seq: part.expected_seq, hash: first.prev_hash };
    let Ok(mine) = seal_all(part, head, lease.epoch()) else {
        return Fate::NotWritten;
    };
    if hashes(found).zip(hashes(&mine)).filter(|(found, mine)| found == mine).count() == mine.len() {
        written(&mine)
    } else {
        Fate::Overtaken
    }
}

fn written(records: &[Record]) -> Fate {
    Fate::Written(Appended { records: records.to_vec() })
}

fn hashes(records: &[Record]) -> impl Iterator<Item = Hash> {
    records.iter().map(|record| record.hash)
}
