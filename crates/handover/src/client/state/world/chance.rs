//! Chance: what happens next, and the end at which nothing fails any more.

use super::*;

impl World {
    fn any_socket(&mut self) -> Option<SocketId> {
        self.rng.choice(self.links.keys().copied())
    }

    fn open_one(&mut self) {
        if self.opening.is_empty() {
            return;
        }
        let (socket, target) = self.opening.swap_remove(self.rng.usize(0..self.opening.len()));
        let server = match target {
            Target::FrontDoor => self.rng.usize(0..2),
            Target::At(connect) => connect.as_str().parse().unwrap(),
        };
        let (up, down) = (VecDeque::new(), VecDeque::new());
        self.links.insert(socket, Link { server, served: false, waits: false, up, down });
        self.happens(Event::Opened(socket));
    }

    fn deliver_up(&mut self, socket: SocketId) -> bool {
        let message = self.links.get_mut(&socket).and_then(|link| link.up.pop_front());
        message.map(|message| self.hear(socket, message)).is_some()
    }

    fn deliver_down(&mut self, socket: SocketId) -> bool {
        let Some(message) = self.links.get_mut(&socket).and_then(|link| link.down.pop_front()) else {
            return false;
        };
        if let Some(message) = message {
            self.happens(Event::Message(socket, message));
        } else {
            self.links.remove(&socket);
            self.happens(Event::Closed { socket, code: None });
        }
        true
    }

    fn fire(&mut self) {
        if let Some(timer) = self.rng.choice(self.timers.keys().copied()) {
            self.timers.remove(&timer);
            self.happens(Event::Due(timer));
        }
    }

    fn edit(&mut self) {
        let (cseq, actions) = self.state.edit(payload()).unwrap();
        self.made += 1;
        assert_eq!(cseq.get(), self.made);
        self.carry_out(actions);
    }

    pub(super) fn step(&mut self) {
        match self.rng.u8(0..100) {
            0..30 => drop(self.any_socket().map(|socket| self.deliver_up(socket))),
            30..64 => drop(self.any_socket().map(|socket| self.deliver_down(socket))),
            64..72 => self.open_one(),
            72..80 if self.made < 30 => self.edit(),
            80..84 => {
                if let Some(at) = self.owner.filter(|at| self.servers[*at].holds == Holds::Active) {
                    self.apply(at, OTHER);
                }
            }
            84..87 => {
                let at = self.rng.usize(0..2);
                self.flush(at);
            }
            87..98 => self.daemon(),
            98 if self.crashes < 2 && self.rng.u8(0..4) == 0 => self.crash(),
            99 => self.fire(),
            _ => {}
        }
    }

    /// Nothing fails any more; the client leaves.
    pub(super) fn heal(&mut self) {
        self.happens(Event::Leave);
        for _ in 0..2_000 {
            if self.left {
                return;
            }
            for at in 0..2 {
                if self.servers[at].holds == Holds::Sealed && self.owner == Some(at) {
                    self.unseal(at);
                }
                self.flush(at);
            }
            while !self.opening.is_empty() {
                self.open_one();
            }
            let sockets: Vec<SocketId> = self.links.keys().copied().collect();
            let moved = sockets.into_iter().filter(|s| self.deliver_up(*s) | self.deliver_down(*s)).count();
            if moved == 0 {
                self.fire();
            }
        }
        panic!("the client is stuck: {:#?}", self.state);
    }
}
