//! One record of the journal as an event of the stream, and the cursor that finds it again.

use std::fmt;

use segue_api::EventView;
use segue_domain::time::Timestamp;
use segue_journal::{About, Record, Stream};

use super::{id, time};
use crate::words;

/// The place of a record: in its stream by number, among the other streams by time.
///
/// Within one stream it is exact. Over all streams it errs on the side of telling twice: what others had in
/// the same millisecond comes again, and a reader knows it by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Timestamp,
    pub(crate) stream: Stream,
    pub(crate) seq: u64,
}

impl Cursor {
    pub(crate) fn of(record: &Record) -> Self {
        Self { at: record.at, stream: record.stream.clone(), seq: record.seq }
    }

    /// Reads what an event's id says; none for a text that no event had.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let at = Timestamp::from_ms(parts.next()?.parse().ok()?);
        let seq = parts.next()?.parse().ok()?;
        let stream = Stream::parse(parts.next()?)?;
        Some(Self { at, stream, seq })
    }

    /// Whether `record` may come after this place.
    pub(crate) fn is_before(&self, record: &Record) -> bool {
        if record.stream == self.stream {
            return record.seq > self.seq;
        }
        self.at <= record.at
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at.as_ms(), self.seq, self.stream)
    }
}

/// The record, told.
pub(crate) fn event(record: &Record) -> EventView {
    let (release, service) = match record.stream.about() {
        About::Release(release) => (id(release), &release.service),
        About::Service(service) => (None, service),
    };
    EventView {
        id: Cursor::of(record).to_string(),
        release,
        service: service.to_string(),
        seq: record.seq,
        at: time(record.at),
        kind: words::kind(&record.fact).to_owned(),
        sentence: segue_journal::view::sentence(&record.fact),
        step: words::step(&record.fact).map(|step| step.name().to_owned()),
        actor: record.actor.to_string(),
        reason: record.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_says() {
        for text in ["1795302041007.34.release/live-boards-12", "0.1.service/boards"] {
            assert_eq!(Cursor::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "34", "1.2", "1.2.boards", "x.2.service/boards", "1.-2.service/boards"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
