//! Time, and how everything ends: whatever was under way has arrived.

use std::time::Duration;

use super::chance::Next;
use super::wires::{ENDED, Wire};
use super::{CLIENTS, World, the_board};
use crate::board::testing::client;
use crate::client::{Event, Timer};
use crate::wire::{ClientId, Entry, Seq};

/// Far more than any healed world needs.
const MAX_HEALING: u32 = 20_000;

impl World {
    /// To the next moment at which something is due; then it happens.
    pub(super) fn pass_time(&mut self) {
        let boards = self.servers.iter().filter_map(|server| server.board.as_ref()?.next_wake());
        let timers = self.users.iter().flat_map(|user| user.timers.values().copied());
        let Some(due) = boards.chain(timers).min() else {
            self.now = self.now.after(Duration::from_millis(100));
            return;
        };
        self.now = self.now.max(due);
        for server in 0..self.servers.len() {
            self.wake(server);
        }
        self.ping();
        for user in 0..self.users.len() {
            let due: Vec<Timer> = self.users[user].timers_due(self.now);
            for timer in due {
                if self.users[user].timers.remove(&timer).is_some() {
                    self.tell(user, Event::Due(timer));
                }
            }
        }
    }

    /// A server that is there pings more often than a client loses patience.
    fn ping(&mut self) {
        let is_open = |wire: &&Wire| wire.conn != ENDED && !wire.is_left;
        let open: Vec<_> = self.wires.iter().filter(is_open).map(|wire| (wire.client, wire.socket)).collect();
        for (user, socket) in open {
            self.tell(user, Event::Alive(socket));
        }
    }

    /// No more faults, no more moves: everything that is under way arrives.
    pub(in crate::board::tests) fn heal(&mut self) {
        self.has_faults = false;
        for server in 0..self.servers.len() {
            self.heartbeat(server);
        }
        for turn in 0..MAX_HEALING {
            if self.is_settled() {
                return;
            }
            // Fair: whoever has something to do gets to do it.
            let busy: Vec<Next> = self
                .possible()
                .into_iter()
                .filter(|next| !matches!(next, Next::Daemon | Next::Time | Next::Edit(_) | Next::Come))
                .collect();
            let turn = usize::try_from(turn).expect("small");
            if let Some(next) = busy.get(turn % busy.len().max(1)) {
                self.happen(*next);
                continue;
            }
            self.happen(Next::Time);
            for server in 0..self.servers.len() {
                self.happen(Next::Patrol(server));
            }
        }
        panic!("it does not settle: {:?}\n{:#?}", self.story, (&self.servers, &self.users, &self.wires));
    }

    fn is_settled(&self) -> bool {
        let end = self.log().last().map_or(Seq::ZERO, |entry| entry.seq);
        self.users.iter().all(|user| user.state.unacknowledged() == 0 && user.seen == end)
    }

    pub(super) fn log(&self) -> Vec<Entry> {
        self.store.log(&the_board())
    }

    pub(in crate::board::tests) fn assert_everything_arrived(&self) {
        let log = self.log();
        for (at, entry) in (1_u64..).zip(&log) {
            assert_eq!(entry.seq, Seq(at), "the log has no holes");
        }
        for (name, user) in CLIENTS.iter().zip(&self.users) {
            let name: ClientId = client(name);
            let made: Vec<u64> = log.iter().filter(|e| e.client == name).map(|e| e.cseq.get()).collect();
            assert_eq!(made, (1..=user.made).collect::<Vec<u64>>(), "each edit of {name} once, in order");
        }
    }

    pub(in crate::board::tests) fn assert_nobody_was_disconnected(&self) {
        for user in &self.users {
            assert_eq!(user.joined_again, 0, "{:?}", self.story);
        }
    }
}
