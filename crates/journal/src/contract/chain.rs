//! The chain: what was changed behind the store's back is not handed out.

use super::{Subject, Tamper, filled, lease_of, stream};
use crate::read::{Broken, ReadError};
use crate::record::{Hash, RecordError};

pub async fn every_record_follows_from_the_one_before(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let mut last = Hash::GENESIS;
    for record in filled(&*store, &lease, &stream(1), 5).await.records {
        assert_eq!(record.prev_hash, last);
        assert_ne!(record.hash, last);
        last = record.hash;
    }
}

/// Five records, one of them changed; what reading the whole stream then says.
async fn broken(subject: &dyn Subject, seq: u64, how: Tamper) -> (u64, Broken) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 5).await;
    subject.tamper(&stream(1), seq, how).await;
    match store.read(&stream(1), 0).await {
        Err(ReadError::Broken { seq, what, .. }) => (seq, what),
        answer => panic!("{how:?} of record {seq} was not found: {answer:?}"),
    }
}

pub async fn a_changed_text_is_found(subject: &dyn Subject) {
    assert_eq!(broken(subject, 3, Tamper::Text).await, (3, Broken::Record(RecordError::Changed)));
}

pub async fn a_forged_record_is_found_by_what_follows(subject: &dyn Subject) {
    assert_eq!(broken(subject, 3, Tamper::TextAndHash).await, (4, Broken::Link));
    // Also by a reader who begins right after it.
    let answer = subject.store().await.read(&stream(1), 3).await;
    assert!(matches!(answer, Err(ReadError::Broken { seq: 4, what: Broken::Link, .. })), "{answer:?}");
}

pub async fn a_forged_last_record_is_found(subject: &dyn Subject) {
    assert_eq!(broken(subject, 5, Tamper::TextAndHash).await, (5, Broken::End));
}

pub async fn a_removed_record_is_found(subject: &dyn Subject) {
    assert_eq!(broken(subject, 3, Tamper::Removed).await, (3, Broken::Missing));
}

pub async fn a_removed_end_is_found(subject: &dyn Subject) {
    assert_eq!(broken(subject, 5, Tamper::Removed).await, (5, Broken::Missing));
}
