//! Where a move stands, from what both servers say; pure.

use segue_domain::app::{BoardRow, BoardState};
use segue_domain::moves::Move;

use super::sides::Lists;

/// What has to be done for one board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// The old server serves it: the move begins, or goes on from wherever it stopped.
    Fresh,
    /// Sealed, and the new server is ready: its clients wait, so it is finished first.
    SealedWithStandby { clients: u64 },
    /// Sealed, and nobody is ready to take it.
    SealedAlone,
    /// It is on the new server already.
    Activated { clients: u64 },
    /// It left the old server, and the new one has not got it.
    Gone,
    /// It cannot be told, or it is not the board that was planned for.
    Unclear(String),
}

pub(super) fn of(one: &Move, old: &Lists, new: &Lists) -> Standing {
    let there = new.row(&one.to, &one.board);
    if let Ok(Some(row)) = there
        && row.state.is_owned_here()
    {
        return Standing::Activated { clients: row.clients };
    }
    let here = match old.row(&one.from, &one.board) {
        Ok(here) => here.filter(|row| row.state.is_owned_here()),
        Err(why) => return Standing::Unclear(format!("{}'s boards could not be read: {why}", one.from)),
    };
    match (here, there) {
        (_, Err(why)) => Standing::Unclear(format!("{}'s boards could not be read: {why}", one.to)),
        (None, Ok(_)) => Standing::Gone,
        (Some(row), Ok(_)) if row.epoch != one.epoch => {
            let (now, planned) = (row.epoch, one.epoch);
            Standing::Unclear(format!("it is held under epoch {now}, and the move was planned for {planned}"))
        }
        (Some(row), Ok(there)) => match row.state {
            BoardState::Sealed if is_standby(one, there) => {
                Standing::SealedWithStandby { clients: row.followers() }
            }
            BoardState::Sealed => Standing::SealedAlone,
            BoardState::Active | BoardState::Offered => Standing::Fresh,
            BoardState::Released | BoardState::Loading | BoardState::Standby | BoardState::Passing => {
                Standing::Gone
            }
        },
    }
}

/// The new server is ready for this very move.
pub(super) fn is_standby(one: &Move, there: Option<&BoardRow>) -> bool {
    there.is_some_and(|row| row.state == BoardState::Standby && row.moving.as_ref() == Some(&one.id))
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::{BoardId, InstanceId, MoveId};

    use super::*;

    fn one() -> Move {
        Move {
            id: MoveId::new("m"),
            board: BoardId::new("b"),
            epoch: 4,
            from: InstanceId::new("i-old"),
            to: InstanceId::new("i-new"),
        }
    }

    fn row(state: BoardState, epoch: u64) -> BoardRow {
        let moving = Some(MoveId::new("m"));
        BoardRow {
            board: BoardId::new("b"),
            epoch,
            state,
            clients: 3,
            unsupported: 0,
            attached: 0,
            bytes: 0,
            moving,
        }
    }

    #[track_caller]
    fn check(old: Option<BoardRow>, new: Option<BoardRow>, expected: &Standing) {
        let old = Lists::of(vec![(InstanceId::new("i-old"), Ok(old.into_iter().collect()))]);
        let new = Lists::of(vec![(InstanceId::new("i-new"), Ok(new.into_iter().collect()))]);
        assert_eq!(of(&one(), &old, &new), *expected);
    }

    #[test]
    fn a_board_that_the_old_server_serves_begins_or_goes_on() {
        check(Some(row(BoardState::Active, 4)), None, &Standing::Fresh);
        check(Some(row(BoardState::Offered, 4)), Some(row(BoardState::Standby, 4)), &Standing::Fresh);
    }

    #[test]
    fn a_board_on_the_new_server_has_moved_whatever_the_old_one_says() {
        let moved = Standing::Activated { clients: 3 };
        check(None, Some(row(BoardState::Active, 5)), &moved);
        check(Some(row(BoardState::Released, 4)), Some(row(BoardState::Active, 5)), &moved);
        check(Some(row(BoardState::Sealed, 4)), Some(row(BoardState::Active, 5)), &moved);
    }

    #[test]
    fn a_sealed_board_is_finished_only_when_somebody_is_ready_for_it() {
        let sealed = || Some(row(BoardState::Sealed, 4));
        check(sealed(), Some(row(BoardState::Standby, 4)), &Standing::SealedWithStandby { clients: 3 });
        check(sealed(), None, &Standing::SealedAlone);
        let for_another = BoardRow { moving: Some(MoveId::new("x")), ..row(BoardState::Standby, 4) };
        check(sealed(), Some(for_another), &Standing::SealedAlone);
    }

    #[test]
    fn a_board_that_left_by_itself_is_gone_and_one_under_another_epoch_is_not_the_one() {
        check(None, None, &Standing::Gone);
        check(Some(row(BoardState::Released, 4)), None, &Standing::Gone);
        let why = "it is held under epoch 6, and the move was planned for 4".to_owned();
        check(Some(row(BoardState::Active, 6)), None, &Standing::Unclear(why));
    }

    #[test]
    fn a_side_that_cannot_be_read_makes_nothing_gone() {
        let blind = || Lists::of(vec![(InstanceId::new("i-old"), Err("cut".to_owned()))]);
        let new = Lists::of(vec![(InstanceId::new("i-new"), Ok(vec![]))]);
        assert!(matches!(of(&one(), &blind(), &new), Standing::Unclear(_)));
        let old = Lists::of(vec![(InstanceId::new("i-old"), Ok(vec![]))]);
        assert!(matches!(of(&one(), &old, &blind()), Standing::Unclear(_)));
    }
}
