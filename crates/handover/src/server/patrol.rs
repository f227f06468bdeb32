//! Does this server still own what it serves? A write would tell; a board on which nobody writes would
//! never know that it was claimed elsewhere, and its readers would look at the past for ever.
//!
//! And what dead servers left behind: a board that nobody comes back to would be theirs for ever.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::Inner;
use super::slot::Slot;
use crate::wire::{BoardId, Epoch, MAX_PAGE};

/// Compares what is served with the ownership table, at the configured rhythm.
pub(super) async fn patrol(server: Weak<Inner>) {
    loop {
        let Some(wait) = server.upgrade().map(|server| server.config.patrol_every) else { return };
        tokio::time::sleep(wait).await;
        let Some(server) = server.upgrade() else { return };
        release_dead(&server).await;
        // Taken before the table is read: what is claimed meanwhile is not doubted.
        let served = served(&server);
        let Some(owned) = owned(&server, served.len()).await else { continue };
        for (slot, epoch) in served {
            if owned.get(slot.id()) != Some(&epoch) {
                slot.apply(|board, _, fx| board.doubt(fx));
            }
        }
    }
}

/// More come in the next round. A store that gives no answer now gives one then.
async fn release_dead(server: &Inner) {
    let released =
        tokio::time::timeout(server.config.store_timeout, server.store.release_dead(MAX_PAGE)).await;
    if let Ok(Ok(boards)) = released
        && boards > 0
    {
        tracing::info!(boards, "boards of servers that died are nobody's now");
    }
}

fn served(server: &Inner) -> Vec<(Arc<Slot>, Epoch)> {
    let epoch_of = |slot: Arc<Slot>| {
        let epoch = slot.look(crate::board::Board::believes_to_own)?;
        Some((slot, epoch))
    };
    server.boards.all().into_iter().filter_map(epoch_of).collect()
}

/// What the table gives to this server; `None` when it cannot be read whole.
async fn owned(server: &Inner, expected: usize) -> Option<HashMap<BoardId, Epoch>> {
    let mut owned = HashMap::with_capacity(expected);
    let mut cursor = None;
    loop {
        let page = server.store.owners(&server.settings.server, cursor.as_ref(), MAX_PAGE);
        let page = tokio::time::timeout(server.config.store_timeout, page).await.ok()?.ok()?;
        // A page without rows that promises more would never end.
        let is_last = page.next.is_none() || page.boards.is_empty();
        owned.extend(page.boards.into_iter().map(|row| (row.board, row.epoch)));
        if is_last {
            return Some(owned);
        }
        cursor = page.next;
    }
}
