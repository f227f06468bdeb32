//! A commit whose answer was lost: reading says what became of it.

use super::{Subject, event, filled, lease_of, only, part, stream};
use crate::append::Append;
use crate::fate::{Fate, fate};

fn two_streams() -> Append {
    Append {
        streams: vec![part(&stream(1), 2, [event(7), event(8)]), part(&stream(2), 0, [event(9)])],
        outbox: Vec::new(),
    }
}

pub async fn a_commit_that_was_not_answered_is_found(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 2).await;
    let written = store.append(&lease, &two_streams()).await.expect("the streams are there");
    // The holder itself may have appended since: what it wrote first is still its own.
    store.append(&lease, &only(part(&stream(2), 1, [event(10)]))).await.expect("the stream is at 1");
    let found = fate(&*store, &lease, &two_streams()).await.expect("the streams are whole");
    assert_eq!(found, Fate::Written(written));
}

pub async fn an_append_that_never_came_is_not_found(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 2).await;
    let found = fate(&*store, &lease, &two_streams()).await.expect("the streams are whole");
    assert_eq!(found, Fate::NotWritten);
}

pub async fn what_somebody_else_wrote_is_not_taken_for_ones_own(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    filled(&*store, &lease, &stream(1), 2).await;
    // The same facts, but by the next holder.
    let next = lease_of(&*store, "a").await;
    store.append(&next, &two_streams()).await.expect("the streams are there");
    let found = fate(&*store, &lease, &two_streams()).await.expect("the streams are whole");
    assert_eq!(found, Fate::Overtaken);
}
