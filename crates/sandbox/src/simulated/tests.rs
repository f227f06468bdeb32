//! Moves between two simulated servers, well and badly ended.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;

use segue_handover::auth::{Guard, Key};
use segue_handover::wire::{
    ActivateRequest, BoardId, BoardRow, BoardState, BoardsQuery, EndAnswer, EndRequest, Epoch, MoveId,
    OfferRequest, Outcome, OwnersQuery, PrepareRequest, PrepareState, ProblemCode, SealRequest, Seq,
    ServerId,
};

use super::fleet::{Fleet, ServerNo};
use super::server::Server;
use super::tally::BoardTally;
use crate::world::At;

const TTL_MS: u64 = 1_000;

/// Two servers, of versions 1 and 2; the first has three boards of four clients each.
struct Story {
    fleet: Fleet,
    old: ServerNo,
    new: ServerNo,
    now: At,
}

fn server(name: &str, version: &str, last: u8) -> Server {
    let id = ServerId::parse(name).unwrap();
    let guard = Arc::new(Guard::new(Key::new("0123456789abcdef").unwrap(), id.clone()));
    Server::new(id, version.to_owned(), None, Ipv4Addr::new(127, 64, 0, last), guard, At::from_ms(0))
}

fn the_move() -> MoveId {
    MoveId::parse("m-1").unwrap()
}

/// Whether a board is taken over that nobody sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    No,
    Yes,
}

fn board() -> BoardId {
    BoardId::parse("b0000001").unwrap()
}

impl Story {
    fn begin() -> Self {
        let mut fleet = Fleet::new("ws://127.0.0.1:80".to_owned(), 4);
        let old = fleet.begin(server("i-old", "1", 4));
        fleet.seed(3);
        let new = fleet.begin(server("i-new", "2", 5));
        Self { fleet, old, new, now: At::from_ms(10_000) }
    }

    fn later(&mut self, ms: u64) {
        self.now = At::from_ms(self.now.ms() + ms);
    }

    fn prepare(&mut self, from_epoch: u64) -> Result<(PrepareState, u32), ProblemCode> {
        let request = PrepareRequest {
            move_id: the_move(),
            board: board(),
            from_epoch: Epoch(from_epoch),
            ttl_ms: 10_000,
            attach_rate_per_s: NonZeroU32::new(10),
        };
        let answer = self.fleet.prepare(self.new, &request, self.now);
        answer.map(|ready| (ready.state, ready.attached)).map_err(|problem| problem.code)
    }

    /// Tells the old server's clients of the new one, as its `prepare` said it.
    fn offer(&mut self) -> Result<u32, ProblemCode> {
        let to = self.fleet.connect(self.fleet.server(self.new).unwrap()).for_board(&board());
        let rate_per_s = NonZeroU32::new(100).unwrap();
        let request =
            OfferRequest { move_id: the_move(), board: board(), connect: to, rate_per_s, deadline_ms: 9_000 };
        self.fleet
            .offer(self.old, &request, self.now)
            .map(|told| told.offered)
            .map_err(|problem| problem.code)
    }

    fn seal(&mut self, epoch: u64) -> Result<(), ProblemCode> {
        let (move_id, board) = (the_move(), board());
        let request =
            SealRequest { move_id, board, epoch: Epoch(epoch), seal_ttl_ms: TTL_MS, standby_seq: None };
        self.fleet.seal(self.old, &request, self.now).map(drop).map_err(|problem| problem.code)
    }

    fn activate(&mut self, from_epoch: u64) -> Result<u64, ProblemCode> {
        self.take(from_epoch, Force::No)
    }

    fn take(&mut self, from_epoch: u64, force: Force) -> Result<u64, ProblemCode> {
        let request = ActivateRequest {
            move_id: the_move(),
            board: board(),
            from_epoch: Epoch(from_epoch),
            final_seq: Some(Seq::ZERO),
            delta: None,
            digest: None,
            force: force == Force::Yes,
        };
        let answer = self.fleet.activate(self.new, &request, self.now);
        answer.map(|active| active.epoch.get()).map_err(|problem| problem.code)
    }

    fn end(&mut self, on: ServerNo, outcome: Outcome) -> EndAnswer {
        self.tries_to_end(on, outcome).unwrap()
    }

    fn tries_to_end(&mut self, on: ServerNo, outcome: Outcome) -> Result<EndAnswer, ProblemCode> {
        let request = EndRequest { move_id: the_move(), board: board(), outcome };
        self.fleet.end(on, &request, self.now).map_err(|problem| problem.code)
    }

    /// How many boards the ownership table gives to a server.
    fn owned(&self, server: &str) -> usize {
        let server = ServerId::parse(server).unwrap();
        self.fleet.owners_page(&OwnersQuery { server, cursor: None, limit: None }).boards.len()
    }

    fn tally(&mut self) -> BoardTally {
        self.fleet.tally(self.now)
    }

    /// Boards by the count: on one living server, on an ended one, on none, on several, disputed.
    fn counted(&mut self) -> [u64; 5] {
        let tally = self.tally();
        [tally.on_one_living, tally.on_ended, tally.on_none, tally.on_several, tally.disputed]
    }

    fn row(&mut self, on: ServerNo) -> Option<BoardRow> {
        let page = self.fleet.boards_page(on, &BoardsQuery::default(), self.now);
        page.boards.into_iter().find(|row| row.board == board())
    }
}

#[test]
fn a_board_is_moved_once_however_often_it_is_asked() {
    let mut story = Story::begin();
    let (old, new) = (story.old, story.new);
    assert_eq!(story.prepare(1), Ok((PrepareState::Standby, 0)));
    assert_eq!(story.offer(), Ok(4));
    // Ten a second come in.
    story.later(200);
    assert_eq!(story.row(new).map(|row| (row.state, row.attached)), Some((BoardState::Standby, 2)));
    story.later(200);
    assert_eq!(story.prepare(1), Ok((PrepareState::Standby, 4)));
    for _ in 0..2 {
        assert_eq!(story.seal(1), Ok(()));
    }
    assert_eq!(story.row(old).map(|row| row.state), Some(BoardState::Sealed));
    for _ in 0..2 {
        assert_eq!(story.activate(1), Ok(2));
    }
    assert_eq!(story.prepare(1), Ok((PrepareState::Active, 4)));
    assert_eq!(story.end(old, Outcome::Release), EndAnswer::Gone);
    assert_eq!(story.end(new, Outcome::Release), EndAnswer::Owned { epoch: Epoch(2) });
    assert!(story.row(old).is_none());
    let tally = BoardTally {
        boards: 3,
        on_one_living: 3,
        by_version: [("1".to_owned(), 2), ("2".to_owned(), 1)].into(),
        by_moves: [(0, 2), (1, 1)].into(),
        ..BoardTally::default()
    };
    assert_eq!(story.tally(), tally);
}

#[test]
fn nothing_is_activated_that_was_not_sealed() {
    let mut story = Story::begin();
    assert_eq!(story.activate(1), Err(ProblemCode::UnknownBoard));
    story.prepare(1).unwrap();
    assert_eq!(story.activate(1), Err(ProblemCode::WrongState));
    assert_eq!((story.prepare(7).is_ok(), story.seal(7)), (true, Err(ProblemCode::WrongEpoch)));
}

#[test]
fn a_seal_that_hears_nothing_ends_and_the_new_server_is_too_late() {
    let mut story = Story::begin();
    let old = story.old;
    story.prepare(1).unwrap();
    story.seal(1).unwrap();
    story.later(TTL_MS);
    assert_eq!(story.activate(1), Err(ProblemCode::Held));
    assert_eq!(story.row(old).map(|row| (row.state, row.epoch)), Some((BoardState::Active, Epoch(2))));
}

#[test]
fn a_move_that_is_called_off_leaves_the_board_where_it_is() {
    let mut story = Story::begin();
    let (old, new) = (story.old, story.new);
    story.prepare(1).unwrap();
    story.seal(1).unwrap();
    assert_eq!(story.end(old, Outcome::Abort), EndAnswer::Owned { epoch: Epoch(2) });
    assert_eq!(story.end(new, Outcome::Abort), EndAnswer::Gone);
    assert!(story.row(new).is_none());
    assert_eq!(story.tally().on_one_living, 3);
}

#[test]
fn a_closed_server_prepares_nothing() {
    let mut story = Story::begin();
    let new = story.new;
    story.fleet.close(new);
    assert_eq!(story.prepare(1), Err(ProblemCode::WrongState));
}

#[test]
fn the_boards_of_a_server_that_ended_are_its_own_and_served_by_nobody() {
    let mut story = Story::begin();
    let old = story.old;
    story.fleet.end_server(old);
    let tally = story.tally();
    assert_eq!((tally.on_one_living, tally.on_ended), (0, 3));
    assert_eq!(story.owned("i-old"), 3);
    let again = story.fleet.begin(server_again());
    assert_eq!((again, story.tally().on_one_living), (old, 3));
}

#[test]
fn the_old_server_lists_a_board_until_it_hears_of_the_end_of_its_move() {
    let mut story = Story::begin();
    let (old, new) = (story.old, story.new);
    story.prepare(1).unwrap();
    story.seal(1).unwrap();
    assert_eq!(story.activate(1), Ok(2));
    let of = |row: Option<BoardRow>| row.map(|row| (row.state, row.epoch.get()));
    assert_eq!(of(story.row(old)), Some((BoardState::Sealed, 1)));
    assert_eq!(of(story.row(new)), Some((BoardState::Active, 2)));
    assert_eq!(story.counted(), [2, 0, 0, 1, 0]);
    assert_eq!(story.tries_to_end(new, Outcome::Abort), Err(ProblemCode::WrongState), "it is done");
    story.end(old, Outcome::Release);
    assert_eq!(story.counted(), [3, 0, 0, 0, 0]);
}

#[test]
fn an_old_server_that_hears_nothing_lets_a_board_go_when_its_seal_is_over() {
    let mut story = Story::begin();
    story.prepare(1).unwrap();
    story.seal(1).unwrap();
    story.activate(1).unwrap();
    story.later(TTL_MS);
    assert_eq!(story.counted(), [3, 0, 0, 0, 0]);
    assert!(story.row(story.old).is_none());
}

/// Each in an order that the contract forbids: the count takes nobody's word alone.
#[test]
fn a_release_before_the_activation_leaves_a_board_on_no_list() {
    let mut story = Story::begin();
    let old = story.old;
    story.prepare(1).unwrap();
    assert_eq!(story.tries_to_end(old, Outcome::Release), Err(ProblemCode::WrongState), "nothing is sealed");
    story.seal(1).unwrap();
    assert_eq!(story.end(old, Outcome::Release), EndAnswer::Gone);
    assert_eq!(story.counted(), [2, 0, 1, 0, 0]);
    assert_eq!(story.owned("i-old"), 3, "the table has not changed");
}

#[test]
fn a_board_that_is_taken_by_force_from_a_living_server_is_on_two_lists_and_then_disputed() {
    let mut story = Story::begin();
    let new = story.new;
    story.prepare(1).unwrap();
    assert_eq!(story.take(1, Force::Yes), Ok(2));
    assert_eq!(story.counted(), [2, 0, 0, 1, 0]);
    assert_eq!((story.owned("i-old"), story.owned("i-new")), (2, 1));
    story.fleet.end_server(new);
    assert_eq!(story.counted(), [2, 0, 0, 0, 1]);
}

#[test]
fn a_server_that_ends_before_its_boards_have_left_leaves_them_to_nobody() {
    let mut story = Story::begin();
    let old = story.old;
    story.prepare(1).unwrap();
    story.seal(1).unwrap();
    story.activate(1).unwrap();
    story.fleet.end_server(old);
    assert_eq!(story.counted(), [1, 2, 0, 0, 0], "one was its new server's already");
}

fn server_again() -> Server {
    server("i-old", "1", 4)
}

#[test]
fn pages_are_in_order_and_end() {
    let mut story = Story::begin();
    let (old, now) = (story.old, story.now);
    let mut query = BoardsQuery { cursor: None, limit: NonZeroU32::new(2) };
    let first = story.fleet.boards_page(old, &query, now);
    assert_eq!(
        first.boards.iter().map(|row| row.board.as_str()).collect::<Vec<_>>(),
        ["b0000000", "b0000001"]
    );
    query.cursor = first.next;
    let second = story.fleet.boards_page(old, &query, now);
    assert_eq!((second.boards.len(), second.next), (1, None));
}
