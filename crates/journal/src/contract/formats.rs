//! Formats: what a newer daemon wrote is seen before anything is begun on it.

use super::{Subject, Tamper, filled, lease_of, stream};
use crate::read::{Newest, ReadError};
use crate::record::RECORD_SCHEMA;

pub async fn a_newer_format_is_seen_at_either_end_of_any_stream(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    for number in 1..=3 {
        filled(&*store, &lease, &stream(number), 3).await;
    }
    // Only the plan, the first record of a release, has words that an older daemon does not know.
    for (number, seq, schema) in [(2, 1, 98), (3, 3, 99)] {
        subject.tamper(&stream(number), seq, Tamper::Schema(schema)).await;
        let newest = store.newest().await.expect("it answers");
        assert_eq!(newest, Some(Newest { stream: stream(number), schema }));
        match store.understood().await {
            Err(ReadError::Newer { found, understood: RECORD_SCHEMA, .. }) => assert_eq!(found, schema),
            answer => panic!("{answer:?}"),
        }
    }
}

pub async fn a_journal_of_this_version_is_understood(subject: &dyn Subject) {
    let store = subject.store().await;
    assert_eq!(store.newest().await.expect("it answers"), None);
    store.understood().await.expect("it is empty");
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 2).await;
    assert_eq!(store.newest().await.expect("it answers"), Some(Newest { stream: stream(1), schema: 1 }));
    store.understood().await.expect("this version wrote it");
}
