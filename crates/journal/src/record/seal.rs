//! From a new record to its text and hash, and back.
//!
//! The hash covers the text byte for byte, and the text holds the stream, the place in it and the hash of
//! the record before: nothing of a stream can be changed, moved, dropped from within or put in unseen.

use segue_domain::event::{Event, ServiceEvent};
use segue_domain::ids::Actor;
use segue_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Hash, NewRecord, RECORD_BYTES_MAX, RECORD_SCHEMA, Record, RecordError, Via, v1};
use crate::fact::Fact;
use crate::stream::Stream;

/// Where a new record goes.
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a Stream,
    pub(crate) seq: u64,
    pub(crate) epoch: u64,
    pub(crate) prev_hash: Hash,
}

/// A record's text with the hash that it was stored with; not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) hash: Hash,
    pub(crate) text: String,
}

/// The fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
struct Envelope {
    schema: u32,
    stream: String,
    seq: u64,
    epoch: u64,
    /// RFC 3339, UTC, always with three digits of the second.
    at: String,
    actor: String,
    via: Via,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    prev_hash: Hash,
    body: v1::Body,
}

/// What every format has; read first, because a newer one may have nothing else that this version knows.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    hash: Hash,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Writes a record down and reads it back, so that nothing unreadable is ever stored. What is returned is
/// what a later reader will see: spans are kept to the millisecond.
pub(crate) fn seal(new: &NewRecord, place: &Place<'_>) -> Result<Record, RecordError> {
    let envelope = Envelope {
        schema: schema_of(&new.fact),
        stream: place.stream.to_string(),
        seq: place.seq,
        epoch: place.epoch,
        at: calendar(new.at)?,
        actor: new.actor.to_string(),
        via: new.via,
        reason: new.reason.clone(),
        prev_hash: place.prev_hash,
        body: v1::Body::from(&new.fact),
    };
    let text = serde_json::to_string(&envelope).map_err(unreadable)?;
    if text.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { bytes: text.len(), limit: RECORD_BYTES_MAX });
    }
    Sealed { hash: Hash::of(&text), text }.read()
}

/// The lowest format that has the words for it.
fn schema_of(fact: &Fact) -> u32 {
    match fact {
        // Whoever takes the first of several load balancers for the only one leaves the users of the others alone.
        Fact::Release(Event::Planned(plan)) if !plan.service.routing.others.is_empty() => 3,
        // Whoever does not know them takes them for nobody's, and leaves their users alone.
        Fact::Release(Event::Joined { .. }) => 4,
        Fact::Release(_) | Fact::Service(ServiceEvent::Began { .. } | ServiceEvent::Finished { .. }) => 1,
        Fact::Service(ServiceEvent::AdoptionBegan { .. } | ServiceEvent::AdoptionEnded { .. }) => 2,
    }
}

fn calendar(at: Timestamp) -> Result<String, RecordError> {
    let ms = at.as_ms();
    let at = jiff::Timestamp::from_millisecond(ms).map_err(|_out_of_range| RecordError::NoSuchTime { ms })?;
    Ok(format!("{at:.3}"))
}

impl Sealed {
    /// Checks the hash and reads the text.
    pub(crate) fn open(self) -> Result<Record, RecordError> {
        if Hash::of(&self.text) != self.hash {
            return Err(RecordError::Changed);
        }
        let SchemaOnly { schema } = parse(&self.text)?;
        if schema > RECORD_SCHEMA {
            return Err(RecordError::Newer { found: schema, understood: RECORD_SCHEMA });
        }
        self.read()
    }

    /// What it claims to be; none where it does not even do that.
    pub(crate) fn schema(&self) -> Option<u32> {
        parse::<SchemaOnly>(&self.text).ok().map(|it| it.schema)
    }

    /// Reads the text, which is believed: it has the hash, and a schema that this version knows.
    fn read(self) -> Result<Record, RecordError> {
        let envelope: Envelope = parse(&self.text)?;
        let stream = Stream::parse(&envelope.stream)
            .ok_or_else(|| RecordError::Unreadable(format!("no stream is called {:?}", envelope.stream)))?;
        let fact = envelope.body.try_into().map_err(|error: v1::Unreadable| unreadable(error))?;
        let at: jiff::Timestamp = envelope.at.parse().map_err(unreadable)?;
        if !stream.takes(&fact) {
            return Err(RecordError::Misfiled { stream });
        }
        Ok(Record {
            schema: envelope.schema,
            stream,
            seq: envelope.seq,
            epoch: envelope.epoch,
            at: Timestamp::from_ms(at.as_millisecond()),
            actor: Actor::new(envelope.actor),
            via: envelope.via,
            reason: envelope.reason,
            prev_hash: envelope.prev_hash,
            hash: self.hash,
            fact,
            text: self.text,
        })
    }
}

impl Record {
    /// As it is stored.
    pub(crate) fn sealed(&self) -> Sealed {
        Sealed { hash: self.hash, text: self.text.clone() }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Record {
    /// What this version makes of it when it writes down what it read: the same, or it has misunderstood it.
    pub fn written_anew(&self) -> Result<Self, RecordError> {
        let Self { stream, seq, epoch, at, actor, via, reason, prev_hash, fact, .. } = self.clone();
        let new = NewRecord { at, actor, via, reason, fact };
        seal(&new, &Place { stream: &stream, seq, epoch, prev_hash })
    }
}

pub(super) fn line(hash: Hash, text: &str) -> String {
    format!("{{\"hash\":\"{hash}\",\"record\":{text}}}")
}

pub(super) fn from_line(line: &str) -> Result<Sealed, RecordError> {
    let Line { hash, record } = parse(line)?;
    Ok(Sealed { hash, text: record.get().to_owned() })
}

fn unreadable(error: impl std::fmt::Display) -> RecordError {
    RecordError::Unreadable(error.to_string())
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, RecordError> {
    serde_json::from_str(text).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn sealed() -> Sealed {
        samples::first_record().sealed()
    }

    fn resealed(change: impl FnOnce(&mut serde_json::Value)) -> Result<Record, RecordError> {
        let mut value: serde_json::Value = serde_json::from_str(&sealed().text).expect("a record is JSON");
        change(&mut value);
        let text = value.to_string();
        Sealed { hash: Hash::of(&text), text }.open()
    }

    #[test]
    fn a_line_reads_back_as_the_record() {
        let record = samples::first_record();
        assert_eq!(Record::from_line(&record.line()), Ok(record));
    }

    #[test]
    fn what_was_read_is_the_same_when_it_is_written_anew() {
        let record = samples::first_record();
        assert_eq!(record.written_anew().as_ref(), Ok(&record));
        let padded = resealed(|value| value["added_later"] = 1.into()).expect("it is passed over");
        let anew = padded.written_anew().expect("it can be written");
        assert_eq!((anew.fact, anew.at), (padded.fact.clone(), padded.at));
        assert_ne!(anew.hash, padded.hash, "the text is another one");
    }

    #[test]
    fn one_changed_byte_is_found() {
        let Sealed { hash, text } = sealed();
        let text = text.replacen("\"epoch\":1", "\"epoch\":2", 1);
        assert_eq!(Sealed { hash, text }.open(), Err(RecordError::Changed));
    }

    #[test]
    fn a_record_of_a_newer_schema_is_refused_whatever_else_it_says() {
        let text = r#"{"schema":5,"nothing":"else"}"#.to_owned();
        let answer = Sealed { hash: Hash::of(&text), text }.open();
        assert_eq!(answer, Err(RecordError::Newer { found: 5, understood: RECORD_SCHEMA }));
    }

    #[test]
    fn what_the_first_format_has_no_words_for_says_so_to_a_daemon_that_reads_no_other() {
        let schema = |fact| {
            let (new, stream) = (samples::new_record(fact), samples::service_stream());
            let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
            seal(&new, &place).map(|record| record.schema)
        };
        for event in samples::adoption_events() {
            assert_eq!(schema(event.into()), Ok(2));
        }
        for event in samples::service_events() {
            assert_eq!(schema(event.into()), Ok(1));
        }
        let (stream, several) = (samples::release_stream(), samples::balancer_events());
        let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
        let schema =
            |event: &Event| seal(&samples::new_record(event.clone().into()), &place).map(|it| it.schema);
        assert_eq!(several.iter().map(schema).collect::<Vec<_>>(), [Ok(3), Ok(1), Ok(1)]);
    }

    #[test]
    fn a_field_that_a_later_version_added_is_passed_over() {
        let record = resealed(|value| {
            value["added_later"] = 1.into();
            value["body"]["release"]["added_later"] = 1.into();
        });
        assert_eq!(record.map(|record| record.fact), Ok(samples::first_record().fact));
    }

    #[test]
    fn a_kind_that_this_version_does_not_know_is_refused() {
        let answer = resealed(|value| value["body"]["release"]["event"] = "vanished".into());
        assert!(matches!(answer, Err(RecordError::Unreadable(why)) if why.contains("vanished")));
    }

    #[test]
    fn a_time_outside_the_calendar_is_refused_before_it_is_written() {
        let mut new = samples::new_record(samples::release_events().remove(0).into());
        new.at = Timestamp::from_ms(i64::MAX);
        let stream = samples::release_stream();
        let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
        assert_eq!(seal(&new, &place), Err(RecordError::NoSuchTime { ms: i64::MAX }));
    }

    #[test]
    fn a_record_over_the_limit_is_refused_before_it_is_written() {
        let mut new = samples::new_record(samples::release_events().remove(0).into());
        new.reason = Some("x".repeat(RECORD_BYTES_MAX));
        let stream = samples::release_stream();
        let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
        assert!(matches!(seal(&new, &place), Err(RecordError::TooLarge { .. })));
    }

    #[test]
    fn the_plan_of_a_rollback_of_five_thousand_servers_is_a_record() {
        let events = samples::rollback_of_many(5_000, 8);
        let stream = samples::release_stream();
        let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
        let record = seal(&samples::new_record(events.into()), &place).expect("it is a record");
        assert!(record.text.len() > 1024 * 1024, "it has {} bytes", record.text.len());
    }

    #[test]
    fn a_service_event_does_not_go_into_a_releases_stream() {
        let new = samples::new_record(samples::service_events().remove(0).into());
        let stream = samples::release_stream();
        let place = Place { stream: &stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
        assert_eq!(seal(&new, &place), Err(RecordError::Misfiled { stream }));
    }
}
