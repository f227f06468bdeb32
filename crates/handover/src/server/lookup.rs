//! From a board's id to a board that is there. One that goes away under its caller is looked up again, and
//! no more are begun than the server may have.

use std::sync::Arc;

use super::Inner;
use super::slot::{Link, Slot};
use crate::board::{Board, ConnId, Effects, Moment};
use crate::wire::BoardId;

/// How often a board that went away under its caller is looked up again.
const MAX_LOOKUPS: u8 = 8;

/// Why there is no board to speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBoard {
    Unknown,
    /// This one would be more than the server may have.
    Full,
    /// It came and went as often as it was looked up.
    Unsettled,
    Stopping,
}

impl Inner {
    /// The board's slot, made if there is none.
    pub(super) fn slot_or_full(self: &Arc<Self>, board: &BoardId) -> Result<Arc<Slot>, NoBoard> {
        let slot = self.boards.get_or_add(board, self.config.caps.boards, || Slot::new(self, board.clone()));
        slot.ok_or(NoBoard::Full)
    }

    pub(super) fn slot(&self, board: &BoardId) -> Result<Arc<Slot>, NoBoard> {
        self.boards.get(board).ok_or(NoBoard::Unknown)
    }

    /// Something happens to a board that is there; it may bring a new connection.
    pub(super) fn on_board<R>(
        &self,
        link: Option<&(ConnId, Link)>,
        slot_of: impl Fn() -> Result<Arc<Slot>, NoBoard>,
        mut event: impl FnMut(&mut Board, Moment, &mut Effects) -> R,
    ) -> Result<(Arc<Slot>, R), NoBoard> {
        for _ in 0..MAX_LOOKUPS {
            let slot = slot_of()?;
            let happened = slot.apply_linked(link.cloned(), |board, now, fx| {
                if board.is_gone() { None } else { Some(event(board, now, fx)) }
            });
            match happened {
                Some(Some(result)) => return Ok((slot, result)),
                // Not waiting for whoever made it go: out of the list with it.
                Some(None) => self.boards.remove(&slot),
                None => return Err(NoBoard::Stopping),
            }
        }
        Err(NoBoard::Unsettled)
    }
}
