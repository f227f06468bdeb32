//! Reading a stream: nothing is handed out that does not follow from the record before it.

use thiserror::Error;

use crate::append::Head;
use crate::record::{RECORD_BYTES_MAX, Record, RecordError, Sealed};
use crate::store::Trouble;
use crate::stream::Stream;

/// The most records that one query reads.
pub(crate) const PAGE: u32 = 100;

/// A page ends with the record by which its texts come to so many bytes, if it does not end before. More than one
/// record may have, so that no page has only the one that it follows.
pub(crate) const PAGE_BYTES: usize = 4 * RECORD_BYTES_MAX;

/// The most streams that one listing answers.
pub const STREAMS_MAX: u32 = 100_000;

/// A stream and its last record's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEnd {
    pub stream: Stream,
    pub seq: u64,
}

/// The format of a record, as its text claims: what else a newer one says is not for this version to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    pub stream: Stream,
    pub schema: u32,
}

/// Why a stream was not read.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("the database did not answer")]
    Unavailable(#[source] Trouble),
    /// A newer daemon wrote it; nothing may be done with this stream.
    #[error("{stream} has a record of schema {found}, and this version reads up to {understood}")]
    Newer { stream: Stream, found: u32, understood: u32 },
    /// Somebody changed it: nothing may be done with this stream.
    #[error("{stream} is not what was written, at record {seq}: {what}")]
    Broken { stream: Stream, seq: u64, what: Broken },
    #[error("there are more than {STREAMS_MAX} streams")]
    TooManyStreams,
    #[error("the journal has a stream called {name:?}, which is none")]
    NoSuchStream { name: String },
}

/// What is wrong with a stored record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Broken {
    #[error("it is missing")]
    Missing,
    #[error("it does not follow from the record before it")]
    Link,
    #[error("it says that it belongs elsewhere")]
    Elsewhere,
    /// It is not the one that the stream's end names, or comes after the end.
    #[error("it is not where the stream ends")]
    End,
    #[error("{0}")]
    Record(RecordError),
}

/// What one query brought: the record before the page (unless it begins at 1), the page, and the head as
/// it was in the same moment.
#[derive(Debug)]
pub(crate) struct RawPage {
    /// From `after_seq` on, in order of their stored places.
    pub(crate) rows: Vec<(u64, Sealed)>,
    pub(crate) head: Head,
}

/// Records that follow from one another, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<Record>,
    /// The last record of the whole stream.
    pub end_seq: u64,
}

/// How many rows a query for a page must ask for: the page, and the record that it follows.
pub(crate) fn rows_of(after_seq: u64) -> u32 {
    PAGE + u32::from(after_seq > 0)
}

/// [`PAGE_BYTES`] as databases count.
#[cfg(feature = "databases")]
pub(crate) fn bytes_of_page() -> i64 {
    i64::try_from(PAGE_BYTES).unwrap_or(i64::MAX)
}

/// As a database tells it; nothing where a record does not even begin as one: whoever reads it says so.
#[cfg(feature = "databases")]
pub(crate) fn newest_of(name: String, schema: Option<i64>) -> Result<Option<Newest>, ReadError> {
    let Some(schema) = schema.and_then(|schema| u32::try_from(schema).ok()) else { return Ok(None) };
    let stream = Stream::parse(&name).ok_or(ReadError::NoSuchStream { name })?;
    Ok(Some(Newest { stream, schema }))
}

/// Checks a page: every record is unchanged, in its place, and follows from the one before; the last one is
/// the head when nothing is left.
pub(crate) fn verify(stream: &Stream, after_seq: u64, raw: RawPage) -> Result<Page, ReadError> {
    let RawPage { rows, head } = raw;
    if after_seq > head.seq {
        return Ok(Page { records: Vec::new(), end_seq: head.seq });
    }
    let broken = |seq, what| ReadError::Broken { stream: stream.clone(), seq, what };
    // The place before the first row, which is the record that the page follows, if there is one.
    let mut last = Head { seq: after_seq.saturating_sub(1), hash: Head::NONE.hash };
    // What that record follows was checked by whoever read it.
    let mut link_is_known = after_seq == 0;
    let mut records = Vec::with_capacity(rows.len());
    let bytes: usize = rows.iter().map(|(_, sealed)| sealed.text.len()).sum();
    for (place, sealed) in rows {
        let seq = last.seq.saturating_add(1);
        if place != seq {
            return Err(broken(seq, Broken::Missing));
        }
        let record = sealed.open().map_err(|error| refused(stream, seq, error))?;
        if record.stream != *stream || record.seq != seq {
            return Err(broken(seq, Broken::Elsewhere));
        }
        if link_is_known && record.prev_hash != last.hash {
            return Err(broken(seq, Broken::Link));
        }
        link_is_known = true;
        last = Head { seq, hash: record.hash };
        if seq > after_seq {
            records.push(record);
        }
    }
    let is_full = u32::try_from(records.len()).is_ok_and(|count| count >= PAGE) || bytes >= PAGE_BYTES;
    if !is_full && last.seq < head.seq {
        return Err(broken(last.seq.saturating_add(1), Broken::Missing));
    }
    if last.seq > head.seq || (last.seq == head.seq && last.hash != head.hash) {
        return Err(broken(last.seq, Broken::End));
    }
    Ok(Page { records, end_seq: head.seq })
}

fn refused(stream: &Stream, seq: u64, error: RecordError) -> ReadError {
    match error {
        RecordError::Newer { found, understood } => {
            ReadError::Newer { stream: stream.clone(), found, understood }
        }
        RecordError::Changed
        | RecordError::Unreadable(_)
        | RecordError::TooLarge { .. }
        | RecordError::NoSuchTime { .. }
        | RecordError::Misfiled { .. } => {
            ReadError::Broken { stream: stream.clone(), seq, what: Broken::Record(error) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_record_after_the_end_of_its_stream_is_found() {
        let record = samples::first_record();
        let raw = RawPage { rows: vec![(1, record.sealed())], head: Head::NONE };
        let answer = verify(&record.stream, 0, raw);
        assert!(matches!(answer, Err(ReadError::Broken { seq: 1, what: Broken::End, .. })), "{answer:?}");
    }

    #[test]
    fn a_record_that_was_copied_from_another_stream_is_found() {
        let record = samples::first_record();
        let other = samples::service_stream();
        let head = Head { seq: 1, hash: record.hash };
        let answer = verify(&other, 0, RawPage { rows: vec![(1, record.sealed())], head });
        assert!(
            matches!(answer, Err(ReadError::Broken { seq: 1, what: Broken::Elsewhere, .. })),
            "{answer:?}"
        );
    }
}
