//! The boards of a server, in the order of their ids. Its lock is never held while a board's is taken.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use super::slot::Slot;
use crate::wire::BoardId;

#[derive(Debug, Default)]
pub(super) struct Registry(RwLock<BTreeMap<BoardId, Arc<Slot>>>);

impl Registry {
    pub(super) fn get(&self, board: &BoardId) -> Option<Arc<Slot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(board).cloned()
    }

    /// `None`: the board is not there, and there are as many as there may be.
    pub(super) fn get_or_add(
        &self,
        board: &BoardId,
        max: u64,
        new: impl FnOnce() -> Arc<Slot>,
    ) -> Option<Arc<Slot>> {
        if let Some(slot) = self.get(board) {
            return Some(slot);
        }
        let mut boards = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = u64::try_from(boards.len()).unwrap_or(u64::MAX);
        match boards.entry(board.clone()) {
            Entry::Occupied(there) => Some(Arc::clone(there.get())),
            Entry::Vacant(place) if known < max => Some(Arc::clone(place.insert(new()))),
            Entry::Vacant(_) => None,
        }
    }

    /// Takes a board out, unless another has its place by now.
    pub(super) fn remove(&self, slot: &Arc<Slot>) {
        let mut boards = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if boards.get(slot.id()).is_some_and(|there| Arc::ptr_eq(there, slot)) {
            boards.remove(slot.id());
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Slot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// At most `limit` boards after `cursor`.
    pub(super) fn after(&self, cursor: Option<&BoardId>, limit: usize) -> Vec<Arc<Slot>> {
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let boards = self.0.read().unwrap_or_else(PoisonError::into_inner);
        boards
            .range::<BoardId, _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(_, slot)| Arc::clone(slot))
            .collect()
    }
}
