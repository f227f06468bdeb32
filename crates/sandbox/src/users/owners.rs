//! Who was ended while it owned boards: the store's changes of owner against the ledger's ends.
//!
//! Neither side knows of the other. Both date what they saw in milliseconds since the Unix epoch, on one
//! machine; who ends a server does so long after its last board has left.

use std::collections::{BTreeMap, BTreeSet};

use segue_handover::store::StoreError;
use segue_handover::wire::BoardId;

use crate::store::client::StoreClient;
use crate::store::wire::OwnerChange;
use crate::world::EndRecord;

/// Pages of changes that are read at the most.
const PAGES: usize = 100_000;

/// Every change of owner, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    pub changes: Vec<OwnerChange>,
}

impl Owners {
    /// Reads everything.
    pub async fn fetch(store: &StoreClient) -> Result<Self, StoreError> {
        let mut changes = Vec::new();
        let mut after = 0;
        for _ in 0..PAGES {
            let page = store.changes(after).await?;
            changes.extend(page.changes);
            match page.next {
                Some(next) => after = next,
                None => return Ok(Self { changes }),
            }
        }
        Err(StoreError::Refused(format!("it has more than {PAGES} pages")))
    }

    /// How many boards the ownership table gave to a server at a moment.
    pub fn held(&self, server: &str, at_ms: u64) -> u64 {
        let mut owners: BTreeMap<&BoardId, &str> = BTreeMap::new();
        for change in self.changes.iter().take_while(|change| change.at_ms <= at_ms) {
            match &change.owner {
                Some(owner) => owners.insert(&change.board, owner.as_str()),
                None => owners.remove(&change.board),
            };
        }
        let held = owners.values().filter(|owner| **owner == server).count();
        u64::try_from(held).unwrap_or(u64::MAX)
    }

    /// Instances that were stopped or terminated while the table gave boards to them.
    pub fn ended_with_boards(&self, ends: &[EndRecord]) -> u64 {
        let early = ends.iter().filter(|end| self.held(end.instance_id.as_str(), end.at_ms) > 0);
        let instances: BTreeSet<&str> = early.map(|end| end.instance_id.as_str()).collect();
        u64::try_from(instances.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::{Epoch, ServerId};

    use super::*;

    fn owners() -> Owners {
        let change = |(at_ms, board, owner): (u64, &str, Option<&str>)| OwnerChange {
            at_ms,
            board: BoardId::parse(board).unwrap(),
            epoch: Epoch(1),
            owner: owner.map(|owner| ServerId::parse(owner).unwrap()),
        };
        let changes = [
            (10, "b1", Some("i-1")),
            (10, "b2", Some("i-1")),
            (20, "b1", Some("i-2")),
            (30, "b2", None),
            (40, "b3", Some("i-1")),
        ];
        Owners { changes: changes.map(change).to_vec() }
    }

    fn end(instance: &str, at_ms: u64) -> EndRecord {
        EndRecord { instance_id: instance.into(), state: "stopping".to_owned(), at_ms }
    }

    #[test]
    fn what_a_server_holds_is_what_came_last() {
        let owners = owners();
        let held = [9, 10, 20, 30, 40].map(|at_ms| owners.held("i-1", at_ms));
        assert_eq!(held, [0, 2, 1, 0, 1]);
    }

    #[test]
    fn who_was_ended_with_boards_counts_once() {
        let owners = owners();
        assert_eq!(owners.ended_with_boards(&[end("i-1", 30), end("i-2", 15)]), 0);
        assert_eq!(owners.ended_with_boards(&[end("i-1", 20), end("i-1", 45), end("i-2", 25)]), 2);
    }
}
