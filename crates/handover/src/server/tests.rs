//! A server's inside: what it keeps of those who were there.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::slot::Slot;
use super::{Server, ServerConfig};
use crate::auth::Key;
use crate::board::testing::{TestDocument, client};
use crate::board::{ConnId, Doors, Newcomer, Speaks};
use crate::document::Document;
use crate::store::memory::MemoryStore;
use crate::wire::{
    BoardId, BoardState, Connect, DrainRequest, Epoch, Hello, MoveId, OpenRequest, PrepareRequest, ReleaseId,
    ServerId,
};

fn server() -> Server {
    let key = Key::new("the key of these tests").expect("long enough");
    let new_document = Arc::new(|_: &_| -> Box<dyn Document> { Box::new(TestDocument::default()) });
    let id = ServerId::parse("here").expect("an id");
    let connect = Connect::parse("ws://here/{board}").expect("a connect");
    let config = ServerConfig::new(id, key, connect, new_document);
    Server::start(config, Arc::new(MemoryStore::default()))
}

fn the_board() -> BoardId {
    BoardId::parse("b").expect("an id")
}

fn slot(server: &Server) -> Arc<Slot> {
    server.0.slot_or_full(&the_board()).expect("there is room")
}

fn join(slot: &Arc<Slot>, number: u64) {
    let (link, _queue) = mpsc::channel(8);
    let (conn, name) = (ConnId(number), format!("client-{number}"));
    let hello = Hello { client: client(&name), last_seq: None, epoch: None };
    let who = Newcomer { conn, speaks: Speaks::Handover };
    slot.apply_linked(Some((conn, link)), |board, now, fx| board.join(now, who, hello, fx));
}

fn prepare(number: u32, ttl_ms: u64) -> PrepareRequest {
    let move_id = MoveId::parse(&format!("m{number}")).expect("an id");
    PrepareRequest { move_id, board: the_board(), from_epoch: Epoch(0), ttl_ms, attach_rate_per_s: None }
}

#[tokio::test(start_paused = true)]
async fn of_those_who_left_nothing_is_kept() {
    let server = server();
    let slot = slot(&server);
    for number in 0..=1_000 {
        join(&slot, number);
        if number > 0 {
            slot.leave(ConnId(number));
        }
    }
    assert_eq!(slot.links(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_board_sleeps_in_one_task_however_often_it_wants_to_be_woken_earlier() {
    let server = server();
    let metrics = tokio::runtime::Handle::current().metrics();
    server.prepare(&prepare(0, 60_000)).expect("prepares");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = metrics.num_alive_tasks();
    for number in 0..100 {
        server.prepare(&prepare(number, 1)).expect("prepares");
        tokio::time::sleep(Duration::from_millis(2)).await;
        server.prepare(&prepare(number + 1, 60_000)).expect("prepares");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(metrics.num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_emptied_by_one_task_however_often_its_drain_begins_anew() {
    let server = server();
    // Each drain begins with one board at once.
    for number in 0..20 {
        let board = BoardId::parse(&format!("b{number}")).expect("an id");
        join(&server.0.slot_or_full(&board).expect("there is room"), number);
    }
    let release = ReleaseId::parse("board-7").expect("an id");
    let slowly = DrainRequest { release, rate_per_s: NonZeroU32::MIN };
    let metrics = tokio::runtime::Handle::current().metrics();
    let settled = || tokio::time::sleep(Duration::from_millis(1));
    settled().await;
    let undisturbed = metrics.num_alive_tasks();
    for _ in 0..10 {
        server.drain(&slowly);
        settled().await;
        assert_eq!(metrics.num_alive_tasks(), undisturbed + 1);
        server.open(OpenRequest::default());
    }
    settled().await;
    assert_eq!(metrics.num_alive_tasks(), undisturbed);
}

#[tokio::test(start_paused = true)]
async fn a_prepare_that_finds_a_board_on_its_way_out_of_the_list_takes_a_new_one() {
    let server = server();
    let gone = slot(&server);
    gone.apply(|board, now, fx| board.wake(now, Doors::Open, fx));
    assert!(server.0.boards.all().is_empty());
    // As in the moment between its going and its leaving the list.
    server.0.boards.get_or_add(&the_board(), 1, || Arc::clone(&gone));
    server.prepare(&prepare(0, 60_000)).expect("prepares");
    let here = server.0.boards.get(&the_board()).expect("in the list");
    assert!(!Arc::ptr_eq(&here, &gone));
    assert!(gone.look(|board| board.row(server.0.now())).is_none());
    assert_eq!(here.look(|board| board.row(server.0.now())).map(|row| row.state), Some(BoardState::Loading));
}
