//! The users of the small world: they open boards where the weights send them, and leave others.

use std::collections::BTreeSet;

use segue_domain::app::BoardState;
use segue_domain::ids::{BoardId, GroupArn, InstanceId};
use segue_domain::service::Balancer;
use segue_domain::target::TargetHealth;

use super::app::Held;
use super::law::Law;
use super::state::{OwnerRow, Registration, State};

/// One board is opened and one is left this often, unless it is set.
const EVERY_MS: u64 = 500;
/// Clients of each board.
pub(super) const CLIENTS: u64 = 3;

/// What the users have done so far.
#[derive(Debug)]
pub(super) struct Users {
    /// As many boards as they want to have open; nothing happens by itself while it is zero.
    pub(super) boards_wanted: usize,
    pub(super) boards_made: u64,
    pub(super) every_ms: u64,
    next_ms: u64,
}

impl Default for Users {
    fn default() -> Self {
        Self { boards_wanted: 0, boards_made: 0, every_ms: EVERY_MS, next_ms: 0 }
    }
}

impl Users {
    pub(super) fn begin(&mut self, boards_wanted: usize) {
        self.boards_wanted = boards_wanted;
        self.next_ms = self.every_ms;
    }

    pub(super) fn are_there(&self) -> bool {
        self.boards_wanted > 0
    }
}

impl State {
    pub(super) fn users_come_and_go(&mut self) {
        while self.users.are_there() && self.users.next_ms <= self.now_ms {
            self.users.next_ms += self.users.every_ms;
            self.knock_again();
            self.leave_one();
            if self.rows.len() < self.users.boards_wanted {
                self.open_one();
            }
        }
    }

    /// The newest board is left, on a server that is open: a closed one keeps what it has. The old boards stay
    /// to the end of the story, so that a release can be held to each of them.
    fn leave_one(&mut self) {
        if self.rows.len() < self.users.boards_wanted {
            return;
        }
        let open = self.processes().filter(|(_, app)| app.is_open()).filter_map(|(id, app)| {
            let mut newest_first = app.boards.iter().rev();
            let (board, _) = newest_first.find(|(_, held)| held.state == BoardState::Active)?;
            Some((board, id))
        });
        let newest = open.max().map(|(board, id)| (board.clone(), id.clone()));
        let Some((board, id)) = newest else { return };
        if let Ok(app) = self.app(&id) {
            app.boards.remove(&board);
        }
        // Its name is never used again.
        self.rows.remove(&board);
    }

    /// A new board on the server with the fewest, among those to which new clients are sent. The user has come to one
    /// of the load balancers by chance.
    fn open_one(&mut self) {
        let place = self.by_chance();
        let choice = self.reached(self.balancers.get(place));
        let boards = |id: &InstanceId| self.process(id).map(|app| app.boards.len());
        let fewest = choice.into_iter().min_by_key(|id| (boards(id), id.clone()));
        match fewest {
            Some(id) => {
                self.open_board(&id);
            }
            // Where all died nobody can be found.
            None if self.floors.at(place) == 0 => {}
            // Those with a share died a moment ago: for as long as that is not held against whoever gave it to them
            // (`watch_capacity`), neither is what users find meanwhile.
            None if self.shared(self.balancers.get(place)).any(|(id, _)| self.died_unseen(id)) => {}
            // Nor what a call does that was on its way when they died.
            None if self.died_unseen_at(self.balancers.get(place)) > 0 => {}
            None => self.violation(Law::SomebodyServes, "a user finds no server"),
        }
    }

    /// To which load balancer DNS sends the next user: no user can tell, and each run has it the same way.
    fn by_chance(&self) -> usize {
        /// Knuth's: it spreads the numbers that follow each other over the whole range.
        const SPREAD: u64 = 2_654_435_761;
        let drawn = self.users.boards_made.wrapping_mul(SPREAD) >> 7;
        let count = u64::try_from(self.balancers.len()).unwrap_or(1).max(1);
        usize::try_from(drawn % count).unwrap_or(0)
    }

    /// Servers that get new clients, of this load balancer or of whichever: healthy in a group with a share, and open.
    pub(super) fn front_door(&self, at: Option<&Balancer>) -> Vec<InstanceId> {
        let able = self.led_to(at).filter(|(id, target)| self.health(id, **target) == TargetHealth::Healthy);
        able.map(|(id, _)| id.clone()).collect()
    }

    /// The same, ill ones as well. Who is new in a group, or on its way out, is not one of them.
    pub(super) fn led_to<'s>(
        &'s self,
        at: Option<&'s Balancer>,
    ) -> impl Iterator<Item = (&'s InstanceId, &'s Registration)> {
        self.shared(at).filter(|(id, target)| {
            let health = self.health(id, **target);
            let is_checked = matches!(health, TargetHealth::Healthy | TargetHealth::Unhealthy);
            is_checked && self.takes_clients(id)
        })
    }

    /// Whom the next user may reach: of each group with a share the healthy ones, or where none is, those that fail its
    /// checks; another group is never taken in its place. Source: ELB, "Target group health", fail open.
    pub(super) fn reached(&self, at: Option<&Balancer>) -> BTreeSet<InstanceId> {
        let balancers =
            self.balancers.iter().filter(|balancer| at.is_none_or(|at| at.forward == balancer.forward));
        let groups = balancers.flat_map(Balancer::forwarded).filter(|group| self.has_share(group));
        let of_group = groups.filter_map(|group| self.groups.get(group)).flat_map(|targets| {
            let is = |wanted| {
                move |(id, target): &(&InstanceId, &Registration)| self.health(id, **target) == wanted
            };
            let any_healthy = targets.iter().any(|target| is(TargetHealth::Healthy)(&target));
            let wanted = if any_healthy { TargetHealth::Healthy } else { TargetHealth::Unhealthy };
            targets.iter().filter(is(wanted)).map(|(id, _)| id)
        });
        of_group.filter(|id| self.takes_clients(id)).cloned().collect()
    }

    /// The targets of all groups that have a share, of this load balancer or of whichever.
    pub(super) fn shared<'s>(
        &'s self,
        at: Option<&'s Balancer>,
    ) -> impl Iterator<Item = (&'s InstanceId, &'s Registration)> {
        self.shared_in(move |group| at.is_none_or(|it| it.forwarded().any(|own| own == group)))
    }

    /// The same of some of the groups.
    pub(super) fn shared_in<'s>(
        &'s self,
        is_meant: impl Fn(&GroupArn) -> bool + 's,
    ) -> impl Iterator<Item = (&'s InstanceId, &'s Registration)> {
        // Most groups are slots, which have none, and this is asked all the time.
        let shared = self.weights.iter().filter(move |(group, share)| **share > 0 && is_meant(group));
        shared.filter_map(|(group, _)| self.groups.get(group)).flatten()
    }

    pub(super) fn open_board(&mut self, id: &InstanceId) -> BoardId {
        self.users.boards_made += 1;
        let board = BoardId::new(format!("board-{:05}", self.users.boards_made));
        self.rows.insert(board.clone(), OwnerRow { epoch: 1, owner: id.clone(), since_ms: self.now_ms });
        if let Ok(app) = self.app(id) {
            app.boards.insert(board.clone(), Held::active(1, CLIENTS));
            app.has_served = true;
        }
        board
    }

    /// Whoever found no server when theirs died tries again.
    fn knock_again(&mut self) {
        let owners = self.rows.values().map(|row| &row.owner).filter(|id| self.is_dead(id));
        for dead in owners.cloned().collect::<BTreeSet<_>>() {
            self.claim_orphans(&dead);
        }
    }

    /// The boards of a dead server: their users knock at the front door, and the server that they reach claims
    /// them, from the epoch to the next.
    pub(super) fn claim_orphans(&mut self, dead: &InstanceId) {
        let owned = self.rows.iter().filter(|(_, row)| row.owner == *dead);
        let boards: Vec<BoardId> = owned.map(|(board, _)| board.clone()).collect();
        for board in boards {
            let Some(to) = self.reached(None).into_iter().next() else { return };
            self.claim(board, &to);
        }
    }

    fn claim(&mut self, board: BoardId, to: &InstanceId) {
        let now_ms = self.now_ms;
        let Some(row) = self.rows.get_mut(&board) else { return };
        row.epoch += 1;
        row.owner = to.clone();
        row.since_ms = now_ms;
        let held = Held::active(row.epoch, CLIENTS);
        if let Ok(app) = self.app(to) {
            app.boards.insert(board, held);
            app.has_served = true;
        }
    }

    /// Level 0: its clients reconnect, and their boards are claimed by whoever they reach.
    pub(super) fn send_away(&mut self, from: &InstanceId) {
        let boards: Vec<BoardId> = self.list(from).into_iter().map(|row| row.board).collect();
        for board in boards {
            let Some(to) = self.reached(None).into_iter().next() else { return };
            if let Ok(app) = self.app(from) {
                app.boards.remove(&board);
            }
            self.claim(board, &to);
        }
    }
}
