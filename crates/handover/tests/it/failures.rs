//! Somebody dies, is cut off, or comes too late.

use std::sync::Arc;

use segue_handover::control::ControlError;
use segue_handover::server::Server;
use segue_handover::store::BoardStore;
use segue_handover::wire::{
    ActivateRequest, BoardState, Connect, Cseq, EndAnswer, EndRequest, Epoch, Outcome, ProblemCode, Seq,
    ServerId, ServerMessage,
};

use crate::support::{GatedStore, Moving, Node, Peer, assert_log_is_sound, board_id, config, move_id};

fn code<T: std::fmt::Debug>(result: Result<T, ControlError>) -> ProblemCode {
    result.expect_err("refused").problem().expect("with a problem document").code
}

#[tokio::test]
async fn a_seal_that_nobody_ends_is_over_after_its_ttl() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving { seal_ttl_ms: 200, ..Moving::new("m1", "b", 1) };
    let prepared = step.prepare(&new).await;
    let seal = step.seal(&old, Some(prepared.seq)).await;
    ann.sealed().await;
    let sealed_at = tokio::time::Instant::now();
    ann.until(|message| matches!(message, ServerMessage::Unsealed(u) if u.epoch == Epoch(2)).then_some(()))
        .await;
    let stalled_ms = sealed_at.elapsed().as_millis();
    assert!((100..5_000).contains(&stalled_ms), "{stalled_ms} ms");
    ann.edit(1).await;

    // Too late: the compare-and-set is lost, and the answer says to whom.
    let refused = new.control.activate(&step.activate_request(seal)).await.expect_err("too late");
    let problem = refused.problem().expect("a problem document");
    assert_eq!(problem.code, ProblemCode::Held);
    let holder = problem.holder.as_ref().expect("with the holder");
    assert_eq!((holder.epoch, holder.owner.as_ref()), (Epoch(2), Some(&old.id)));
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 1)]);
}

#[tokio::test]
async fn when_activation_races_the_ttl_exactly_one_wins_and_the_loser_steps_down() {
    for _ in 0..20 {
        let store = Arc::new(GatedStore::default());
        let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
        let (mut ann, _) = old.joined("b", "ann").await;
        let step = Moving { seal_ttl_ms: 1, ..Moving::new("m1", "b", 1) };
        let prepared = step.prepare(&new).await;
        store.claims.shut();
        let seal = step.seal(&old, Some(prepared.seq)).await;
        let activation = step.activate_request(seal);
        let activated = tokio::spawn({
            let control = new.control.clone();
            async move { control.activate(&activation).await }
        });
        store.claims.wait_for_waiting(2).await;
        store.claims.open();
        match activated.await.expect("the task") {
            Ok(answer) => {
                assert_eq!(answer.epoch, Epoch(2));
                assert_eq!(ann.moved().await, Some(new.connect_to("b")));
                assert_eq!(new.state_of("b").await, Some(BoardState::Active));
            }
            Err(error) => {
                assert_eq!(error.problem().map(|problem| problem.code), Some(ProblemCode::Held));
                ann.until(|message| matches!(message, ServerMessage::Unsealed(_)).then_some(())).await;
                ann.edit(1).await;
                assert_eq!(new.state_of("b").await, None);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_was_given_up_for_dead_cannot_write_and_steps_down() {
    let store = Arc::new(GatedStore::default());
    // Nobody's heartbeat comes by itself within this test.
    store.heartbeats.shut();
    let cut_off = Node::start("cut-off", &store).await;
    let other = Node::start("other", &store).await;
    let (mut ann, _) = cut_off.joined("b", "ann").await;
    ann.edit(1).await;
    store.inner.bury(&cut_off.id);
    let (mut bob, welcome) = other.joined("b", "bob").await;
    assert_eq!((welcome.epoch, welcome.seq), (Epoch(2), Seq(1)));

    ann.op(2).await;
    assert_eq!(ann.moved().await, Some(other.connect_to("b")));
    cut_off.until("b", None).await;
    bob.edit(1).await;
    let (mut ann, welcome) = other.joined("b", "ann").await;
    assert_eq!(welcome.last_cseq, Cseq(1));
    ann.edit(2).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 2), ("bob", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_slow_to_take_heartbeats_is_sent_the_next_one_in_time() {
    let store = Arc::new(GatedStore::default());
    store.heartbeats.shut();
    let shared: Arc<dyn BoardStore> = Arc::<GatedStore>::clone(&store);
    let id = ServerId::parse("node").expect("an id");
    let connect = Connect::parse("ws://node/{board}").expect("a connect");
    let began = tokio::time::Instant::now();
    let _server = Server::start(config(&id, &connect), shared);
    store.heartbeats.wait_for_waiting(4).await;
    assert_eq!(began.elapsed().as_secs(), 3, "one each second");
}

#[tokio::test]
async fn a_warm_standby_takes_over_from_a_dead_server() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    ann.edit(1).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut ann_new = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;
    ann.edit(2).await;
    drop(old);

    let force = ActivateRequest {
        final_seq: None,
        delta: None,
        digest: None,
        force: true,
        ..step.activate_request(segue_handover::wire::SealAnswer {
            final_seq: Seq(0),
            delta: None,
            digest: None,
        })
    };
    assert_eq!(new.control.activate(&force).await.expect("activates").epoch, Epoch(2));
    let go = ann_new.go().await;
    assert_eq!((go.seq, go.last_cseq), (Seq(2), Cseq(2)), "it read what came after it was prepared");
    ann_new.edit(3).await;
    assert_log_is_sound(&store.inner.log(&board_id("b")), &[("ann", 3)]);
}

#[tokio::test]
async fn a_standby_that_nobody_activates_is_given_up_after_its_ttl() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    step.offer(&old, &prepared.connect).await;
    let mut standby = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;
    // A repeated prepare sets the ttl anew.
    let mut short = step.prepare_request();
    short.ttl_ms = 50;
    new.control.prepare(&short).await.expect("prepares");
    standby.until(|message| matches!(message, ServerMessage::Cancel(_)).then_some(())).await;
    assert_eq!(standby.close_code().await, 1000);
    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!(code(new.control.activate(&step.activate_request(seal)).await), ProblemCode::WrongState);
    assert_eq!(step.end(&old, Outcome::Abort).await, EndAnswer::Owned { epoch: Epoch(2) });
}

#[tokio::test]
async fn a_standby_that_lacks_edits_or_holds_others_does_not_take_the_board() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    ann.edit(1).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    let seal = step.seal(&old, Some(prepared.seq)).await;
    let mut too_far = step.activate_request(seal.clone());
    too_far.final_seq = Some(Seq(9));
    let refused = new.control.activate(&too_far).await.expect_err("edits are missing");
    let problem = refused.problem().expect("a problem document");
    assert_eq!((problem.code, problem.seq), (ProblemCode::Incomplete, Some(Seq(1))));

    let again = Moving::new("m2", "b", 1);
    again.prepare(&new).await;
    let mut other = again.activate_request(seal);
    other.digest = Some(segue_handover::wire::Digest("00".to_owned()));
    assert_eq!(code(new.control.activate(&other).await), ProblemCode::DigestMismatch);
    assert_eq!(step.end(&old, Outcome::Abort).await, EndAnswer::Owned { epoch: Epoch(2) });
    ann.edit(2).await;
}

#[tokio::test]
async fn a_release_that_comes_too_late_does_not_take_the_board_from_its_users() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    let step = Moving { seal_ttl_ms: 1, ..Moving::new("m1", "b", 1) };
    step.prepare(&new).await;
    step.seal(&old, None).await;
    ann.until(|message| matches!(message, ServerMessage::Unsealed(_)).then_some(())).await;
    let end = EndRequest { move_id: move_id("m1"), board: board_id("b"), outcome: Outcome::Release };
    assert_eq!(code(old.control.end(&end).await), ProblemCode::WrongState);
    ann.edit(1).await;
}
