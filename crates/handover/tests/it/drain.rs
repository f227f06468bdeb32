//! Level 0, closing, and boards that nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use segue_handover::store::BoardStore as _;
use segue_handover::wire::{
    Connect, Cseq, DrainRequest, Epoch, Level, OpenRequest, ReleaseId, Route, Seq, ServerState,
};

use crate::support::{GatedStore, Node, assert_log_is_sound, board_id, eventually, per_s};

#[tokio::test]
async fn a_drained_server_gives_its_boards_up_before_it_sends_clients_away() {
    let store = Arc::new(GatedStore::default());
    let level_zero = |config: &mut segue_handover::server::ServerConfig| config.level = Level::Drain;
    let old = Node::start_with("old", &store, level_zero).await;
    let new = Node::start_with("new", &store, level_zero).await;
    let mut peers = Vec::new();
    for board in ["b1", "b2", "b3"] {
        let (mut peer, _) = old.joined(board, "ann").await;
        peer.edit(1).await;
        peers.push((board, peer));
    }
    let drain =
        DrainRequest { release: ReleaseId::parse("board-7").expect("an id"), rate_per_s: per_s(1_000) };
    let answer = old.control.drain(&drain).await.expect("drains");
    assert_eq!((answer.boards, answer.clients), (3, 3));
    for (board, peer) in &mut peers {
        assert_eq!(peer.moved().await, None, "the front door knows");
        // Whoever takes the clients can take the board at once.
        let (mut ann, welcome) = new.joined(board, "ann").await;
        assert_eq!((welcome.epoch, welcome.seq, welcome.last_cseq), (Epoch(2), Seq(1), Cseq(1)));
        ann.edit(2).await;
        assert_log_is_sound(&store.inner.log(&board_id(board)), &[("ann", 2)]);
    }
    let status = old.control.status().await.expect("a status");
    assert_eq!((status.state, status.boards, status.clients), (ServerState::Draining, 0, 0));
    assert_eq!(old.control.drain(&drain).await.expect("drains"), answer, "asked again, the same answer");
}

#[tokio::test]
async fn a_drain_keeps_its_pace() {
    let store = Arc::new(GatedStore::default());
    let old = Node::start("old", &store).await;
    let mut peers = Vec::new();
    for board in ["b1", "b2", "b3", "b4"] {
        peers.push(old.joined(board, "ann").await.0);
    }
    let began = tokio::time::Instant::now();
    let drain = DrainRequest { release: ReleaseId::parse("board-7").expect("an id"), rate_per_s: per_s(20) };
    old.control.drain(&drain).await.expect("drains");
    for peer in &mut peers {
        peer.moved().await;
    }
    assert!(began.elapsed() >= Duration::from_millis(150), "three pauses of 50 ms: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_closed_server_claims_nothing_and_keeps_what_it_has() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start("node", &store).await;
    let (_ann, _) = node.joined("here", "ann").await;
    assert_eq!(node.control.close().await.expect("closes").state, ServerState::Closed);
    let mut turned_away = node.join("new", "bob").await;
    assert_eq!(turned_away.moved().await, None);
    assert_eq!(store.inner.row(&board_id("new")).await.expect("memory").epoch, Epoch(0));
    let (mut bob, _) = node.joined("here", "bob").await;
    bob.edit(1).await;
    assert_eq!(node.control.open(&OpenRequest::default()).await.expect("opens").state, ServerState::Serving);
    node.joined("new", "bob").await;
}

#[tokio::test]
async fn a_board_without_clients_closes_after_a_while_and_leaves_its_epoch_behind() {
    let store = Arc::new(GatedStore::default());
    let node =
        Node::start_with("node", &store, |config| config.boards.linger = Duration::from_millis(20)).await;
    let (mut ann, _) = node.joined("b", "ann").await;
    ann.edit(1).await;
    assert_eq!(node.control.status().await.expect("a status").boards, 1);
    ann.leave().await;
    node.until("b", None).await;
    let row = store.inner.row(&board_id("b")).await.expect("memory");
    assert_eq!((row.epoch, row.owner), (Epoch(1), None));
    let (_, welcome) = node.joined("b", "ann").await;
    assert_eq!((welcome.epoch, welcome.last_cseq), (Epoch(2), Cseq(1)));
}

#[tokio::test]
async fn the_route_that_open_tells_is_part_of_where_clients_are_sent() {
    let store = Arc::new(GatedStore::default());
    let node = Node::start_with("node", &store, |config| {
        config.connect = Connect::parse(&format!("{}?srv={{route}}", config.connect)).expect("a connect");
    })
    .await;
    let status = node.control.status().await.expect("a status");
    assert_eq!((status.connect, status.route), (None, None));
    let route = Route::parse("s07").expect("a route");
    let told = OpenRequest { route: Some(route.clone()), attach_rate_per_s: Some(per_s(7)) };
    let status = node.control.open(&told).await.expect("opens");
    assert_eq!(status.route, Some(route));
    assert!(status.connect.is_some_and(|connect| connect.as_str().ends_with("/board/{board}?srv=s07")));
    assert_eq!(status.attach.limit_per_s, 7);
    eventually(async || {
        // The next heartbeat publishes it.
        node.joined("b", "ann").await;
        let row = store.inner.row(&board_id("b")).await.expect("memory");
        row.owner.and_then(|owner| owner.connect).is_some_and(|connect| connect.as_str().ends_with("srv=s07"))
    })
    .await;
}
