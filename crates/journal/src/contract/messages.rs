//! The outbox: at least once, and never without the records that a message follows from.

use std::time::Duration;

use super::{Subject, TTL, event, lease_of, message, part, scope, stream};
use crate::append::Append;
use crate::lease::{Lease, Owner};
use crate::outbox::{Claim, OUTBOX_MAX, OutboxError, OutboxItem, Settled};
use crate::store::Store;

async fn post(store: &dyn Store, lease: &Lease, outbox: Vec<OutboxItem>) {
    let append = Append { streams: Vec::new(), outbox };
    store.append(lease, &append).await.expect("messages alone are an append too");
}

async fn claim(store: &dyn Store, lease: &Lease, hold: Duration) -> Vec<Claim> {
    store.claim_outbox(lease, OUTBOX_MAX, hold).await.expect("the lease is held")
}

fn keys(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.key.as_str()).collect()
}

pub async fn a_message_comes_with_its_records(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let append = Append { streams: vec![part(&stream(1), 0, [event(1)])], outbox: vec![message("one")] };
    store.append(&lease, &append).await.expect("the stream is empty");
    let claims = claim(&*store, &lease, TTL).await;
    let [one] = claims.as_slice() else { panic!("one message was written: {claims:?}") };
    let OutboxItem { channel, key, body, .. } = message("one");
    assert_eq!((&one.channel, &one.key, &one.body, one.tries), (&channel, &key, &body, 1));
}

pub async fn a_claimed_message_comes_again_after_its_hold(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    post(&*store, &lease, vec![message("one")]).await;
    assert_eq!(claim(&*store, &lease, Duration::ZERO).await.len(), 1);
    let again = claim(&*store, &lease, TTL).await;
    assert_eq!(again.iter().map(|claim| claim.tries).collect::<Vec<_>>(), [2]);
    assert_eq!(claim(&*store, &lease, TTL).await, []);
}

pub async fn a_settled_message_never_comes_again(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    post(&*store, &lease, ["sent", "again", "given-up"].map(message).into()).await;
    let ids: Vec<_> = claim(&*store, &lease, TTL).await.into_iter().map(|claim| claim.id).collect();
    let again = Settled::Again { after: Duration::ZERO };
    let ends: Vec<_> = ids.iter().copied().zip([Settled::Sent, again, Settled::GivenUp]).collect();
    store.settle_outbox(&lease, &ends).await.expect("the lease is held");
    assert_eq!(keys(&claim(&*store, &lease, TTL).await), ["again"]);
    // An end is an end, whatever a slow sender says later.
    let late: Vec<_> = ids.into_iter().map(|id| (id, again)).collect();
    store.settle_outbox(&lease, &late).await.expect("the lease is held");
    assert_eq!(keys(&claim(&*store, &lease, TTL).await), ["again"]);
}

pub async fn a_message_that_is_not_due_waits(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    post(&*store, &lease, vec![OutboxItem { delay: TTL, ..message("later") }, message("now")]).await;
    assert_eq!(keys(&claim(&*store, &lease, TTL).await), ["now"]);
}

pub async fn a_second_message_with_the_same_key_is_dropped(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    post(&*store, &lease, vec![message("one"), message("one")]).await;
    post(&*store, &lease, vec![message("one")]).await;
    let claims = claim(&*store, &lease, TTL).await;
    assert_eq!(keys(&claims), ["one"]);
    let sent: Vec<_> = claims.iter().map(|claim| (claim.id, Settled::Sent)).collect();
    store.settle_outbox(&lease, &sent).await.expect("the lease is held");
    post(&*store, &lease, vec![message("one")]).await;
    assert_eq!(claim(&*store, &lease, TTL).await, []);
}

pub async fn claims_are_bounded_and_in_order(subject: &dyn Subject) {
    let store = subject.store().await;
    let lease = lease_of(&*store, "a").await;
    let names: Vec<_> = (0..OUTBOX_MAX + 50).map(|number| format!("m{number:03}")).collect();
    post(&*store, &lease, names.iter().map(|name| message(name)).collect()).await;
    let few = store.claim_outbox(&lease, 2, TTL).await.expect("the lease is held");
    assert_eq!(keys(&few), ["m000", "m001"]);
    let most = store.claim_outbox(&lease, u32::MAX, TTL).await.expect("the lease is held");
    let wanted: Vec<_> = names.iter().skip(2).take(most.len()).map(String::as_str).collect();
    assert_eq!(u32::try_from(most.len()).ok(), Some(OUTBOX_MAX));
    assert_eq!(keys(&most), wanted);
}

pub async fn a_stale_epoch_gets_no_messages(subject: &dyn Subject) {
    let store = subject.store().await;
    let stale = store.acquire(&scope(), &Owner::new("a"), Duration::ZERO).await.expect("it is free");
    post(&*store, &stale, vec![message("one")]).await;
    let current = lease_of(&*store, "b").await;
    let answer = store.claim_outbox(&stale, 1, TTL).await;
    assert!(matches!(answer, Err(OutboxError::Fenced { .. })), "{answer:?}");
    let claims = claim(&*store, &current, Duration::ZERO).await;
    let sent: Vec<_> = claims.iter().map(|claim| (claim.id, Settled::Sent)).collect();
    let answer = store.settle_outbox(&stale, &sent).await;
    assert!(matches!(answer, Err(OutboxError::Fenced { .. })), "{answer:?}");
    assert_eq!(keys(&claim(&*store, &current, TTL).await), ["one"]);
}
