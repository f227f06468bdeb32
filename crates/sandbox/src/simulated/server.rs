//! One simulated server: what it was told, what it holds, and what is on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use segue_handover::auth::Guard;
use segue_handover::wire::{AttachFigures, MoveId, Route, ServerId, ServerState};

use super::board::Board;
use crate::app::ATTACH_RATE_PER_S;
use crate::world::At;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) id: ServerId,
    pub(super) version: String,
    pub(super) address: Ipv4Addr,
    pub(super) started_at: At,
    pub(super) guard: Arc<Guard>,
    pub(super) life: Life,
    pub(super) state: ServerState,
    pub(super) route: Option<Route>,
    /// What it owns by its own word, which changes by what it is told and by its own time alone.
    pub(super) held: BTreeSet<Board>,
    /// Of those, the ones that are offered or sealed.
    pub(super) leaving: BTreeMap<Board, Leaving>,
    pub(super) standbys: BTreeMap<Board, Standby>,
    pub(super) attach: Attach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    Ended,
}

/// A board whose clients were told of another server.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) move_id: MoveId,
    /// Under which this server has it.
    pub(super) epoch: u64,
    pub(super) how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Offered { until: At },
    Sealed { until: At },
}

/// A board that is got ready here.
#[derive(Debug)]
pub(super) struct Standby {
    pub(super) move_id: MoveId,
    pub(super) from_epoch: u64,
    pub(super) expires: At,
    /// When the last of its clients is here; none before they were told.
    pub(super) all_here_at: Option<At>,
}

/// Clients are admitted one after the other, at the limit.
#[derive(Debug)]
pub(super) struct Attach {
    pub(super) limit_per_s: u32,
    free_at: At,
    admitted: u64,
}

impl Attach {
    pub(super) fn new(now: At) -> Self {
        Self { limit_per_s: ATTACH_RATE_PER_S.get(), free_at: now, admitted: 0 }
    }

    /// Never above what the application itself allows.
    pub(super) fn limit(&mut self, per_s: u32) {
        self.limit_per_s = per_s.clamp(1, ATTACH_RATE_PER_S.get());
    }

    /// Takes clients in; says when the last of them is there.
    pub(super) fn admit(&mut self, clients: u32, now: At) -> At {
        let ms = u64::from(clients).saturating_mul(1_000).div_ceil(u64::from(self.limit_per_s));
        self.free_at = self.free_at.max(now).plus(Duration::from_millis(ms));
        self.admitted = self.admitted.saturating_add(clients.into());
        self.free_at
    }

    /// How many of a board's clients are not there yet.
    pub(super) fn missing(&self, all_here_at: At, clients: u32, now: At) -> u32 {
        let ms = u64::try_from(all_here_at.since(now).as_millis()).unwrap_or(u64::MAX);
        let missing = ms.saturating_mul(self.limit_per_s.into()).div_ceil(1_000);
        u32::try_from(missing).unwrap_or(u32::MAX).min(clients)
    }

    pub(super) fn figures(&self) -> AttachFigures {
        let tenth = self.limit_per_s.div_ceil(10);
        AttachFigures {
            limit_per_s: self.limit_per_s,
            peak_in_100ms: u32::try_from(self.admitted).unwrap_or(u32::MAX).min(tenth),
            overruns_total: 0,
            admitted_total: self.admitted,
            refused_total: 0,
        }
    }
}

impl Server {
    /// One that has just started and holds nothing.
    pub(super) fn new(
        id: ServerId,
        version: String,
        route: Option<Route>,
        address: Ipv4Addr,
        guard: Arc<Guard>,
        now: At,
    ) -> Self {
        Self {
            id,
            version,
            address,
            started_at: now,
            guard,
            life: Life::Runs,
            state: ServerState::Serving,
            route,
            held: BTreeSet::new(),
            leaving: BTreeMap::new(),
            standbys: BTreeMap::new(),
            attach: Attach::new(now),
        }
    }

    /// Whether a board is sealed here for this move.
    pub(super) fn has_sealed(&self, board: Board, move_id: &MoveId) -> bool {
        let leaving = self.leaving.get(&board).filter(|leaving| leaving.move_id == *move_id);
        leaving.is_some_and(|leaving| matches!(leaving.how, How::Sealed { .. }))
    }

    /// What is over by now: standbys, and offers. Answers the boards that were sealed for too long.
    pub(super) fn lapse(&mut self, now: At) -> Vec<Board> {
        self.standbys.retain(|_, standby| standby.expires > now);
        let over = |_: &Board, leaving: &mut Leaving| match leaving.how {
            How::Offered { until } | How::Sealed { until } => until <= now,
        };
        let over: Vec<_> = self.leaving.extract_if(.., over).collect();
        let sealed = |(board, leaving): (Board, Leaving)| match leaving.how {
            How::Sealed { .. } => Some(board),
            How::Offered { .. } => None,
        };
        over.into_iter().filter_map(sealed).collect()
    }
}
