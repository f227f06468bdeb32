//! A wave: boards that are carried across together, one intent and one outcome in the journal.

use crate::fingerprint::fingerprint;
use crate::ids::{BoardId, InstanceId, MoveId, ReleaseId};

/// Some boards, each with its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// Counts from 1 in each direction of a release.
    pub number: u32,
    pub direction: Direction,
    pub moves: Vec<Move>,
}

/// One board's way from one instance to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub id: MoveId,
    pub board: BoardId,
    /// The epoch under which `from` holds the board; the move makes it `epoch + 1`.
    pub epoch: u64,
    pub from: InstanceId,
    pub to: InstanceId,
}

/// Away from the old servers, or back to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Out,
    Back,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Back => "back",
        }
    }
}

impl MoveId {
    /// The same for the same move, so that a repeated call is known for what it is, and another one for any
    /// other: a hash of what makes the move this one. Names are free text; the id is not. The
    /// new server is not in it: a board that is sent elsewhere under the same epoch is the same move again.
    pub fn of(release: &ReleaseId, direction: Direction, board: &BoardId, epoch: u64) -> Self {
        let text = format!("{release}\n{}\n{epoch}\n{board}", direction.name());
        Self::new(fingerprint(&text))
    }
}

/// What became of a wave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveResult {
    pub boards_moved: u32,
    pub clients_moved: u32,
    /// Boards that had left their old server by themselves before their turn came.
    pub boards_gone: u32,
    /// Boards that stayed where they were, with the reason; the next wave takes them again.
    pub exceptions: Vec<MoveException>,
}

/// A board that stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveException {
    pub board: BoardId,
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ServiceName;

    #[test]
    fn a_move_has_an_id_of_its_own_and_always_the_same() {
        let release = |number| ReleaseId { service: ServiceName::new("boards"), number };
        let of = |number, direction, board: &str, epoch| {
            MoveId::of(&release(number), direction, &BoardId::new(board), epoch)
        };
        let one = of(7, Direction::Out, "b1", 3);
        assert_eq!(one, of(7, Direction::Out, "b1", 3));
        for other in [
            of(8, Direction::Out, "b1", 3),
            of(7, Direction::Back, "b1", 3),
            of(7, Direction::Out, "b2", 3),
            of(7, Direction::Out, "b1", 4),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one.as_str().len(), 32);
    }
}
