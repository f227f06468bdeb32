//! Where every board is, counted from the servers' own lists and held against the ownership table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fleet::{Fleet, ServerNo};
use super::server::Life;

/// `GET /admin/boards`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardTally {
    /// All that there are.
    pub boards: u64,
    /// On exactly one server, which runs, and the ownership table says the same.
    pub on_one_living: u64,
    /// On exactly one server, which has ended: nobody serves them.
    pub on_ended: u64,
    /// On no server's list.
    pub on_none: u64,
    /// On the lists of several servers.
    pub on_several: u64,
    /// On one server, and the ownership table names another.
    pub disputed: u64,
    /// Those that a living server has, by its version.
    pub by_version: BTreeMap<String, u64>,
    /// By how often they changed hands.
    pub by_moves: BTreeMap<u32, u64>,
}

impl Fleet {
    pub(super) fn tally(&self) -> BoardTally {
        let mut holders: Vec<Holders> = vec![Holders::None; self.table.len()];
        for (no, server) in (0..).map(ServerNo::at).zip(&self.servers) {
            for board in &server.held {
                if let Some(holder) = holders.get_mut(board.place()) {
                    *holder = if *holder == Holders::None { Holders::One(no) } else { Holders::Several };
                }
            }
        }
        let mut tally = BoardTally::default();
        for (row, holder) in self.table.iter().zip(holders) {
            tally.boards += 1;
            *tally.by_moves.entry(row.moves).or_default() += 1;
            match holder {
                Holders::None => tally.on_none += 1,
                Holders::Several => tally.on_several += 1,
                Holders::One(no) if no != row.owner => tally.disputed += 1,
                Holders::One(no) => match self.server(no).filter(|server| server.life == Life::Runs) {
                    Some(server) => {
                        tally.on_one_living += 1;
                        count(&mut tally.by_version, &server.version);
                    }
                    None => tally.on_ended += 1,
                },
            }
        }
        tally
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
