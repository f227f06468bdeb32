//! Leases: one holder at a time, and no word from a former one.

use std::time::Duration;

use super::{Subject, TTL, event, is_fenced, lease_of, only, part, scope, seqs, stream};
use crate::lease::{AcquireError, Owner, RenewError, Scope};
use crate::moment::Moment;

pub async fn a_second_owner_waits_and_is_told_how_long(subject: &dyn Subject) {
    let (one, two) = (subject.store().await, subject.store().await);
    lease_of(&*one, "a").await;
    let answer = two.acquire(&scope(), &Owner::new("b"), TTL).await;
    let Err(AcquireError::Held { owner, left_ms, .. }) = answer else {
        panic!("two hold the lease: {answer:?}");
    };
    assert_eq!(owner, Owner::new("a"));
    assert!(Duration::from_millis(left_ms) <= TTL && left_ms > 0, "{left_ms}");
}

pub async fn an_expired_lease_goes_to_whoever_asks(subject: &dyn Subject) {
    let store = subject.store().await;
    let expired = store.acquire(&scope(), &Owner::new("a"), Duration::ZERO).await.expect("it is free");
    assert!(expired.left(Moment::now()).is_zero());
    let taken = lease_of(&*store, "b").await;
    assert!(!taken.left(Moment::now()).is_zero());
    assert_eq!(taken.epoch(), expired.epoch() + 1);
}

pub async fn the_same_owner_takes_over_at_once(subject: &dyn Subject) {
    let (before, after) = (subject.store().await, subject.store().await);
    let former = lease_of(&*before, "a").await;
    let current = lease_of(&*after, "a").await;
    assert_eq!(current.epoch(), former.epoch() + 1);
    let late = only(part(&stream(1), 0, [event(1)]));
    assert!(is_fenced(&before.append(&former, &late).await));
    after.append(&current, &late).await.expect("the current holder writes");
}

pub async fn the_epoch_only_grows(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut last = 0;
    for owner in ["a", "b", "a", "a", "c"] {
        let lease = lease_of(&*store, owner).await;
        assert!(lease.epoch() > last, "{owner} got {} after {last}", lease.epoch());
        last = lease.epoch();
        store.release(&lease).await.expect("it is held");
    }
}

pub async fn an_epoch_is_above_the_floor_that_was_asked_for(subject: &dyn Subject) {
    let store = subject.store().await;
    let (scope, owner) = (scope(), Owner::new("a"));
    let mut epochs = Vec::new();
    for floor in [0, 40, 40, 7] {
        let lease = store.acquire_above(&scope, &owner, TTL, floor).await.expect("the owner is the same");
        epochs.push(lease.epoch());
    }
    assert_eq!(epochs, [1, 41, 42, 43]);
    let lease = lease_of(&*store, "a").await;
    store.append(&lease, &only(part(&stream(1), 0, [event(1)]))).await.expect("the epoch is the current one");
}

pub async fn a_journal_has_one_id(subject: &dyn Subject) {
    let (one, two) = (subject.store().await, subject.store().await);
    assert_eq!(one.journal_id(), two.journal_id());
}

pub async fn a_stale_epoch_is_fenced(subject: &dyn Subject) {
    let store = subject.store().await;
    let stale = store.acquire(&scope(), &Owner::new("a"), Duration::ZERO).await.expect("it is free");
    lease_of(&*store, "b").await;
    let append = only(part(&stream(1), 0, [event(1)]));
    assert!(is_fenced(&store.append(&stale, &append).await));
    assert!(seqs(&*store, &stream(1)).await.is_empty());
    assert!(matches!(store.renew(&stale).await, Err(RenewError::Lost { epoch: 1, .. })));
    assert!(matches!(store.release(&stale).await, Err(RenewError::Lost { epoch: 1, .. })));
    // The release of a stale holder frees nothing.
    assert!(matches!(store.acquire(&scope(), &Owner::new("c"), TTL).await, Err(AcquireError::Held { .. })));
}

pub async fn a_lease_that_was_given_back_is_no_lease(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    store.release(&lease).await.expect("it is held");
    let append = only(part(&stream(1), 0, [event(1)]));
    assert!(is_fenced(&store.append(&lease, &append).await));
    assert!(matches!(store.renew(&lease).await, Err(RenewError::Lost { .. })));
    assert_eq!(lease_of(&*store, "b").await.epoch(), 2);
}

pub async fn a_renewed_lease_keeps_its_epoch(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let renewed = store.renew(&lease).await.expect("it is held");
    assert_eq!((renewed.epoch(), renewed.owner()), (lease.epoch(), lease.owner()));
    let now = Moment::now();
    assert!(renewed.left(now) >= lease.left(now));
    // Both stand for the same right: what was begun before the renewal is not fenced by it.
    let append = only(part(&stream(1), 0, [event(1)]));
    store.append(&lease, &append).await.expect("the epoch is the current one");
}

pub async fn an_expired_lease_that_nobody_took_is_renewed(subject: &dyn Subject) {
    let store = subject.store().await;
    let expired = store.acquire(&scope(), &Owner::new("a"), Duration::ZERO).await.expect("it is free");
    assert_eq!(store.renew(&expired).await.expect("nobody took it").epoch(), expired.epoch());
}

pub async fn scopes_do_not_meet(subject: &dyn Subject) {
    let store = subject.store().await;
    lease_of(&*store, "a").await;
    let other = store.acquire(&Scope::new("canvas"), &Owner::new("b"), TTL).await;
    assert_eq!(other.expect("another scope is free").epoch(), 1);
}

pub async fn of_two_owners_one_gets_a_free_lease(subject: &dyn Subject) {
    let (one, two) = (subject.store().await, subject.store().await);
    let (scope, a, b) = (scope(), Owner::new("a"), Owner::new("b"));
    let answers = tokio::join!(one.acquire(&scope, &a, TTL), two.acquire(&scope, &b, TTL));
    match answers {
        (Ok(lease), Err(AcquireError::Held { owner, .. }))
        | (Err(AcquireError::Held { owner, .. }), Ok(lease)) => assert_eq!(&owner, lease.owner()),
        (one, two) => panic!("both hold it, or none does: {one:?} {two:?}"),
    }
}
