//! What the move planner promises, for any boards and servers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segue_domain::app::{BoardRow, BoardState, Caps};
use segue_domain::ids::{BoardId, InstanceId};
use segue_domain::planner::{self, Located, Room};

fn row(index: usize, clients: u64, bytes: u64) -> BoardRow {
    BoardRow {
        board: BoardId::new(format!("b{index:04}")),
        epoch: 1,
        state: BoardState::Active,
        clients,
        attached: 0,
        bytes,
        moving: None,
    }
}

fn room(index: usize) -> Room {
    let caps = Caps { boards: 100, clients: 1_000, bytes: 1_000_000 };
    Room { instance: InstanceId::new(format!("i-{index}")), caps, boards: 0, clients: 0, bytes: 0 }
}

proptest! {
    #[test]
    fn every_board_is_assigned_once_and_no_server_is_overfilled(
        sizes in prop::collection::vec((0_u64..300, 0_u64..200_000), 0..120),
        servers in 1_usize..6,
    ) {
        let rows: Vec<BoardRow> = sizes.iter().enumerate().map(|(n, (c, b))| row(n, *c, *b)).collect();
        let on = InstanceId::new("i-old");
        let boards: Vec<Located<'_>> = rows.iter().map(|row| Located { on: &on, row }).collect();
        let rooms: Vec<Room> = (0..servers).map(room).collect();
        let Ok(assignments) = planner::assign(&boards, &rooms) else { return Ok(()) };
        prop_assert_eq!(assignments.len(), rows.len());
        let mut loads: BTreeMap<&InstanceId, (u64, u64, u64)> = BTreeMap::new();
        for it in &assignments {
            let load = loads.entry(&it.to).or_default();
            load.0 += 1;
            load.1 += it.board.row.clients;
            load.2 += it.board.row.bytes;
        }
        for (boards, clients, bytes) in loads.values() {
            prop_assert!(*boards <= 85 && *clients <= 850 && *bytes <= 850_000);
        }
    }
}

#[test]
fn a_board_larger_than_any_server_fits_nowhere() {
    let (big, on) = (row(1, 900, 0), InstanceId::new("i-old"));
    let boards = [Located { on: &on, row: &big }];
    let refused = planner::assign(&boards, &[room(1), room(2)]).unwrap_err();
    assert_eq!(refused.0, big.board);
}

#[test]
fn the_first_waves_are_a_trial_with_the_smallest_boards() {
    let rows: Vec<BoardRow> = (0..1_000).map(|n| row(n, u64::try_from(n % 50).unwrap(), 0)).collect();
    let on = InstanceId::new("i-old");
    let boards: Vec<Located<'_>> = rows.iter().map(|row| Located { on: &on, row }).collect();
    let caps = Caps { boards: 1_000_000, clients: 100_000, bytes: 1_000_000 };
    let rooms: Vec<Room> = (0..3).map(|n| Room { caps, ..room(n) }).collect();
    let policy = crate::setup::service().handover;
    let wave = |number| {
        planner::wave(planner::assign(&boards, &rooms).unwrap(), number, 1_000, &policy)
            .iter()
            .map(|it| it.board.row.clients)
            .collect::<Vec<u64>>()
    };
    assert_eq!(wave(1), [0]);
    assert_eq!(wave(2), [0; 10]);
    assert_eq!(wave(3).len(), 10);
    assert_eq!(wave(4).len(), usize::try_from(policy.wave_boards).unwrap());
    assert_eq!(wave(4)[0], 49, "after the trial the largest go first");
}
