//! Records as this version wrote them, kept for ever: they must read, and the same facts must still be
//! written in the same bytes.
//!
//! When a test here fails because the format was changed on purpose, the old file stays as it is and the new
//! lines, which the failure shows, go into a file of their own.

mod streams;
mod summary;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{Hash, Place, Record, Via, seal, v1};
use crate::fact::Fact;
use crate::samples;
use crate::stream::Stream;

fn corpus(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    std::fs::read_to_string(&path).expect("the corpus is in the repository")
}

/// Today's records of one stream, by every way and with every optional field of the envelope.
fn written_today(stream: &Stream, facts: impl IntoIterator<Item = Fact>) -> Vec<Record> {
    let mut prev_hash = Hash::GENESIS;
    let mut records = Vec::new();
    for ((fact, via), seq) in facts.into_iter().zip(Via::ALL.into_iter().cycle()).zip(1..) {
        let mut new = samples::new_record(fact);
        new.via = via;
        new.reason = (seq % 5 == 0).then(|| "because \"it\" was asked for".to_owned());
        let place = Place { stream, seq, epoch: 1 + seq / 10, prev_hash };
        let record = seal(&new, &place).expect("a sample is a record");
        prev_hash = record.hash;
        records.push(record);
    }
    records
}

fn releases_today() -> Vec<Record> {
    written_today(&samples::release_stream(), samples::release_events().into_iter().map(Fact::from))
}

fn services_today() -> Vec<Record> {
    written_today(&samples::service_stream(), samples::service_events().into_iter().map(Fact::from))
}

fn assert_frozen(name: &str, today: &[Record]) {
    let frozen = corpus(name);
    let read: Result<Vec<_>, _> = frozen.lines().map(Record::from_line).collect();
    let read = read.expect("a frozen record reads for ever");
    let mut prev_hash = Hash::GENESIS;
    for (record, seq) in read.iter().zip(1..) {
        assert_eq!((record.seq, record.prev_hash), (seq, prev_hash), "{name} is not a chain at {seq}");
        prev_hash = record.hash;
    }
    let facts = |records: &[Record]| records.iter().map(|record| record.fact.clone()).collect::<Vec<_>>();
    let lines = today.iter().map(Record::line).collect::<Vec<_>>().join("\n") + "\n";
    assert!(frozen == lines, "{name} is written differently today:\n{lines}");
    assert_eq!(facts(&read), facts(today), "{name} reads as something else");
}

#[test]
fn the_releases_records_of_this_version_read_and_are_written_as_they_were() {
    assert_frozen("v1-release.jsonl", &releases_today());
}

#[test]
fn the_services_records_of_this_version_read_and_are_written_as_they_were() {
    assert_frozen("v1-service.jsonl", &services_today());
}

#[test]
fn the_adoptions_records_of_this_version_read_and_are_written_as_they_were() {
    let adoptions = samples::adoption_events().into_iter().map(Fact::from);
    assert_frozen("v2-adoption.jsonl", &written_today(&samples::service_stream(), adoptions));
}

#[test]
fn records_of_launches_that_look_for_room_read_and_are_written_as_they_were() {
    let events = samples::room_events().into_iter().map(Fact::from);
    assert_frozen("v1-room.jsonl", &written_today(&samples::release_stream(), events));
}

#[test]
fn records_of_a_release_over_several_load_balancers_read_and_are_written_as_they_were() {
    let events = samples::balancer_events().into_iter().map(Fact::from);
    assert_frozen("v3-balancers.jsonl", &written_today(&samples::release_stream(), events));
}

#[test]
fn records_of_servers_that_joined_read_and_are_written_as_they_were() {
    let events = [samples::joined()].into_iter().map(Fact::from);
    assert_frozen("v4-joined.jsonl", &written_today(&samples::release_stream(), events));
}

/// For some days they were written under the first number.
#[test]
fn adoptions_under_the_first_number_still_read() {
    let read: Result<Vec<_>, _> = corpus("v1-adoption.jsonl").lines().map(Record::from_line).collect();
    let facts: Vec<Fact> = read.expect("it reads").into_iter().map(|record| record.fact).collect();
    let known: Vec<Fact> = samples::adoption_events().into_iter().map(Fact::from).collect();
    assert_eq!(facts, known);
}

/// Every string in the corpus, with the key that it stands under.
fn words_in(value: &Value, words: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let Value::String(word) = value {
                    words.insert((key.clone(), word.clone()));
                }
                words_in(value, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| words_in(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_word_of_the_format_is_in_the_corpus() {
    let mut found = BTreeSet::new();
    for name in
        ["v1-release.jsonl", "v1-service.jsonl", "v1-room.jsonl", "v2-adoption.jsonl", "v4-joined.jsonl"]
    {
        for line in corpus(name).lines() {
            words_in(&serde_json::from_str(line).expect("the corpus is JSON"), &mut found);
        }
    }
    let via = Via::ALL.map(Via::name);
    let wanted = v1::vocabulary().into_iter().chain([("via", via.as_slice())]);
    for (key, words) in wanted {
        for word in words {
            assert!(found.contains(&(key.to_owned(), (*word).to_owned())), "{key}: {word} is missing");
        }
    }
}
