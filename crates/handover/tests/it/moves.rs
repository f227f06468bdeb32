//! Whole moves.

use std::sync::Arc;

use futures_util::future::join_all;
use segue_handover::client::{Address, Session, Timing, Told};
use segue_handover::wire::{
    BoardState, Cseq, EndAnswer, Epoch, Level, Outcome, Payload, PrepareState, Seq, ServerMessage,
};

use crate::support::{GatedStore, Moving, Node, Peer, assert_log_is_sound, board_id, client_id};

#[tokio::test]
async fn at_level_two_clients_go_on_over_the_socket_they_already_have() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let (mut bob, _) = old.joined("b", "bob").await;
    ann.edit(1).await;
    let step = Moving::new("m1", "b", 1);

    let prepared = step.prepare(&new).await;
    assert_eq!((prepared.state, prepared.seq), (PrepareState::Standby, Seq(1)));
    assert_eq!(prepared.connect, new.connect_to("b"));
    let offered = step.offer(&old, &prepared.connect).await;
    assert_eq!((offered.offered, offered.unsupported), (2, 0));
    let mut ann_new = Peer::attach(&ann.offer().await, "ann").await;
    let mut bob_new = Peer::attach(&bob.offer().await, "bob").await;
    for peer in [&mut ann_new, &mut bob_new] {
        assert!(matches!(peer.hear().await, ServerMessage::Attached(_)));
    }
    step.wait_attached(&new, 2).await;
    ann.edit(2).await;

    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!(seal.final_seq, Seq(2));
    let delta = seal.delta.as_ref().expect("level 2 hands a delta over");
    assert_eq!(delta.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [Seq(2)]);
    let sealed = ann.sealed().await;
    assert_eq!((sealed.epoch, sealed.seq), (Epoch(1), Seq(2)));
    assert_eq!(step.activate(&new, seal).await.epoch, Epoch(2));
    for (peer, last_cseq) in [(&mut ann_new, 2), (&mut bob_new, 0)] {
        let go = peer.go().await;
        assert_eq!((go.epoch, go.seq, go.last_cseq), (Epoch(2), Seq(2), Cseq(last_cseq)));
    }
    assert_eq!(step.end(&old, Outcome::Release).await, EndAnswer::Gone);
    assert_eq!(step.end(&new, Outcome::Release).await, EndAnswer::Owned { epoch: Epoch(2) });

    ann_new.edit(3).await;
    let update = bob_new.hear().await;
    assert!(matches!(update, ServerMessage::Update(update) if update.seq == Seq(3)));
    // Who has heard `go` closes by itself; who has not is sent after the board.
    ann.leave().await;
    assert_eq!(bob.moved().await, Some(new.connect_to("b")));
    old.until("b", None).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 3)]);
}

#[tokio::test]
async fn what_was_not_durable_at_the_seal_is_written_by_the_new_server() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    ann.edit(1).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut ann_new = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;

    store.appends.shut();
    for cseq in 2..=4 {
        ann.op(cseq).await;
    }
    ann.ack(|ack| ack.cseq == Cseq(4) && !ack.durable).await;
    // The seal does not wait for the store, and neither does the switch.
    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!((seal.final_seq, seal.delta.as_ref().map(Vec::len)), (Seq(4), Some(3)));
    step.activate(&new, seal).await;
    let go = ann_new.go().await;
    assert_eq!((go.seq, go.last_cseq), (Seq(4), Cseq(1)), "only what is durable may be forgotten");
    // The client sends again what it keeps; nothing is applied twice.
    for cseq in 2..=5 {
        ann_new.op(cseq).await;
    }
    store.appends.open();
    ann_new.durable(5).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 5)]);
}

#[tokio::test]
async fn at_level_one_the_new_server_reads_the_board_at_activation() {
    let store = Arc::new(GatedStore::default());
    let level_one = |config: &mut segue_handover::server::ServerConfig| config.level = Level::Attach;
    let old = Node::start_with("old", &store, level_one).await;
    let new = Node::start_with("new", &store, level_one).await;
    let (mut ann, _) = old.joined("b", "ann").await;
    for cseq in 1..=150 {
        ann.op(cseq).await;
    }
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    assert_eq!((prepared.state, prepared.seq), (PrepareState::Standby, Seq(0)), "nothing is read yet");
    step.offer(&old, &prepared.connect).await;
    let mut ann_new = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;

    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!((seal.final_seq, &seal.delta), (Seq(150), &None), "the seal waited for the database");
    assert_eq!(store.inner.log(&board_id("b")).len(), 150);
    step.activate(&new, seal).await;
    assert_eq!(ann_new.go().await.last_cseq, Cseq(150));
    ann_new.edit(151).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 151)]);
}

#[tokio::test]
async fn a_warm_server_and_a_cold_one_understand_each_other() {
    for (old_level, new_level) in [(Level::Attach, Level::Warm), (Level::Warm, Level::Attach)] {
        let store = Arc::new(GatedStore::default());
        let old = Node::start_with("old", &store, |config| config.level = old_level).await;
        let new = Node::start_with("new", &store, |config| config.level = new_level).await;
        let (mut ann, _) = old.joined("b", "ann").await;
        let step = Moving::new("m1", "b", 1);
        for cseq in 1..=100 {
            ann.op(cseq).await;
        }
        ann.durable(100).await;
        let prepared = step.prepare(&new).await;
        for cseq in 101..=200 {
            ann.op(cseq).await;
        }
        ann.durable(200).await;
        let seal = step.seal(&old, Some(prepared.seq)).await;
        step.activate(&new, seal).await;
        step.end(&old, Outcome::Release).await;
        let (_, welcome) = new.joined("b", "ann").await;
        assert_eq!((welcome.epoch, welcome.last_cseq), (Epoch(2), Cseq(200)));
    }
}

#[tokio::test]
async fn edits_made_all_the_while_arrive_exactly_once_through_moves_there_and_back() {
    const EDITS: u64 = 300;
    let store = Arc::new(GatedStore::default());
    let (left, right) = (Node::start("left", &store).await, Node::start("right", &store).await);
    let names = ["ann", "bob", "cy", "dee"];
    let users = names.map(|name| {
        let address = Address { front_door: left.connect.clone(), board: board_id("b") };
        let session = Session::connect(address, client_id(name), Timing::default());
        tokio::spawn(edit_all_the_while(session, EDITS))
    });
    eventually_serving(&left, 4).await;
    let mut nodes = [&left, &right];
    for epoch in 1..=6 {
        let name = format!("m{epoch}");
        Moving::new(&name, "b", epoch).run(nodes[0], nodes[1]).await;
        nodes.reverse();
    }
    for switches in join_all(users).await {
        assert_eq!(switches.expect("the user's task"), 6);
    }
    let log = store.inner.log(&board_id("b"));
    assert_eq!(log.len(), 4 * usize::try_from(EDITS).expect("small"));
    assert_log_is_sound(&log, &names.map(|name| (name, EDITS)));
    assert_eq!((left.server.errors_total(), right.server.errors_total()), (0, 0));
}

async fn eventually_serving(node: &Node, clients: u64) {
    crate::support::eventually(async || node.control.status().await.expect("a status").clients == clients)
        .await;
}

/// An edit on every durable acknowledgement of the one before, until all are made and the sixth move is
/// over; says how many switches there were.
async fn edit_all_the_while(mut session: Session, edits: u64) -> u32 {
    let (mut made, mut switches, mut seen) = (0, 0, 0);
    let mut durable = 0;
    while durable < edits || switches < 6 {
        match session.next().await {
            Told::Joined { again, .. } => {
                assert_eq!(again, 0, "nobody is ever forced to reconnect");
                session.edit(Payload::of(&1).expect("JSON")).expect("there is room");
                made = 1;
            }
            Told::Durable(cseq) => {
                durable = cseq.get();
                // The last tenth waits for the last move, so that every move meets edits.
                if made < edits && (made < edits * 9 / 10 || switches == 6) {
                    made += 1;
                    session.edit(Payload::of(&made).expect("JSON")).expect("there is room");
                }
            }
            Told::Switched { .. } => {
                switches += 1;
                if switches == 6 && made < edits {
                    made += 1;
                    session.edit(Payload::of(&made).expect("JSON")).expect("there is room");
                }
            }
            Told::Update(update) => {
                assert!(update.seq.get() > seen);
                seen = update.seq.get();
            }
            Told::Left { .. } | Told::Broken(_) | Told::Lost { .. } | Told::SentAway => panic!("it broke"),
            Told::Applied(_)
            | Told::Snapshot(_)
            | Told::Attached(_)
            | Told::Sealed(_)
            | Told::Unsealed(_)
            | Told::MoveGivenUp(_) => {}
        }
    }
    switches
}

#[tokio::test]
async fn an_aborted_move_leaves_clients_where_they_are() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut standby = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;

    assert_eq!(step.end(&new, Outcome::Abort).await, EndAnswer::Gone);
    assert_eq!(step.end(&old, Outcome::Abort).await, EndAnswer::Owned { epoch: Epoch(1) });
    standby.until(|message| matches!(message, ServerMessage::Cancel(_)).then_some(())).await;
    assert_eq!(standby.close_code().await, 1000);
    assert_eq!(old.state_of("b").await, Some(BoardState::Active));
    ann.edit(1).await;
}

#[tokio::test]
async fn aborted_after_the_seal_the_old_server_takes_the_board_back_at_once() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.seal(&old, Some(prepared.seq)).await;
    ann.op(1).await;
    assert_eq!(step.end(&old, Outcome::Abort).await, EndAnswer::Owned { epoch: Epoch(2) });
    let epoch = ann
        .until(|message| if let ServerMessage::Unsealed(u) = message { Some(u.epoch) } else { None })
        .await;
    assert_eq!(epoch, Epoch(2));
    // What came during the seal was not applied; the client sends it again.
    ann.edit(1).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 1)]);
}
