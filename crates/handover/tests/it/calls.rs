//! The control calls themselves: repeated, in the plural, unsigned, in pages.

use std::num::NonZeroU32;
use std::sync::Arc;

use segue_handover::control::{ControlError, ErrorClass};
use segue_handover::wire::{
    BoardState, EndAnswer, EndRequest, Epoch, Generation, ItemAnswer, ItemResult, Outcome, PREFIX,
    PrepareAnswer, PrepareState, Problem, ProblemCode, Seq, ServerId,
};

use crate::support::{GatedStore, Moving, Node, Peer, board_id, control_client, eventually, move_id};

#[tokio::test]
async fn every_call_about_a_move_gives_the_same_answer_again() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (mut ann, _) = old.joined("b", "ann").await;
    ann.edit(1).await;
    let step = Moving::new("m1", "b", 1);
    let prepared = step.prepare(&new).await;
    assert_eq!(step.prepare(&new).await, prepared);
    let offered = step.offer(&old, &prepared.connect).await;
    assert_eq!(step.offer(&old, &prepared.connect).await, offered);
    let mut ann_new = Peer::attach(&ann.offer().await, "ann").await;
    step.wait_attached(&new, 1).await;
    ann.edit(2).await;
    let seal = step.seal(&old, Some(prepared.seq)).await;
    assert_eq!(step.seal(&old, Some(prepared.seq)).await, seal);
    assert_eq!(step.offer(&old, &prepared.connect).await, offered, "also after the seal");
    let activated = step.activate(&new, seal.clone()).await;
    assert_eq!(step.activate(&new, seal).await, activated);
    ann_new.go().await;
    ann_new.edit(3).await;
    for _ in 0..2 {
        assert_eq!(step.end(&old, Outcome::Release).await, EndAnswer::Gone);
        assert_eq!(step.end(&new, Outcome::Release).await, EndAnswer::Owned { epoch: Epoch(2) });
    }
    old.until("b", None).await;
    assert_eq!(step.end(&old, Outcome::Release).await, EndAnswer::Gone, "also when it is forgotten");
    // One offer, one seal, one go: nothing was said twice.
    assert_eq!(new.state_of("b").await, Some(BoardState::Active));
}

#[tokio::test]
async fn calls_of_another_move_do_not_disturb_the_one_under_way() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let (_ann, _) = old.joined("b", "ann").await;
    let (step, other) = (Moving::new("m1", "b", 1), Moving::new("m2", "b", 1));
    let prepared = step.prepare(&new).await;
    let code = |error: ControlError| error.problem().map(|problem| problem.code);
    let refused = new.control.prepare(&other.prepare_request()).await.expect_err("busy");
    assert_eq!((refused.class(), code(refused)), (ErrorClass::Refused, Some(ProblemCode::OtherMove)));
    step.offer(&old, &prepared.connect).await;
    let refused = old.control.offer(&other.offer_request(&prepared.connect)).await.expect_err("busy");
    assert_eq!(code(refused), Some(ProblemCode::OtherMove));
    let refused = old.control.seal(&other.seal_request(None)).await.expect_err("busy");
    assert_eq!(code(refused), Some(ProblemCode::OtherMove));
    let seal = step.seal(&old, Some(prepared.seq)).await;
    let refused = new.control.activate(&other.activate_request(seal.clone())).await.expect_err("busy");
    assert_eq!(code(refused), Some(ProblemCode::OtherMove));
    let end = EndRequest { move_id: move_id("m2"), board: board_id("b"), outcome: Outcome::Abort };
    assert_eq!(code(old.control.end(&end).await.expect_err("busy")), Some(ProblemCode::OtherMove));
    step.activate(&new, seal).await;
}

#[tokio::test]
async fn a_wrong_epoch_is_refused_with_the_right_one() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (_ann, _) = node.joined("b", "ann").await;
    let refused = node.control.seal(&Moving::new("m1", "b", 7).seal_request(None)).await.expect_err("wrong");
    let problem = refused.problem().expect("a problem document");
    assert_eq!(problem.code, ProblemCode::WrongEpoch);
    assert_eq!(problem.holder.as_ref().map(|holder| holder.epoch), Some(Epoch(1)));
    let unknown = node.control.seal(&Moving::new("m1", "nowhere", 1).seal_request(None)).await;
    let unknown = unknown.expect_err("unknown").problem().expect("a problem document").clone();
    assert_eq!((unknown.code, unknown.status), (ProblemCode::UnknownBoard, 404));
}

#[tokio::test]
async fn a_wave_is_one_call_answered_item_by_item() {
    let store = Arc::new(GatedStore::default());
    let (old, new) = (Node::start("old", &store).await, Node::start("new", &store).await);
    let boards = ["b1", "b2", "b3"];
    let mut peers = Vec::new();
    for board in boards {
        let (mut peer, _) = old.joined(board, "ann").await;
        peer.edit(1).await;
        peers.push(peer);
    }
    // The last one is nobody's: its answer is its own.
    let names = ["m1", "m2", "m3", "m4"];
    let wave: Vec<Moving<'_>> = names
        .iter()
        .zip(boards.into_iter().chain(["nobody"]))
        .map(|(name, board)| Moving::new(name, board, 1))
        .collect();
    let requests = || wave.iter().map(Moving::prepare_request).collect();
    let is_done = |item: &ItemAnswer<PrepareAnswer>| match &item.result {
        ItemResult::Ok(answer) => answer.state == PrepareState::Standby,
        ItemResult::Problem(problem) => {
            assert_eq!((item.board.as_str(), problem.code), ("nobody", ProblemCode::WrongEpoch));
            true
        }
    };
    eventually(async || {
        new.control.prepare_all(requests()).await.expect("answers").answers.iter().all(is_done)
    })
    .await;
    let seals = wave.iter().map(|step| step.seal_request(Some(Seq(1)))).collect();
    let sealed = old.control.seal_all(seals).await.expect("answers").answers;
    let mut activations = Vec::new();
    for (step, item) in wave.iter().zip(sealed) {
        match item.result.into_result() {
            Ok(seal) => activations.push(step.activate_request(seal)),
            Err(problem) => assert_eq!((step.board, problem.code), ("nobody", ProblemCode::UnknownBoard)),
        }
    }
    let activated = new.control.activate_all(activations).await.expect("answers").answers;
    let epochs: Vec<_> =
        activated.into_iter().map(|item| item.result.into_result().map(|ok| ok.epoch)).collect();
    assert_eq!(epochs, [Ok(Epoch(2)), Ok(Epoch(2)), Ok(Epoch(2))]);
    let ends = wave.iter().map(|step| EndRequest {
        move_id: move_id(step.name),
        board: board_id(step.board),
        outcome: Outcome::Release,
    });
    let ended = old.control.end_all(ends.collect()).await.expect("answers").answers;
    assert!(ended.into_iter().all(|item| item.result == ItemResult::Ok(EndAnswer::Gone)));
}

#[tokio::test]
async fn pages_of_boards_and_owners_are_in_order_complete_and_true() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let mut peers = Vec::new();
    for number in 0..7 {
        peers.push(node.joined(&format!("b{number}"), "ann").await.0);
    }
    peers.push(node.joined("b3", "bob").await.0);
    peers[3].edit(1).await;
    let limit = NonZeroU32::new(3);
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = node.control.boards(cursor.as_ref(), limit).await.expect("a page");
        assert!(page.boards.len() <= 3);
        rows.extend(page.boards);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let names: Vec<String> = rows.iter().map(|row| row.board.to_string()).collect();
    assert_eq!(names, (0..7).map(|number| format!("b{number}")).collect::<Vec<_>>());
    assert_eq!((rows[3].clients, rows[3].seq, rows[3].epoch), (2, Seq(1), Epoch(1)));
    assert!(rows[3].ops_per_s > 0.0 && rows[3].bytes > 0);
    let status = node.control.status().await.expect("a status");
    assert_eq!((status.boards, status.clients), (7, 8));

    let other = Node::start("other", &store).await;
    let page = other.control.owners(&node.id, None, NonZeroU32::new(5)).await.expect("a page");
    assert_eq!((page.boards.len(), page.next.map(|next| next.to_string())), (5, Some("b4".to_owned())));
    let nobody = ServerId::parse("nobody").expect("an id");
    assert!(other.control.owners(&nobody, None, None).await.expect("a page").boards.is_empty());
}

#[tokio::test]
async fn a_call_without_a_signature_is_refused_with_a_problem_document() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    // Any client will do; this one only makes sure that one can be built.
    drop(control_client(&node.control_url, &node.id, Generation(1)));
    let url = node.control_url.join(&format!("{PREFIX}/status")).expect("a URL");
    let response = reqwest::get(url).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 401);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Problem = response.json().await.expect("a problem document");
    assert_eq!(problem.code, ProblemCode::MissingCredentials);
}

#[tokio::test]
async fn a_daemon_that_lost_its_lease_may_look_and_not_touch() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let newer = control_client(&node.control_url, &node.id, Generation(5));
    newer.close().await.expect("closes");
    let status = node.control.status().await.expect("looking is allowed");
    assert_eq!(status.generation, Generation(5));
    let refused = node.control.close().await.expect_err("stale");
    assert_eq!(refused.problem().and_then(|problem| problem.generation), Some(Generation(5)));
    let elsewhere = ServerId::parse("i-other").expect("an id");
    let wrong = control_client(&node.control_url, &elsewhere, Generation(9));
    let refused = wrong.status().await.expect_err("another server");
    assert_eq!(refused.problem().map(|problem| problem.status), Some(421));
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable_not_empty() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let control = control_client(&node.control_url, &node.id, Generation(1));
    drop(node);
    crate::support::eventually(
        async || matches!(control.status().await, Err(error) if error.class() == ErrorClass::Retry),
    )
    .await;
}
