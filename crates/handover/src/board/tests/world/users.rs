//! The clients, and what they do, hear and must never hear.

use std::collections::{BTreeMap, VecDeque};

use super::wires::{Down, Up, Wire};
use super::{CLIENTS, World, server_of};
use crate::board::testing::client;
use crate::board::{ConnId, Moment};
use crate::client::{Action, ClientState, Event, SocketId, Target, Timer, Timing, Told};
use crate::wire::{Payload, Seq};

#[derive(Debug)]
pub(super) struct User {
    pub(super) state: ClientState,
    pub(super) opening: Vec<(SocketId, Target)>,
    pub(super) timers: BTreeMap<Timer, Moment>,
    pub(super) made: u64,
    pub(super) seen: Seq,
    pub(super) joined_again: u32,
}

impl World {
    pub(super) fn come(&mut self) {
        let (state, actions) = ClientState::start(client(CLIENTS[self.users.len()]), Timing::default());
        let (opening, timers) = (Vec::new(), BTreeMap::new());
        self.users.push(User { state, opening, timers, made: 0, seen: Seq::ZERO, joined_again: 0 });
        self.carry_out(self.users.len() - 1, actions);
    }

    pub(super) fn edit(&mut self, user: usize) {
        let payload = Payload::of(&self.users[user].made).expect("JSON");
        self.users[user].made += 1;
        let (_, actions) = self.users[user].state.edit(payload).expect("there is room");
        self.carry_out(user, actions);
    }

    pub(super) fn open(&mut self, user: usize, at: usize) {
        let (socket, target) = self.users[user].opening.remove(at);
        let server = match &target {
            // The front door leads anywhere.
            Target::FrontDoor => usize::try_from(self.last_conn % 2).expect("0 or 1"),
            Target::At(connect) => server_of(connect),
        };
        self.last_conn += 1;
        let conn = ConnId(self.last_conn);
        let (up, down) = (VecDeque::new(), VecDeque::new());
        self.wires.push(Wire {
            client: user,
            socket,
            server,
            conn,
            up,
            down,
            has_arrived: false,
            is_left: false,
        });
        self.tell(user, Event::Opened(socket));
    }

    pub(super) fn deliver_down(&mut self, wire: usize) {
        let Some(said) = self.wires[wire].down.pop_front() else { return };
        let (user, socket) = (self.wires[wire].client, self.wires[wire].socket);
        if self.wires[wire].is_left {
            return;
        }
        match said {
            Down::Say(message) => self.tell(user, Event::Message(socket, message)),
            Down::Closed(code) => self.tell(user, Event::Closed { socket, code: Some(code) }),
        }
    }

    pub(super) fn tell(&mut self, user: usize, event: Event) {
        let actions = self.users[user].state.on(event);
        self.carry_out(user, actions);
    }

    fn carry_out(&mut self, user: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Open { socket, target } => self.users[user].opening.push((socket, target)),
                Action::Send { socket, message } => self.say(user, socket, Up::Say(message)),
                Action::Close(socket) => {
                    self.users[user].opening.retain(|(opening, _)| *opening != socket);
                    self.say(user, socket, Up::Bye);
                    if let Some(wire) = self.wire_of(user, socket) {
                        wire.is_left = true;
                    }
                }
                Action::Set(timer, wait) => {
                    let due = self.now.after(wait);
                    self.users[user].timers.insert(timer, due);
                }
                Action::Clear(timer) => {
                    self.users[user].timers.remove(&timer);
                }
                Action::Tell(told) => self.heard(user, &told),
            }
        }
    }

    fn heard(&mut self, user: usize, told: &Told) {
        match told {
            Told::Durable(cseq) => {
                let name = client(CLIENTS[user]);
                let kept =
                    self.log().iter().filter(|entry| entry.client == name && entry.cseq <= *cseq).count();
                assert_eq!(
                    u64::try_from(kept).ok(),
                    Some(cseq.get()),
                    "{name} was told that {cseq} is durable; {:?}",
                    self.story
                );
            }
            Told::Update(update) => {
                assert_eq!(update.seq, self.users[user].seen.next(), "updates come without holes");
                self.users[user].seen = update.seq;
            }
            Told::Snapshot(snapshot) => self.users[user].seen = snapshot.seq,
            Told::Joined { again, .. } => self.users[user].joined_again = *again,
            Told::Broken(wrong) => panic!("a server told {} nonsense: {wrong:?}", CLIENTS[user]),
            Told::Applied(_)
            | Told::Attached(_)
            | Told::Sealed(_)
            | Told::Switched { .. }
            | Told::Unsealed(_)
            | Told::MoveGivenUp(_)
            | Told::SentAway
            | Told::Lost { .. }
            | Told::Left { .. } => {}
        }
    }
}

impl User {
    pub(super) fn timers_due(&self, now: Moment) -> Vec<Timer> {
        self.timers.iter().filter(|(_, due)| **due <= now).map(|(timer, _)| *timer).collect()
    }
}
