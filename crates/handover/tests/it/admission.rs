//! How fast clients are told and let in.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use segue_handover::wire::{CLOSE_OVERLOADED, Epoch, OfferRequest, Outcome, ProblemCode, ServerMessage};

use crate::support::{GatedStore, Moving, Node, Peer, eventually, per_s};

#[tokio::test]
async fn attaches_are_never_admitted_faster_than_the_limit_in_any_tenth_of_a_second() {
    let store = Arc::new(GatedStore::default());
    let old = Node::start("old", &store).await;
    let new = Node::start_with("new", &store, |config| config.attach_rate_per_s = per_s(200)).await;
    let names = names(60);
    let mut peers = join_all(names.iter().map(|name| old.joined("b", name))).await;
    let step = Moving::new("m1", "b", 1);
    // A daemon may only lower the application's own limit.
    for (asked, in_force) in [(1_000_000, 200), (100, 100)] {
        let mut request = step.prepare_request();
        request.attach_rate_per_s = Some(per_s(asked));
        new.control.prepare(&request).await.expect("prepares");
        let status = new.control.status().await.expect("a status");
        assert_eq!(status.attach.limit_per_s, in_force);
    }
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let offers = join_all(peers.iter_mut().map(|(peer, _)| peer.offer())).await;
    let began = tokio::time::Instant::now();
    let attached = join_all(offers.iter().zip(&names).map(|(offer, name)| Peer::attach(offer, name))).await;
    step.wait_attached(&new, 60).await;
    assert!(
        began.elapsed().as_millis() >= 500,
        "60 at 10 per 100 ms take six windows: {:?}",
        began.elapsed()
    );
    let figures = new.control.status().await.expect("a status").attach;
    assert_eq!((figures.admitted_total, figures.overruns_total, figures.refused_total), (60, 0, 0));
    assert!(figures.peak_in_100ms <= 10, "{figures:?}");
    drop(attached);
}

#[tokio::test]
async fn offers_keep_the_pace_of_the_latest_word() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let names = names(6);
    let mut peers = join_all(names.iter().map(|name| old.joined("b", name))).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    let request = OfferRequest { rate_per_s: per_s(20), ..step.offer_request(&prepared.connect) };
    let began = tokio::time::Instant::now();
    let answer = old.control.offer(&request).await.expect("offers");
    assert_eq!(answer.offered, 6, "the answer does not wait for the pace");
    join_all(peers.iter_mut().map(|(peer, _)| peer.offer())).await;
    assert!(began.elapsed().as_millis() >= 200, "two at once, then two per 100 ms: {:?}", began.elapsed());
}

#[tokio::test]
async fn who_joins_while_others_wait_for_their_offers_gets_one_at_once() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let peers = join_all(names(30).iter().map(async |name| old.joined("b", name).await)).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    // Behind the others her turn would come after half a minute, and she waits no more than twenty seconds.
    let request = OfferRequest { rate_per_s: per_s(1), ..step.offer_request(&prepared.connect) };
    old.control.offer(&request).await.expect("offers");
    let (mut eve, _) = old.joined("b", "eve").await;
    eve.offer().await;
    drop(peers);
}

#[tokio::test]
async fn offers_go_on_after_a_switch_that_did_not_wait_for_them() {
    let store = Arc::new(GatedStore::default());
    // Nobody is sent away before his turn, however slow the machine is.
    let grace = Duration::from_secs(20);
    let old = Node::start_with("old", &store, |config| config.boards.grace = grace).await;
    let new = Node::start("new", &store).await;
    let mut peers = join_all(names(30).iter().map(async |name| old.joined("b", name).await)).await;
    let (mut last, _) = peers.pop().expect("thirty");
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    let request = OfferRequest { rate_per_s: per_s(1), ..step.offer_request(&prepared.connect) };
    old.control.offer(&request).await.expect("offers");
    let seal = step.seal(&old, Some(prepared.seq)).await;
    step.activate(&new, seal).await;
    step.end(&old, Outcome::Release).await;
    // The pace is the server's: the latest word counts for all that wait.
    let (_other, _) = old.joined("c", "other").await;
    let next = Moving::new("m2", "c", 1);
    let prepared = next.prepare(&new).await;
    next.offer(&old, &prepared.connect).await;
    let mut attached = Peer::attach(&last.offer().await, "user-29").await;
    assert!(matches!(attached.hear().await, ServerMessage::Attached(_)));
    assert_eq!(attached.go().await.epoch, Epoch(2));
}

#[tokio::test]
async fn whose_board_is_switched_while_he_waits_to_attach_goes_before_the_others() {
    let store = Arc::new(GatedStore::default());
    let grace = Duration::from_secs(20);
    let old = Node::start_with("old", &store, |config| config.boards.grace = grace).await;
    let new = Node::start_with("new", &store, |config| {
        config.attach_rate_per_s = per_s(1);
        // Nor does her board close because nobody is there yet.
        config.boards.grace = grace;
    });
    let new = new.await;
    let (others, eves) = (Moving::new("m1", "b", 1), Moving::new("m2", "c", 1));
    let mut peers = join_all(names(30).iter().map(async |name| old.joined("b", name).await)).await;
    let (mut eve, _) = old.joined("c", "eve").await;
    let prepared = others.prepare(&new).await;
    others.offer(&old, &prepared.connect).await;
    let offers = join_all(peers.iter_mut().map(|(peer, _)| peer.offer())).await;
    let waiting =
        join_all(offers.iter().zip(names(30)).map(async |(offer, name)| Peer::attach(offer, &name).await));
    let waiting = waiting.await;
    let queue = async || new.control.status().await.expect("a status").load.attach_queue;
    eventually(async || queue().await >= 25).await;
    let prepared = eves.prepare(&new).await;
    eves.offer(&old, &prepared.connect).await;
    // Her turn would come after half a minute, and she waits no more than twenty seconds.
    let mut attached = Peer::attach(&eve.offer().await, "eve").await;
    let seal = eves.seal(&old, Some(prepared.seq)).await;
    eves.activate(&new, seal).await;
    assert!(matches!(attached.hear().await, ServerMessage::Attached(_)));
    assert_eq!(attached.go().await.epoch, Epoch(2));
    drop(waiting);
}

fn names(count: u32) -> Vec<String> {
    (0..count).map(|number| format!("user-{number}")).collect()
}

#[tokio::test]
async fn no_more_boards_are_opened_than_the_server_may_have() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start_with("node", &store, |config| config.caps.boards = 2).await;
    let (_ann, _) = node.joined("b1", "ann").await;
    let (_bob, _) = node.joined("b2", "bob").await;
    assert_eq!(node.join("b3", "eve").await.close_code().await, CLOSE_OVERLOADED);
    let refused = node.control.prepare(&Moving::new("m1", "b3", 0).prepare_request()).await;
    let refused = refused.expect_err("there is no room").problem().map(|problem| problem.code);
    assert_eq!(refused, Some(ProblemCode::Overloaded));
    // Those that are here take more clients all the same.
    node.joined("b2", "eve").await;
}
