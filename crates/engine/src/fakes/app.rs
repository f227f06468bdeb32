//! One server of the application: the contract's states of a board, as simple as they can be.

use std::collections::BTreeMap;

use segue_domain::app::{AppState, AppStatus, BoardRow, BoardState, Caps, Formats};
use segue_domain::ids::{BoardId, InstanceId, MoveId, Route, Version};

use super::boards::ms;
use super::illness::Illness;
use super::state::State;
use crate::ports::{AttachPlan, CallError, EndOf, ItemOutcome, MoveItem, Prepared, Sealed};

/// A process that answers.
#[derive(Debug)]
pub(super) struct App {
    pub(super) version: Version,
    pub(super) state: AppState,
    pub(super) level: u8,
    pub(super) route: Option<Route>,
    pub(super) generation: u64,
    pub(super) started_at_ms: u64,
    /// The last one.
    pub(super) illness: Option<Illness>,
    /// It has taken boards since then, if it does.
    pub(super) open_since_ms: u64,
    /// When it was told its route, or another one.
    pub(super) routed_since_ms: u64,
    /// A board has lived here.
    pub(super) has_served: bool,
    pub(super) boards: BTreeMap<BoardId, Held>,
}

/// A board on one server, old side or new side.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) state: BoardState,
    pub(super) epoch: u64,
    pub(super) clients: u64,
    moving: Option<MoveId>,
    /// When the seal or the standby ends by itself.
    until_ms: Option<u64>,
    offered: Option<Offered>,
}

/// Its clients attach to the new server.
#[derive(Debug, Clone, Copy)]
struct Offered {
    since_ms: u64,
    rate_per_s: u32,
    /// Then they stay where they are, and those who have attached close their second socket.
    until_ms: u64,
}

impl Offered {
    /// Clients for whom there was time to attach, however many there are.
    fn attached_by(self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms).saturating_mul(u64::from(self.rate_per_s)) / 1_000
    }
}

impl Held {
    pub(super) fn active(epoch: u64, clients: u64) -> Self {
        Self { state: BoardState::Active, epoch, clients, moving: None, until_ms: None, offered: None }
    }
}

impl App {
    pub(super) fn new(version: Version, started_at_ms: u64) -> Self {
        let boards = BTreeMap::new();
        Self {
            version,
            state: AppState::Serving,
            level: 2,
            route: None,
            generation: 0,
            started_at_ms,
            illness: None,
            open_since_ms: started_at_ms,
            routed_since_ms: started_at_ms,
            has_served: false,
            boards,
        }
    }

    /// It takes new clients.
    pub(super) fn is_open(&self) -> bool {
        self.state == AppState::Serving
    }

    /// Since when a check of the load balancer may pass.
    pub(super) fn well_since_ms(&self) -> u64 {
        self.illness.map_or(self.started_at_ms, |illness| illness.until_ms.max(self.started_at_ms))
    }

    /// Boards that it holds.
    pub(super) fn owned(&self) -> impl Iterator<Item = (&BoardId, &Held)> {
        self.boards.iter().filter(|(_, held)| held.state.is_owned_here())
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.owned().count()).unwrap_or(u64::MAX)
    }

    pub(super) fn status(&self) -> AppStatus {
        let (boards, clients) =
            self.owned().fold((0, 0), |(boards, clients), (_, held)| (boards + 1, clients + held.clients));
        AppStatus {
            version: self.version.clone(),
            state: self.state,
            level: self.level,
            formats: Formats { reads: vec!["1".to_owned()], writes: "1".to_owned() },
            boards,
            clients,
            caps: Caps { boards: 1_000, clients: 10_000, bytes: 1_000_000_000 },
            route: self.route.clone(),
            generation: self.generation,
        }
    }
}

impl State {
    /// Seals and standbys whose time is over. A sealed board is taken back by its old server's own
    /// compare-and-set, if nobody was faster.
    pub(super) fn settle_boards(&mut self) {
        let now_ms = self.now_ms;
        for (id, machine) in &mut self.machines {
            let Some(app) = &mut machine.app else { continue };
            app.boards.retain(|_, held| {
                let over = held.until_ms.is_some_and(|until| until <= now_ms);
                !over || held.state.is_owned_here()
            });
            for (board, held) in &mut app.boards {
                if held.until_ms.is_some_and(|until| until <= now_ms)
                    && let Some(row) = self.rows.get_mut(board)
                {
                    reopen(id, held, row);
                }
            }
        }
    }

    pub(super) fn list(&self, id: &InstanceId) -> Vec<BoardRow> {
        let app = self.process(id);
        let boards = app.into_iter().flat_map(|app| &app.boards);
        let row = |(board, held): (&BoardId, &Held)| BoardRow {
            board: board.clone(),
            epoch: held.epoch,
            state: held.state,
            clients: held.clients,
            unsupported: self.plain(board).min(held.clients),
            attached: self.attached(board, held),
            bytes: 1_000,
            moving: held.moving.clone(),
        };
        boards.map(row).collect()
    }

    /// Clients of the old server that have opened their second socket by now.
    fn attached(&self, board: &BoardId, standby: &Held) -> u64 {
        if standby.state != BoardState::Standby || self.stubborn.contains_key(board) {
            return 0;
        }
        let apps = self.machines.values().filter_map(|machine| machine.app.as_ref());
        let mut old = apps.filter_map(|app| app.boards.get(board));
        let Some((old, offered)) = old.find_map(|old| Some((old, old.offered?))) else { return 0 };
        match offered.until_ms <= self.now_ms {
            true => 0,
            false => offered.attached_by(self.now_ms).min(self.followers(board, old)),
        }
    }

    /// Clients of the old server that can attach, and have not yet; none when none are left. Where all of them became
    /// stubborn just now those who had attached before count.
    pub(super) fn still_attaching(&self, board: &BoardId, on: &InstanceId) -> Option<u64> {
        let held = self.process(on)?.boards.get(board)?;
        let are_stubborn = self.stubborn.get(board).is_some_and(|since_ms| self.could_be_known(*since_ms));
        let attached = match held.offered {
            Some(offered) if !are_stubborn => offered.attached_by(self.sent_at_ms()),
            Some(_) | None => 0,
        };
        let missing = self.followers(board, held).saturating_sub(attached);
        (missing > 0).then_some(missing)
    }

    /// Clients that speak the contract.
    fn followers(&self, board: &BoardId, held: &Held) -> u64 {
        held.clients.saturating_sub(self.plain(board))
    }

    fn plain(&self, board: &BoardId) -> u64 {
        self.plain.get(board).copied().unwrap_or_default()
    }

    pub(super) fn prepare(&mut self, id: &InstanceId, item: &MoveItem, ttl_ms: u64) -> ItemOutcome<Prepared> {
        if self.now_ms < self.troubles.moves_refused_until_ms {
            return Err("it takes no board over now".to_owned());
        }
        let row = self.rows.get(&item.board).ok_or("there is no such board")?;
        let mine = row.owner == *id;
        if row.epoch != item.from_epoch && !(mine && row.epoch == item.from_epoch + 1) {
            return Err(format!("the board is under epoch {}", row.epoch));
        }
        let until_ms = self.now_ms + ttl_ms;
        let has_routes = self.balancers.iter().any(|balancer| !balancer.slots.is_empty());
        let app = self.app(id).map_err(|error| error.what)?;
        if has_routes && app.route.is_none() {
            return Err("`open` has not told this server its route yet".to_owned());
        }
        if !mine {
            let standby = Held {
                state: BoardState::Standby,
                epoch: item.from_epoch,
                clients: 0,
                moving: Some(item.id.clone()),
                until_ms: Some(until_ms),
                offered: None,
            };
            app.boards.insert(item.board.clone(), standby);
        }
        Ok(Prepared { seq: 1, connect: format!("wss://front/?srv={id}") })
    }

    pub(super) fn offer(&mut self, id: &InstanceId, plan: &AttachPlan) -> ItemOutcome<()> {
        let now_ms = self.now_ms;
        let held = self.holds(id, &plan.item).map_err(|error| error.what)?;
        if held.state == BoardState::Active {
            held.state = BoardState::Offered;
            held.moving = Some(plan.item.id.clone());
        }
        let until_ms = now_ms + ms(plan.deadline);
        let fresh = Offered { since_ms: now_ms, rate_per_s: plan.rate_per_s, until_ms };
        held.offered.get_or_insert(fresh).until_ms = until_ms;
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        id: &InstanceId,
        item: &MoveItem,
        ttl_ms: u64,
    ) -> Result<Sealed, CallError> {
        let until_ms = self.now_ms + ttl_ms;
        if self.holds(id, item)?.state != BoardState::Sealed {
            self.watch_the_seal(item, id);
        }
        let held = self.holds(id, item)?;
        if held.state != BoardState::Sealed {
            held.state = BoardState::Sealed;
            held.moving = Some(item.id.clone());
            held.until_ms = Some(until_ms);
        }
        Ok(Sealed { final_seq: 1, delta: None, digest: item.board.to_string() })
    }

    /// Those who had attached to the new server are there no more.
    pub(super) fn have_given_up(&self, board: &BoardId, on: &InstanceId) -> bool {
        let held = self.process(on).and_then(|app| app.boards.get(board));
        let offered = held.and_then(|held| held.offered);
        offered.is_some_and(|offered| offered.until_ms <= self.now_ms)
    }

    /// The one commit point of a move: compare-and-set from the epoch to the next.
    pub(super) fn activate(&mut self, id: &InstanceId, item: &MoveItem) -> Result<u64, CallError> {
        let row = self.rows.get(&item.board).ok_or_else(|| CallError::refused("there is no such board"))?;
        let (epoch, owner) = (row.epoch, row.owner.clone());
        if owner == *id && epoch == item.from_epoch + 1 {
            return Ok(epoch);
        }
        let standby = self.app(id)?.boards.get(&item.board).map(|held| held.state);
        if standby != Some(BoardState::Standby) || epoch != item.from_epoch {
            return Err(CallError::refused(format!("{owner} holds it under epoch {epoch}")));
        }
        self.watch_the_move(item, &owner, id);
        let clients = self.release(&owner, &item.board);
        self.rows.insert(
            item.board.clone(),
            super::state::OwnerRow { epoch: epoch + 1, owner: id.clone(), since_ms: self.now_ms },
        );
        let mut held = Held::active(epoch + 1, clients);
        held.moving = Some(item.id.clone());
        let app = self.app(id)?;
        app.boards.insert(item.board.clone(), held);
        app.has_served = true;
        Ok(epoch + 1)
    }

    /// The old server learns that it lost the board; how many clients it had.
    fn release(&mut self, owner: &InstanceId, board: &BoardId) -> u64 {
        let Ok(app) = self.app(owner) else { return 0 };
        let Some(held) = app.boards.get_mut(board) else { return 0 };
        held.state = BoardState::Released;
        held.until_ms = None;
        std::mem::take(&mut held.clients)
    }

    pub(super) fn end(&mut self, id: &InstanceId, moves: &[(MoveId, BoardId)], outcome: EndOf) {
        for (one, board) in moves {
            let Ok(app) = self.app(id) else { return };
            let Some(held) = app.boards.get_mut(board).filter(|held| held.moving.as_ref() == Some(one))
            else {
                continue;
            };
            match (held.state, outcome) {
                (
                    BoardState::Released | BoardState::Standby | BoardState::Loading | BoardState::Passing,
                    _,
                ) => {
                    app.boards.remove(board);
                }
                (BoardState::Sealed | BoardState::Offered, EndOf::Abort) => {
                    let held = held.clone();
                    self.take_back(id, board, held);
                }
                (BoardState::Active, _) => held.moving = None,
                (BoardState::Sealed | BoardState::Offered, EndOf::Release) => {}
            }
        }
    }

    fn take_back(&mut self, id: &InstanceId, board: &BoardId, mut held: Held) {
        if let Some(row) = self.rows.get_mut(board) {
            match held.state {
                BoardState::Sealed => reopen(id, &mut held, row),
                BoardState::Active
                | BoardState::Offered
                | BoardState::Released
                | BoardState::Loading
                | BoardState::Standby
                | BoardState::Passing => held = Held::active(held.epoch, held.clients),
            }
        }
        if let Ok(app) = self.app(id) {
            app.boards.insert(board.clone(), held);
        }
    }

    /// The process that runs on an instance, if there is one.
    pub(super) fn process(&self, id: &InstanceId) -> Option<&App> {
        self.machines.get(id)?.app.as_ref()
    }

    /// All that run, by their instances.
    pub(super) fn processes(&self) -> impl Iterator<Item = (&InstanceId, &App)> {
        self.machines.iter().filter_map(|(id, machine)| Some((id, machine.app.as_ref()?)))
    }

    /// Its process answers, and takes new clients.
    pub(super) fn takes_clients(&self, id: &InstanceId) -> bool {
        self.process(id).is_some_and(App::is_open)
    }

    /// The process that runs on an instance, to be changed.
    pub(super) fn app(&mut self, id: &InstanceId) -> Result<&mut App, CallError> {
        let app = self.machines.get_mut(id).and_then(|machine| machine.app.as_mut());
        app.ok_or_else(|| CallError::retry(format!("{id} refuses the connection")))
    }

    /// The board where the item says that it is.
    fn holds(&mut self, id: &InstanceId, item: &MoveItem) -> Result<&mut Held, CallError> {
        let held = self.app(id)?.boards.get_mut(&item.board);
        let held = held.filter(|held| held.state.is_owned_here() && held.epoch == item.from_epoch);
        held.ok_or_else(|| CallError::refused(format!("{id} does not hold {} under that epoch", item.board)))
    }
}

/// The old server's own compare-and-set after a seal that nothing followed.
fn reopen(id: &InstanceId, held: &mut Held, row: &mut super::state::OwnerRow) {
    if row.epoch == held.epoch && row.owner == *id {
        row.epoch += 1;
        *held = Held::active(row.epoch, held.clients);
    } else {
        held.state = BoardState::Released;
        held.until_ms = None;
    }
}
