//! Any event at all goes through a record's text and comes back as itself.

mod decision;
mod effect;
mod event;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use segue_domain::ids::{ReleaseId, ServiceName};
use segue_domain::time::Timestamp;

use super::{Hash, Place, Record, seal};
use crate::fact::Fact;
use crate::samples;

proptest! {
    #[test]
    fn any_event_of_a_release_reads_back_as_itself(event in event::event()) {
        let fact = Fact::Release(event);
        let stream = samples::release_stream();
        prop_assert_eq!(through_text(&fact, &stream), fact);
    }

    #[test]
    fn any_event_of_a_service_reads_back_as_itself(event in event::service_event()) {
        let fact = Fact::Service(event);
        let stream = samples::service_stream();
        prop_assert_eq!(through_text(&fact, &stream), fact);
    }
}

fn through_text(fact: &Fact, stream: &crate::stream::Stream) -> Fact {
    let place = Place { stream, seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
    let record = seal(&samples::new_record(fact.clone()), &place).expect("any event is a record");
    Record::from_line(&record.line()).expect("what was written reads").fact
}

#[test]
fn a_span_finer_than_a_millisecond_is_cut_before_anybody_acts_on_it() {
    use segue_domain::decision::{Reason, Source};
    use segue_domain::event::Event;
    use segue_domain::reading::Why;

    let held = |age| {
        let why = Why::Stale { age, limit: Duration::from_secs(45) };
        Fact::Release(Event::Held { reason: Reason::Blind { what: Source::Weights, why } })
    };
    let fine = held(Duration::from_nanos(90_000_999_999));
    let place = Place { stream: &samples::release_stream(), seq: 1, epoch: 1, prev_hash: Hash::GENESIS };
    let record = seal(&samples::new_record(fine), &place).expect("it is a record");
    assert_eq!(record.fact, held(Duration::from_secs(90)));
}

/// Any text: quotes, line breaks, letters of all scripts.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}-[0-9]{1,3}", "\\PC{0,12}", Just("\"\\\n\u{0}\u{2028}".to_owned())]
}

fn name<T: std::fmt::Debug + for<'a> From<&'a str>>() -> impl Strategy<Value = T> {
    text().prop_map(|text| T::from(text.as_str()))
}

fn list<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(one, 0..4)
}

fn names<T: std::fmt::Debug + for<'a> From<&'a str>>() -> impl Strategy<Value = Vec<T>> {
    list(name())
}

fn set<T: std::fmt::Debug + Ord + for<'a> From<&'a str>>() -> impl Strategy<Value = BTreeSet<T>> {
    prop::collection::btree_set(name(), 0..4)
}

fn map<K, V>(value: impl Strategy<Value = V>) -> impl Strategy<Value = BTreeMap<K, V>>
where
    K: std::fmt::Debug + Ord + for<'a> From<&'a str>,
    V: std::fmt::Debug,
{
    prop::collection::btree_map(name(), value, 0..4)
}

fn span() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_ms)
}

fn release() -> impl Strategy<Value = ReleaseId> {
    let service = text().prop_filter("a service has a name", |service| !service.is_empty());
    (service, any::<u64>())
        .prop_map(|(service, number)| ReleaseId { service: ServiceName::new(service), number })
}
