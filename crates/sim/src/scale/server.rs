//! One server of the large world: its machine by times that are fixed when it is launched, and the boards on it.

use std::collections::BTreeMap;

use segue_domain::app::{AppState, AppStatus, BoardRow, BoardState, Caps, Formats};
use segue_domain::ids::{BoardId, MoveId};
use segue_domain::instance::{Instance, InstanceState};

/// From launch to running.
pub(super) const BOOT_MS: u64 = 60_000;
/// From running to the application's first answer.
pub(super) const APP_START_MS: u64 = 10_000;
/// From stop or terminate to its end.
pub(super) const DOWN_MS: u64 = 30_000;
/// From registration, or the first answer, to healthy: one interval of the health check.
pub(super) const CHECK_MS: u64 = 10_000;
/// Of the target groups.
pub(super) const DEREGISTRATION_DELAY_MS: u64 = 30_000;
/// From one sample of a server's numbers to the next; two that are 30 s apart are four intervals apart.
pub(super) const SCRAPE_MS: u64 = 8_000;
const BYTES_OF_A_BOARD: u64 = 1_000;

/// A board on one server, on the side that is left or on the one that is joined.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) state: BoardState,
    pub(super) epoch: u64,
    pub(super) clients: u64,
    pub(super) moving: Option<MoveId>,
    /// When a seal ends by itself.
    pub(super) until_ms: Option<u64>,
    /// On a standby: how many clients come, and when the last one is there.
    pub(super) attaching: Option<(u64, u64)>,
}

impl Held {
    pub(super) fn active(epoch: u64, clients: u64) -> Self {
        let state = BoardState::Active;
        Self { state, epoch, clients, moving: None, until_ms: None, attaching: None }
    }
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    /// Its state is what [`Server::state`] says.
    pub(super) instance: Instance,
    pub(super) runs_at_ms: u64,
    /// Since when it goes down, and to what.
    pub(super) ended: Option<(u64, InstanceState)>,
    pub(super) app: AppState,
    pub(super) generation: u64,
    pub(super) caps: Caps,
    pub(super) boards: BTreeMap<BoardId, Held>,
    /// Boards that it owns, and how many it owned before the last change of that number.
    pub(super) owned: u64,
    owned_before: u64,
    changed_ms: u64,
    pub(super) has_served: bool,
    /// When its clients that are on their way are all let in.
    pub(super) attach_free_ms: u64,
}

impl Server {
    pub(super) fn new(instance: Instance, runs_at_ms: u64, caps: Caps) -> Self {
        Self {
            instance,
            runs_at_ms,
            ended: None,
            app: AppState::Serving,
            generation: 0,
            caps,
            boards: BTreeMap::new(),
            owned: 0,
            owned_before: 0,
            changed_ms: 0,
            has_served: false,
            attach_free_ms: 0,
        }
    }

    pub(super) fn state(&self, now_ms: u64) -> InstanceState {
        match self.ended {
            Some((at_ms, end)) if now_ms >= at_ms.saturating_add(DOWN_MS) => end,
            Some((_, InstanceState::Stopped)) => InstanceState::Stopping,
            Some(_) => InstanceState::ShuttingDown,
            None if now_ms >= self.runs_at_ms => InstanceState::Running,
            None => InstanceState::Pending,
        }
    }

    /// When its process began to answer.
    pub(super) fn up_at_ms(&self) -> u64 {
        if self.runs_at_ms == 0 { 0 } else { self.runs_at_ms.saturating_add(APP_START_MS) }
    }

    pub(super) fn answers(&self, now_ms: u64) -> bool {
        self.ended.is_none() && now_ms >= self.up_at_ms()
    }

    /// So many boards more, or fewer.
    pub(super) fn owns(&mut self, boards: u64, now_ms: u64) {
        self.owned_before = self.owned;
        self.owned = boards;
        self.changed_ms = now_ms;
        self.has_served |= boards > 0;
    }

    /// The last sample of its number of boards, and how old that is. Each server is scraped at a time of its own.
    pub(super) fn sample(&self, now_ms: u64, offset_ms: u64) -> (u64, u64) {
        let age_ms = now_ms.saturating_add(offset_ms) % SCRAPE_MS;
        let is_from_before = now_ms.saturating_sub(age_ms) < self.changed_ms;
        let boards = if is_from_before { self.owned_before.max(self.owned) } else { self.owned };
        (boards, age_ms)
    }

    pub(super) fn status(&self) -> AppStatus {
        let clients = self.boards.values().filter(|held| held.state.is_owned_here());
        AppStatus {
            version: self.instance.version.clone(),
            state: self.app,
            level: 2,
            formats: Formats { reads: vec!["1".to_owned()], writes: "1".to_owned() },
            boards: self.owned,
            clients: clients.map(|held| held.clients).sum(),
            caps: self.caps,
            route: None,
            generation: self.generation,
        }
    }

    pub(super) fn list(&self, now_ms: u64) -> Vec<BoardRow> {
        let row = |(board, held): (&BoardId, &Held)| BoardRow {
            board: board.clone(),
            epoch: held.epoch,
            state: held.state,
            clients: held.clients,
            unsupported: 0,
            attached: held.attaching.map_or(0, |(clients, at_ms)| if now_ms >= at_ms { clients } else { 0 }),
            bytes: BYTES_OF_A_BOARD,
            moving: held.moving.clone(),
        };
        self.boards.iter().map(row).collect()
    }

    /// A cap of three times what a server has when boards are spread evenly.
    pub(super) fn caps(boards: u64) -> Caps {
        let boards = boards.saturating_mul(3).max(1_000);
        Caps { boards, clients: boards.saturating_mul(10), bytes: boards.saturating_mul(1_000_000) }
    }
}
