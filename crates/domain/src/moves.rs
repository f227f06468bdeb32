//! A wave: boards that are carried across together, one intent and one outcome in the journal.

use crate::ids::{BoardId, InstanceId, MoveId};

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
