//! One of a million boards: a number, and a row of the ownership table.

use segue_handover::wire::{BoardId, MoveId};

use super::fleet::ServerNo;

/// The most boards, by the digits of their ids.
pub(crate) const BOARDS_MAX: u32 = 9_999_999;
/// Digits of an id.
const DIGITS: usize = 7;

/// A board. Ids have one length, so that they are in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Board(pub(super) u32);

/// A row of the ownership table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) owner: ServerNo,
    pub(super) epoch: u64,
    /// The move by which it came to its owner.
    pub(super) came_by: Option<Mark>,
    /// How often it changed hands.
    pub(super) moves: u32,
}

/// What a move is told by for ever: its whole id would take ten times the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u32);

impl Board {
    pub(super) fn id(self) -> BoardId {
        BoardId::parse(&format!("b{:0DIGITS$}", self.0)).expect("a letter and digits are an id")
    }

    /// The board of an id; none when no board has such an id.
    pub(super) fn of(id: &BoardId) -> Option<Self> {
        let digits = id.as_str().strip_prefix('b').filter(|digits| digits.len() == DIGITS)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok().map(Self))?
    }

    pub(super) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Mark {
    /// FNV-1a.
    pub(super) fn of(id: &MoveId) -> Self {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        Self(id.as_str().bytes().fold(2_166_136_261, mix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_numbers_and_lead_back() {
        let ids: Vec<_> = [0, 7, 10, 999_999, BOARDS_MAX].map(|n| Board(n).id()).into();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().filter_map(Board::of).map(|board| board.0).max(), Some(BOARDS_MAX));
        for other in ["b1", "c0000001", "b00000001", "b-000001"] {
            assert_eq!(Board::of(&BoardId::parse(other).expect("an id")), None, "{other}");
        }
    }

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Row>() <= 32, "{}", size_of::<Row>());
    }
}
