//! What may happen next, and one of it happening.

use super::wires::{ENDED, Wire};
use super::{CLIENTS, EDITS, MAX_CRASHES, World};

/// What may happen next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    Come,
    Edit(usize),
    Open(usize, usize),
    Up(usize),
    Down(usize),
    Offer(usize),
    Answer(usize, usize),
    LoseAnswer(usize, usize),
    FailRequest(usize, usize),
    Time,
    Daemon,
    DaemonForgets,
    Crash(usize),
    Suspect(usize),
    Free,
    Heartbeat(usize),
    Patrol(usize),
}

impl World {
    /// One of the things that may happen now.
    pub(in crate::board::tests) fn step(&mut self, choice: usize) {
        // Faults are possible at any time, and still not the rule.
        let is_faulty = self.has_faults && choice.is_multiple_of(8);
        let mut possible = self.possible();
        if is_faulty {
            self.add_faults(&mut possible);
        }
        let Some(next) = possible.get(choice / 8 % possible.len()) else { return };
        self.happen(*next);
    }

    pub(super) fn possible(&self) -> Vec<Next> {
        let mut possible = vec![Next::Daemon, Next::Daemon];
        if !self.has_everybody_come() && self.daemon.is_moving() {
            possible.push(Next::Come);
        }
        // Without faults nothing is ever so late that somebody gives up.
        if self.is_quiet() {
            possible.push(Next::Time);
        }
        for (number, user) in self.users.iter().enumerate() {
            if user.made < EDITS {
                possible.push(Next::Edit(number));
            }
            possible.extend((0..user.opening.len()).map(|at| Next::Open(number, at)));
        }
        for (number, wire) in self.wires.iter().enumerate() {
            if !wire.up.is_empty() {
                possible.push(Next::Up(number));
            }
            if !wire.down.is_empty() {
                possible.push(Next::Down(number));
            }
        }
        for (number, server) in self.servers.iter().enumerate() {
            possible.extend((0..server.requests.len()).map(|at| Next::Answer(number, at)));
            if !server.offers.is_empty() {
                possible.push(Next::Offer(number));
            }
        }
        possible
    }

    fn add_faults(&self, possible: &mut Vec<Next>) {
        possible.extend([Next::Time, Next::DaemonForgets, Next::Free]);
        for (number, server) in self.servers.iter().enumerate() {
            for at in 0..server.requests.len() {
                possible.extend([Next::LoseAnswer(number, at), Next::FailRequest(number, at)]);
            }
            possible.extend([Next::Suspect(number), Next::Heartbeat(number), Next::Patrol(number)]);
            if self.crashes < MAX_CRASHES {
                possible.push(Next::Crash(number));
            }
        }
    }

    /// Nothing is under way.
    fn is_quiet(&self) -> bool {
        self.wires.iter().all(|wire| wire.up.is_empty() && wire.down.is_empty())
            && self.servers.iter().all(|server| server.requests.is_empty() && server.offers.is_empty())
            && self.users.iter().all(|user| user.opening.is_empty())
    }

    pub(super) fn has_everybody_come(&self) -> bool {
        self.users.len() == CLIENTS.len()
    }

    /// Whoever came is at that server, with one socket. Edits and answers may be under way.
    pub(super) fn is_everybody_at(&self, owner: usize) -> bool {
        let is_there =
            |wire: &Wire| wire.server == owner && wire.has_arrived && wire.conn != ENDED && !wire.is_left;
        self.users.iter().all(|user| user.opening.is_empty())
            && self.servers.iter().all(|server| server.offers.is_empty())
            && self.wires.len() == self.users.len()
            && self.wires.iter().all(is_there)
    }

    pub(super) fn happen(&mut self, next: Next) {
        self.story.push(next);
        match next {
            Next::Come => self.come(),
            Next::Edit(user) => self.edit(user),
            Next::Open(user, at) => self.open(user, at),
            Next::Up(wire) => self.deliver_up(wire),
            Next::Down(wire) => self.deliver_down(wire),
            Next::Offer(server) => self.offer_next(server),
            Next::Answer(server, at) => self.answer(server, at),
            Next::LoseAnswer(server, at) => {
                self.lost_answers += 1;
                self.lose_answer(server, at);
            }
            Next::FailRequest(server, at) => self.fail_request(server, at),
            Next::Time => self.pass_time(),
            Next::Daemon => self.daemon_acts(),
            Next::DaemonForgets => self.daemon = self.daemon.forgotten(),
            Next::Crash(server) => {
                self.crashes += 1;
                self.crash(server);
            }
            Next::Suspect(server) => self.suspect(server),
            Next::Free => self.free(),
            Next::Heartbeat(server) => self.heartbeat(server),
            Next::Patrol(server) => {
                self.apply(server, |board, _, fx| board.doubt(fx));
            }
        }
        self.wires.retain(Wire::is_alive);
    }
}
