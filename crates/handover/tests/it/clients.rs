//! What a server does with clients that are late, wrong, slow or in the wrong place.

use std::sync::Arc;

use segue_handover::wire::{
    Ack, CLOSE_PROTOCOL, CLOSE_REPLACED, ClientMessage, Cseq, Epoch, Hello, Nack, Offer, Outcome, Resume,
    Seq, ServerMessage, Token,
};

use crate::support::{GatedStore, Moving, Node, Peer, assert_log_is_sound, board_id, client_id};

#[tokio::test]
async fn a_gap_is_refused_with_what_is_expected_and_a_repetition_is_acknowledged_again() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (mut ann, _) = node.joined("b", "ann").await;
    ann.edit(1).await;
    ann.op(3).await;
    assert_eq!(ann.hear().await, ServerMessage::Nack(Nack { expected: Cseq(2) }));
    ann.op(1).await;
    assert_eq!(ann.hear().await, ServerMessage::Ack(Ack { cseq: Cseq(1), seq: Seq(1), durable: true }));
    ann.edit(2).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 2)]);
}

#[tokio::test]
async fn an_edit_is_applied_told_to_all_and_then_durable() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (mut ann, _) = node.joined("b", "ann").await;
    let (mut bob, _) = node.joined("b", "bob").await;
    store.appends.shut();
    ann.op(1).await;
    assert!(matches!(bob.hear().await, ServerMessage::Update(update) if update.seq == Seq(1)));
    assert!(matches!(ann.hear().await, ServerMessage::Update(_)));
    assert_eq!(ann.hear().await, ServerMessage::Ack(Ack { cseq: Cseq(1), seq: Seq(1), durable: false }));
    assert_eq!(store.inner.log(&board_id("b")).len(), 0);
    store.appends.open();
    assert_eq!(ann.hear().await, ServerMessage::Ack(Ack { cseq: Cseq(1), seq: Seq(1), durable: true }));
    assert_eq!(store.inner.log(&board_id("b")).len(), 1);
}

#[tokio::test]
async fn whoever_asks_the_wrong_server_is_sent_to_the_right_one() {
    let store = Arc::new(GatedStore::default());
    let (owner, other) = (Node::start("owner", &store).await, Node::start("other", &store).await);
    let (_ann, _) = owner.joined("b", "ann").await;
    let mut lost = other.join("b", "bob").await;
    assert_eq!(lost.moved().await, Some(owner.connect_to("b")));
    assert_eq!(other.control.status().await.expect("a status").boards, 0);
    // Prepared for a move, it still is not the owner.
    Moving::new("m1", "b", 1).prepare(&other).await;
    let mut early = other.join("b", "bob").await;
    assert_eq!(early.moved().await, Some(owner.connect_to("b")));
}

#[tokio::test]
async fn a_wrong_token_attaches_nobody() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let offer = ann.offer().await;
    let forged = Offer { token: Token::parse("0000").expect("a token"), ..offer.clone() };
    assert_eq!(Peer::attach(&forged, "ann").await.close_code().await, CLOSE_PROTOCOL);
    // A good token is for its own client only.
    assert_eq!(Peer::attach(&offer, "bob").await.close_code().await, CLOSE_PROTOCOL);
    let answer = new.control.prepare(&step.prepare_request()).await.expect("prepares");
    assert_eq!(answer.attached, 0);
}

#[tokio::test]
async fn nothing_is_accepted_before_go() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut early = Peer::attach(&ann.offer().await, "ann").await;
    assert!(matches!(early.hear().await, ServerMessage::Attached(_)));
    early.op(1).await;
    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!(seal.final_seq, Seq(0));
    step.activate(&new, seal).await;
    // Had the early edit been taken, the first thing heard would not be `go`.
    assert!(matches!(early.hear().await, ServerMessage::Go(go) if go.last_cseq == Cseq(0)));
    early.edit(1).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 1)]);
}

#[tokio::test]
async fn whoever_attaches_after_the_switch_is_served_at_once() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let (mut bob, _) = old.joined("b", "bob").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut bob_new = Peer::attach(&bob.offer().await, "bob").await;
    step.wait_attached(&new, 1).await;
    let late = ann.offer().await;
    let seal = step.seal(&old, Some(prepared.seq)).await;
    step.activate(&new, seal).await;
    bob_new.go().await;
    bob_new.edit(1).await;
    let mut ann_new = Peer::attach(&late, "ann").await;
    assert!(matches!(ann_new.hear().await, ServerMessage::Attached(_)));
    let go = ann_new.go().await;
    assert_eq!((go.epoch, go.seq), (Epoch(2), Seq(0)));
    assert!(matches!(ann_new.hear().await, ServerMessage::Update(update) if update.seq == Seq(1)));
}

#[tokio::test]
async fn a_client_without_the_subprotocol_is_counted_and_sent_after_the_board() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let mut plain = Peer::open_plain(&old.connect_to("b")).await;
    plain.say(&crate::support::hello("ann")).await;
    plain.welcome().await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    let offered = step.offer(&old, &prepared.connect).await;
    assert_eq!((offered.offered, offered.unsupported), (0, 1));
    let page = old.control.boards(None, None).await.expect("a page");
    let row = &page.boards[0];
    assert_eq!((row.clients, row.unsupported), (1, 1));
    let seal = step.seal(&old, Some(prepared.seq)).await;
    step.activate(&new, seal).await;
    step.end(&old, Outcome::Release).await;
    assert_eq!(plain.moved().await, Some(new.connect_to("b")));
}

#[tokio::test]
async fn who_missed_a_little_gets_updates_and_who_missed_much_gets_a_snapshot() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start_with("node", &store, |config| {
        config.boards.recent_edits = 8;
        config.boards.resume_updates = 4;
    })
    .await;
    let (mut ann, _) = node.joined("b", "ann").await;
    for cseq in 1..=20 {
        ann.edit(cseq).await;
    }
    ann.say(&ClientMessage::Resume(Resume { from: Seq(18) })).await;
    for seq in [19, 20] {
        assert!(matches!(ann.hear().await, ServerMessage::Update(update) if update.seq == Seq(seq)));
    }
    for from in [0, 13, 21] {
        ann.say(&ClientMessage::Resume(Resume { from: Seq(from) })).await;
        assert!(matches!(ann.hear().await, ServerMessage::Snapshot(snapshot) if snapshot.seq == Seq(20)));
    }
    // The same on joining: under the same epoch the difference, under another one everything.
    for (epoch, is_updates) in [(1, true), (7, false)] {
        let mut again = Peer::open(&node.connect_to("b")).await;
        let hello = Hello { client: client_id("ann"), last_seq: Some(Seq(19)), epoch: Some(Epoch(epoch)) };
        again.say(&ClientMessage::Hello(hello)).await;
        assert_eq!(again.welcome().await.last_cseq, Cseq(20));
        assert_eq!(matches!(again.hear().await, ServerMessage::Update(_)), is_updates);
    }
}

#[tokio::test]
async fn who_missed_more_than_is_written_at_once_still_gets_every_update() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (mut ann, _) = node.joined("b", "ann").await;
    for cseq in 1..=100 {
        ann.op(cseq).await;
    }
    ann.durable(100).await;
    let mut late = Peer::open(&node.connect_to("b")).await;
    let hello = Hello { client: client_id("bob"), last_seq: Some(Seq(0)), epoch: Some(Epoch(1)) };
    late.say(&ClientMessage::Hello(hello)).await;
    late.welcome().await;
    for seq in 1..=100 {
        assert!(
            matches!(late.hear().await, ServerMessage::Update(update) if update.seq == Seq(seq)),
            "{seq}"
        );
    }
}

#[tokio::test]
async fn who_asks_for_everything_gets_the_whole_board_however_small_it_is() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (mut ann, _) = node.joined("b", "ann").await;
    for seq in [0, 1] {
        ann.say(&ClientMessage::Resume(Resume { from: Seq(0) })).await;
        assert!(matches!(ann.hear().await, ServerMessage::Snapshot(snapshot) if snapshot.seq == Seq(seq)));
        ann.edit(seq + 1).await;
    }
}

#[tokio::test]
async fn the_newest_connection_of_a_client_takes_the_place_of_the_others() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (mut first, _) = node.joined("b", "ann").await;
    let (mut second, _) = node.joined("b", "ann").await;
    assert_eq!(first.close_code().await, CLOSE_REPLACED);
    second.edit(1).await;
    assert_eq!(node.control.status().await.expect("a status").clients, 1);
}

#[tokio::test]
async fn who_does_not_begin_with_hello_or_attach_is_closed() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let mut rude = Peer::open(&node.connect_to("b")).await;
    rude.op(1).await;
    assert_eq!(rude.close_code().await, CLOSE_PROTOCOL);
    assert_eq!(node.server.errors_total(), 1);
}
