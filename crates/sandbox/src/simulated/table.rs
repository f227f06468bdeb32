//! The ownership table: who owns which board, by compare-and-set alone.
//!
//! It knows no server's list, and no server's list is made from it while that server runs: what the two say of each
//! other is counted in the end (`tally`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeFrom;

use super::board::{Board, Mark, Row};
use super::fleet::ServerNo;

/// The epoch of a board that nobody has moved.
const FIRST_EPOCH: u64 = 1;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// By number of the board.
    rows: Vec<Row>,
    /// The same by owner: one of thousands is asked for without reading a million rows.
    by_owner: BTreeMap<ServerNo, BTreeSet<Board>>,
}

impl Table {
    pub(super) fn row(&self, board: Board) -> Option<&Row> {
        self.rows.get(board.place())
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One more board.
    pub(super) fn open(&mut self, owner: ServerNo) -> Board {
        let board = Board(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.rows.push(Row { owner, epoch: FIRST_EPOCH, came_by: None, moves: 0 });
        self.by_owner.entry(owner).or_default().insert(board);
        board
    }

    /// The board is another server's, under the next epoch, which is answered; none where the epoch is another one.
    pub(super) fn claim(&mut self, board: Board, expected: u64, owner: ServerNo, mark: Mark) -> Option<u64> {
        let row = self.rows.get_mut(board.place()).filter(|row| row.epoch == expected)?;
        if let Some(owned) = self.by_owner.get_mut(&row.owner) {
            owned.remove(&board);
        }
        self.by_owner.entry(owner).or_default().insert(board);
        (row.owner, row.epoch, row.came_by) = (owner, row.epoch.saturating_add(1), Some(mark));
        row.moves = row.moves.saturating_add(1);
        Some(row.epoch)
    }

    /// Its owner takes it back, under the next epoch; none where it is another server's.
    pub(super) fn retake(&mut self, board: Board, owner: ServerNo) -> Option<u64> {
        let row = self.rows.get_mut(board.place()).filter(|row| row.owner == owner)?;
        row.epoch = row.epoch.saturating_add(1);
        Some(row.epoch)
    }

    /// A server's boards, in the order of their ids.
    pub(super) fn owned(&self, owner: ServerNo, from: RangeFrom<Board>) -> impl Iterator<Item = Board> {
        self.by_owner.get(&owner).into_iter().flat_map(move |owned| owned.range(from.clone()).copied())
    }
}
