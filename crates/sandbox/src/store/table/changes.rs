//! Who owned which board since when: what a report is counted from when it says who was ended with boards.
//!
//! It is a witness and deliberately takes part in nothing: no rule of the store looks at it.

use segue_handover::wire::{BoardId, Epoch, ServerId};

use crate::store::wire::{ChangesPage, OwnerChange};

/// Every change of owner, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Changes {
    began_at_ms: u64,
    all: Vec<OwnerChange>,
}

impl Changes {
    pub(super) fn began_at(&mut self, at: jiff::Timestamp) {
        self.began_at_ms = u64::try_from(at.as_millisecond()).unwrap_or_default();
        // What the file told, when the store was opened.
        self.all.iter_mut().for_each(|change| change.at_ms = self.began_at_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// `now_ms` is by the table's clock.
    pub(super) fn note(&mut self, now_ms: u64, board: &BoardId, epoch: Epoch, owner: Option<&ServerId>) {
        let at_ms = self.began_at_ms.saturating_add(now_ms);
        self.all.push(OwnerChange { at_ms, board: board.clone(), epoch, owner: owner.cloned() });
    }

    pub(super) fn page(&self, after: u64, limit: usize) -> ChangesPage {
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        let rest = self.all.get(start..).unwrap_or_default();
        let changes: Vec<_> = rest.iter().take(limit).cloned().collect();
        let told = start.saturating_add(changes.len());
        let next = (changes.len() < rest.len()).then(|| u64::try_from(told).unwrap_or(u64::MAX));
        ChangesPage { changes, next }
    }
}
