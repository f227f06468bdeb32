//! Records as sentences: what an operator reads in a journal, with or without a daemon.
//!
//! One line for each record. It is for eyes: programs read [`Record::line`].

mod decision;
mod effect;
mod release;
mod service;

use segue_domain::ids::InstanceId;
use segue_domain::time::Timestamp;

use crate::fact::Fact;
use crate::record::Record;

/// One line: place, time, who by which way, what happened, and the reason that was given.
pub fn line(record: &Record) -> String {
    let Record { seq, at, actor, via, reason, fact, .. } = record;
    let reason = reason.as_deref().map(|reason| format!(" (reason: {})", one_line(reason)));
    format!(
        "{seq:>5}  {}  {actor} by {}: {}{}",
        time(*at),
        via.name(),
        sentence(fact),
        reason.unwrap_or_default(),
    )
}

/// What happened, in one sentence without a full stop.
pub fn sentence(fact: &Fact) -> String {
    one_line(&match fact {
        Fact::Release(event) => release::sentence(event),
        Fact::Service(event) => service::sentence(event),
    })
}

fn time(at: Timestamp) -> String {
    let ms = at.as_ms();
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |at| format!("{at:.3}"))
}

/// What others said may hold line breaks and worse, and goes to a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// `i-1, i-2 and 5 more`: a line stays a line.
fn instances<'a>(ids: impl IntoIterator<Item = &'a InstanceId>) -> String {
    list(ids.into_iter().map(InstanceId::as_str))
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<_> = names.into_iter().collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{shown} and {} more", count - SHOWN),
        _ => shown,
    }
}

/// `1 board`, `2 boards`.
fn count(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn every_record_is_one_sentence_of_its_own() {
        let releases = samples::release_events().into_iter().map(Fact::from);
        let services = samples::service_events().into_iter().map(Fact::from);
        let adoptions = samples::adoption_events().into_iter().map(Fact::from);
        let room = samples::room_events().into_iter().skip(1).map(Fact::from);
        let lines: Vec<_> =
            releases.chain(services).chain(adoptions).chain(room).map(|fact| sentence(&fact)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_line_says_where_when_who_what_and_why() {
        let mut record = samples::first_record();
        record.fact = Fact::Release(segue_domain::event::Event::PointOfNoReturn);
        record.reason = Some("it is\nlate".to_owned());
        assert_eq!(
            line(&record),
            "    1  2026-11-21T04:00:00.123Z  segue by engine: from here on there is no way back \
             (reason: it is late)"
        );
    }

    #[test]
    fn what_others_said_cannot_move_the_cursor() {
        let said = segue_domain::event::Event::Held {
            reason: segue_domain::decision::Reason::Bug { what: "\u{1b}[2Jgone\r\n".to_owned() },
        };
        assert!(!sentence(&said.into()).chars().any(char::is_control));
    }
}
