//! The daemon's half: any of its calls, whenever the servers would accept it.

use super::*;
use crate::wire::{Cancel, Offer, Sealed};

impl World {
    pub(super) fn daemon(&mut self) {
        let Some(old) = self.owner else { return };
        let new = 1 - old;
        let (from, to) = (self.servers[old].holds, self.servers[new].holds);
        match self.rng.u8(0..7) {
            0 if to == Holds::Nothing => self.servers[new].holds = Holds::Standby,
            1 | 2 if from == Holds::Active && to == Holds::Standby => self.offer(old, new),
            3 if from == Holds::Active => self.seal(old),
            // Also by force, from a server that was never sealed.
            4 if to == Holds::Standby && (!self.waiting(new).is_empty() || self.rng.u8(0..8) == 0) => {
                self.activate(new);
            }
            5 if from == Holds::Sealed => self.unseal(old),
            6 if to == Holds::Standby && self.rng.u8(0..4) == 0 => self.cancel(new),
            _ => {}
        }
    }

    /// Again, or as a new move.
    fn offer(&mut self, old: usize, new: usize) {
        self.moves += u64::from(self.rng.bool());
        let (move_id, connect, token) = (self.move_id(), connect_to(new), Token::parse("t").unwrap());
        self.say_all(old, &ServerMessage::Offer(Offer { move_id, connect, token, deadline_ms: 9 }));
    }

    fn seal(&mut self, old: usize) {
        self.flush(old);
        self.servers[old].holds = Holds::Sealed;
        let (epoch, seq) = (Epoch(self.epoch), Seq(number(self.servers[old].log.len())));
        self.say_all(old, &ServerMessage::Sealed(Sealed { epoch, seq }));
    }

    fn activate(&mut self, new: usize) {
        self.take_over(new);
        self.waiting(new).into_iter().for_each(|socket| self.go(new, socket));
    }

    fn cancel(&mut self, new: usize) {
        self.servers[new].holds = Holds::Nothing;
        for socket in self.waiting(new) {
            self.links.get_mut(&socket).unwrap().waits = false;
            self.say(socket, ServerMessage::Cancel(Cancel { move_id: self.move_id() }));
        }
    }

    fn move_id(&self) -> MoveId {
        MoveId::parse(&format!("m{}", self.moves)).unwrap()
    }
}
