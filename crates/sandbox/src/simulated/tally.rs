//! Where every board is, counted from the running servers' own lists and held against the ownership table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, ServerNo};
use super::server::{Life, Server};
use crate::world::At;

/// `GET /admin/boards`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardTally {
    /// All that there are.
    pub boards: u64,
    /// On the list of exactly one server that runs, and the ownership table says the same.
    pub on_one_living: u64,
    /// On no list, and the server that the table names has ended: nobody serves them.
    pub on_ended: u64,
    /// On no list, and the server that the table names runs.
    pub on_none: u64,
    /// On the lists of several servers.
    pub on_several: u64,
    /// On one list, and the ownership table names another server.
    pub disputed: u64,
    /// Those that a living server has, by its version.
    pub by_version: BTreeMap<String, u64>,
    /// By how often they changed hands.
    pub by_moves: BTreeMap<u32, u64>,
}

impl Fleet {
    /// Every server's own time has passed: what it is still to notice by itself it has noticed.
    pub(super) fn tally(&mut self, now: At) -> BoardTally {
        let places = 0..u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        for no in places.map(ServerNo::at) {
            self.lapse(no, now);
        }
        let holders = self.holders();
        let mut tally = BoardTally::default();
        for (row, holder) in self.table.rows().iter().zip(holders) {
            tally.boards += 1;
            *tally.by_moves.entry(row.moves).or_default() += 1;
            let owner = self.server(row.owner).filter(|server| server.life == Life::Runs);
            match (holder, owner) {
                (Holders::None, Some(_)) => tally.on_none += 1,
                (Holders::None, None) => tally.on_ended += 1,
                (Holders::Several, _) => tally.on_several += 1,
                (Holders::One(no), Some(owner)) if no == row.owner => {
                    tally.on_one_living += 1;
                    count(&mut tally.by_version, &owner.version);
                }
                (Holders::One(_), _) => tally.disputed += 1,
            }
        }
        tally
    }

    /// By number of the board.
    fn holders(&self) -> Vec<Holders> {
        let mut holders = vec![Holders::None; self.table.rows().len()];
        let living = |(_, server): &(ServerNo, &Server)| server.life == Life::Runs;
        for (no, server) in (0..).map(ServerNo::at).zip(&self.servers).filter(living) {
            for board in &server.held {
                if let Some(holder) = holders.get_mut(board.place()) {
                    *holder = if *holder == Holders::None { Holders::One(no) } else { Holders::Several };
                }
            }
        }
        holders
    }
}

/// Who lists a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holders {
    None,
    One(ServerNo),
    Several,
}

fn count(counts: &mut BTreeMap<String, u64>, version: &str) {
    match counts.get_mut(version) {
        Some(count) => *count += 1,
        None => drop(counts.insert(version.to_owned(), 1)),
    }
}
