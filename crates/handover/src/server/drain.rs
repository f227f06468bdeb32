//! Level 0: emptying a server board by board, at the asked pace. A board is given up before its clients
//! are told, so that whoever takes them next can take the board as well.

use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::desk::Drain;
use super::{Inner, Server};
use crate::wire::{DrainAnswer, DrainRequest};

/// How long one board may take before the next one's turn; it is tried again in the next round.
const BOARD_PATIENCE: Duration = Duration::from_secs(2);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

impl Server {
    /// Begins to drain, or says again what the drain of this release began with.
    pub(super) fn drain(&self, request: &DrainRequest) -> DrainAnswer {
        let counts = self.0.counts();
        let mut desk = self.0.lock_desk();
        if let Some(drain) = desk.drain_of(&request.release) {
            return drain.answer.clone();
        }
        let answer = DrainAnswer { boards: counts.boards, clients: counts.clients };
        let work = tokio::spawn(empty(Arc::downgrade(&self.0), request.rate_per_s)).abort_handle();
        desk.begin_drain(Drain { release: request.release.clone(), answer: answer.clone(), work });
        answer
    }
}

/// Until the server is empty.
async fn empty(server: Weak<Inner>, rate_per_s: NonZeroU32) {
    let mut next_at = Instant::now();
    loop {
        let Some(inner) = server.upgrade() else { return };
        let slots = inner.slots();
        drop(inner);
        if slots.iter().all(|slot| slot.look(|board| board.counts().boards == 0)) {
            return;
        }
        for slot in slots {
            let clients = slot.look(|board| board.counts().clients);
            tokio::time::sleep_until(next_at).await;
            let clients = u32::try_from(clients).unwrap_or(u32::MAX);
            next_at = next_at.max(Instant::now()) + Duration::from_secs(1) * clients / rate_per_s.get();
            // Not settled: the next round sees it again.
            let _ = slot.settle(Instant::now() + BOARD_PATIENCE, |board, _, fx| board.drain(fx)).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
