//! What the move planner promises, for any boards and servers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segue_domain::app::{BoardRow, BoardState, Caps};
use segue_domain::board_list::{BoardList, Located};
use segue_domain::ids::{BoardId, InstanceId};
use segue_domain::planner::{self, Assignment, Room};

fn row(index: usize, clients: u64, bytes: u64) -> BoardRow {
    BoardRow {
        board: BoardId::new(format!("b{index:04}")),
        epoch: 1,
        state: BoardState::Active,
        clients,
        unsupported: 0,
        attached: 0,
        bytes,
        moving: None,
    }
}

fn room(index: usize) -> Room {
    let caps = Caps { boards: 100, clients: 1_000, bytes: 1_000_000 };
    Room { instance: InstanceId::new(format!("i-{index}")), caps, boards: 0, clients: 0, bytes: 0 }
}

/// What a server holds when it is `percent` full of boards, clients and bytes.
fn loaded(index: usize, percent: (u64, u64, u64)) -> Room {
    let empty = room(index);
    let of = |cap: u64, percent: u64| cap * percent / 100;
    Room {
        boards: of(empty.caps.boards, percent.0),
        clients: of(empty.caps.clients, percent.1),
        bytes: of(empty.caps.bytes, percent.2),
        ..empty
    }
}

fn has_room_for(room: &Room, board: Located<'_>) -> bool {
    room.boards < 85 && room.clients + board.clients() <= 850 && room.bytes + board.bytes() <= 850_000
}

proptest! {
    #[test]
    fn every_board_is_assigned_once_and_no_server_is_overfilled(
        sizes in prop::collection::vec((0_u64..60, 0_u64..40_000), 0..80),
        loads in prop::collection::vec((0_u64..80, 0_u64..80, 0_u64..80), 1..6),
    ) {
        let rows: Vec<BoardRow> = sizes.iter().enumerate().map(|(n, (c, b))| row(n, *c, *b)).collect();
        let list = BoardList::new(InstanceId::new("i-old"), &rows);
        let mut boards: Vec<Located<'_>> = list.iter().collect();
        let rooms: Vec<Room> = loads.iter().enumerate().map(|(n, load)| loaded(n, *load)).collect();
        // What is refused is left out, and so are boards until all fit: each time the refusal must have been right.
        let assignments = loop {
            match planner::assign(&boards, &rooms) {
                Ok(assignments) => break assignments,
                Err(planner::FitsNowhere(refused)) => {
                    let place = boards.iter().position(|it| it.board() == refused).unwrap();
                    let held = planner::assign(&larger_ones(&boards, place), &rooms).unwrap();
                    let full = filled(&rooms, &held);
                    prop_assert!(!full.iter().any(|room| has_room_for(room, boards[place])), "{refused:?}");
                    boards.remove(place);
                }
            }
        };
        prop_assert_eq!(assignments.len(), boards.len());
        for (room, before) in filled(&rooms, &assignments).iter().zip(&rooms) {
            prop_assert!(room == before || room.boards <= 85 && room.clients <= 850 && room.bytes <= 850_000);
        }
    }
}

/// The boards that are placed before one of them: those with a larger dominant share, then by name.
fn larger_ones<'a>(boards: &[Located<'a>], place: usize) -> Vec<Located<'a>> {
    let share = |it: &Located<'_>| {
        let ppm = (it.clients() * 1_000).max(it.bytes()).max(10_000);
        (std::cmp::Reverse(ppm), it.board())
    };
    boards.iter().filter(|it| share(it) < share(&boards[place])).copied().collect()
}

/// The servers as they are when everything assigned has come.
fn filled(rooms: &[Room], assignments: &[Assignment<'_>]) -> Vec<Room> {
    let mut rooms: BTreeMap<InstanceId, Room> =
        rooms.iter().map(|room| (room.instance.clone(), room.clone())).collect();
    for it in assignments {
        let room = rooms.get_mut(&it.to).unwrap();
        room.boards += 1;
        room.clients += it.board.clients();
        room.bytes += it.board.bytes();
    }
    rooms.into_values().collect()
}

#[test]
fn a_board_larger_than_any_server_fits_nowhere() {
    let big = BoardList::new(InstanceId::new("i-old"), &[row(1, 900, 0)]);
    let boards: Vec<Located<'_>> = big.iter().collect();
    let refused = planner::assign(&boards, &[room(1), room(2)]).unwrap_err();
    assert_eq!(refused.0, boards[0].board());
}

#[test]
fn the_first_waves_are_a_trial_with_the_smallest_boards() {
    let rows: Vec<BoardRow> = (0..1_000).map(|n| row(n, u64::try_from(n % 50).unwrap(), 0)).collect();
    let list = BoardList::new(InstanceId::new("i-old"), &rows);
    let boards: Vec<Located<'_>> = list.iter().collect();
    let caps = Caps { boards: 1_000_000, clients: 100_000, bytes: 1_000_000 };
    let rooms: Vec<Room> = (0..3).map(|n| Room { caps, ..room(n) }).collect();
    let mut policy = crate::setup::service().handover;
    let wave_by = |number, policy: &_| {
        planner::wave(planner::assign(&boards, &rooms).unwrap(), number, 1_000, policy)
            .iter()
            .map(|it| it.board.clients())
            .collect::<Vec<u64>>()
    };
    let wave = |number| wave_by(number, &policy);
    assert_eq!(wave(1), [0]);
    assert_eq!(wave(2), [0; 10]);
    assert_eq!(wave(3).len(), 10);
    assert_eq!(wave(4).len(), usize::try_from(policy.wave_boards).unwrap());
    assert_eq!(wave(4)[0], 49, "after the trial the largest go first");
    policy.wave_boards = 4;
    for trial in [2, 3] {
        assert_eq!(wave_by(trial, &policy).len(), 4, "a trial is never bolder than what comes after it");
    }
}
