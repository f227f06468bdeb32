//! Tests of all rules together: a small world in which whatever may happen happens in any order.
//!
//! A database, two servers, one client that edits and somebody else who edits too; sockets without
//! order between them; timers that run out whenever they like; servers that die. Whatever the order,
//! at the end every edit is in the database exactly once, and the client has seen all of it.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::wire::{Attached, BoardId, Cancel, Go, Moved, Nack, Offer, Op, Sealed, Unsealed, Welcome};

const ME: &str = "me";
const OTHER: &str = "other";

fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

fn payload() -> Payload {
    Payload::of("x").unwrap()
}

fn connect_to(server: usize) -> Connect {
    Connect::parse(&server.to_string()).unwrap()
}

fn number(of: usize) -> u64 {
    u64::try_from(of).unwrap()
}

fn count(log: &[(&'static str, u64)], who: &str) -> u64 {
    number(log.iter().filter(|(other, _)| *other == who).count())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Standby,
    Active,
    Sealed,
}

/// A mistake that is put in on purpose, to see whether the world finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Nothing,
    /// The client does not send again on `go`.
    ForgetsToResend,
    /// The server applies an edit that it has already.
    AppliesTwice,
    /// The database takes what a server writes that lost the board.
    DoesNotFence,
}

/// One server's memory of the board: an edit is (whose, cseq).
#[derive(Debug)]
struct Server {
    holds: Holds,
    epoch: u64,
    log: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
struct Link {
    server: usize,
    served: bool,
    /// Attached, not served.
    waits: bool,
    up: VecDeque<ClientMessage>,
    /// `None` is the end of the connection.
    down: VecDeque<Option<ServerMessage>>,
}

/// The database, two servers, a client.
#[derive(Debug)]
struct World {
    plant: Plant,
    rng: fastrand::Rng,
    state: ClientState,
    epoch: u64,
    owner: Option<usize>,
    durable: Vec<(&'static str, u64)>,
    servers: [Server; 2],
    links: BTreeMap<SocketId, Link>,
    opening: Vec<(SocketId, Target)>,
    timers: BTreeMap<Timer, Duration>,
    moves: u64,
    crashes: u32,
    made: u64,
    seen: u64,
    switches: u32,
    left: bool,
}

impl World {
    fn new(seed: u64, plant: Plant) -> Self {
        let (state, actions) = ClientState::start(client(ME), Timing::default());
        let server = || Server { holds: Holds::Nothing, epoch: 0, log: vec![] };
        let mut world = Self {
            plant,
            rng: fastrand::Rng::with_seed(seed),
            state,
            epoch: 0,
            owner: None,
            durable: vec![],
            servers: [server(), server()],
            links: BTreeMap::new(),
            opening: vec![],
            timers: BTreeMap::new(),
            moves: 0,
            crashes: 0,
            made: 0,
            seen: 0,
            switches: 0,
            left: false,
        };
        world.carry_out(actions);
        world
    }

    fn carry_out(&mut self, mut actions: Vec<Action>) {
        let switched = |action: &Action| matches!(action, Action::Tell(Told::Switched { .. }));
        if self.plant == Plant::ForgetsToResend && actions.iter().any(switched) {
            actions.retain(|action| !matches!(action, Action::Send { message: ClientMessage::Op(_), .. }));
        }
        for action in actions {
            match action {
                Action::Open { socket, target } => self.opening.push((socket, target)),
                Action::Send { socket, message } => {
                    if let Some(link) = self.links.get_mut(&socket) {
                        link.up.push_back(message);
                    }
                }
                Action::Close(socket) => {
                    self.links.remove(&socket);
                    self.opening.retain(|(other, _)| *other != socket);
                }
                Action::Set(timer, after) => drop(self.timers.insert(timer, after)),
                Action::Clear(timer) => drop(self.timers.remove(&timer)),
                Action::Tell(told) => self.told(&told),
            }
        }
    }

    fn told(&mut self, told: &Told) {
        match told {
            Told::Update(update) => {
                assert_eq!(update.seq.get(), self.seen + 1, "updates come in order");
                self.seen += 1;
            }
            Told::Snapshot(snapshot) => self.seen = snapshot.seq.get(),
            Told::Durable(cseq) => {
                let stored = count(&self.durable, ME);
                assert!(cseq.get() <= stored, "what is told to be durable is in the database");
            }
            Told::Switched { .. } => self.switches += 1,
            Told::Broken(wrong) => panic!("{wrong}"),
            Told::Left { .. } => self.left = true,
            Told::Joined { .. }
            | Told::Applied(_)
            | Told::Attached(_)
            | Told::Sealed(_)
            | Told::Unsealed(_)
            | Told::MoveGivenUp(_)
            | Told::SentAway
            | Told::Lost { .. } => {}
        }
    }

    // The servers' half, as short as the contract allows.

    fn say(&mut self, socket: SocketId, message: ServerMessage) {
        if let Some(link) = self.links.get_mut(&socket) {
            link.down.push_back(Some(message));
        }
    }

    fn say_all(&mut self, server: usize, message: &ServerMessage) {
        let served = self.links.values_mut().filter(|link| link.server == server && link.served);
        served.for_each(|link| link.down.push_back(Some(message.clone())));
    }

    fn send_away(&mut self, socket: SocketId) {
        let connect = self.owner.map(connect_to);
        if let Some(link) = self.links.get_mut(&socket) {
            (link.served, link.waits) = (false, false);
            link.down.push_back(Some(ServerMessage::Moved(Moved { connect })));
            link.down.push_back(None);
        }
    }

    /// The server finds that it lost the board, if it did.
    fn step_down(&mut self, at: usize) {
        let here = &self.servers[at];
        let holds = matches!(here.holds, Holds::Active | Holds::Sealed);
        if holds && (self.owner != Some(at) || self.epoch != here.epoch) {
            self.servers[at].holds = Holds::Nothing;
            let links = self.links.iter().filter(|(_, link)| link.server == at && link.served);
            let served: Vec<SocketId> = links.map(|(socket, _)| *socket).collect();
            for socket in served {
                self.send_away(socket);
            }
        }
    }

    fn flush(&mut self, at: usize) {
        if self.plant != Plant::DoesNotFence {
            self.step_down(at);
        }
        if matches!(self.servers[at].holds, Holds::Active | Holds::Sealed) {
            self.durable.clone_from(&self.servers[at].log);
            let (cseq, seq) = (Cseq(count(&self.durable, ME)), Seq(number(self.durable.len())));
            if cseq > Cseq(0) {
                self.say_all(at, &ServerMessage::Ack(Ack { cseq, seq, durable: true }));
            }
        }
    }

    fn take_over(&mut self, at: usize) {
        self.epoch += 1;
        self.owner = Some(at);
        let log = self.durable.clone();
        self.servers[at] = Server { holds: Holds::Active, epoch: self.epoch, log };
    }

    fn apply(&mut self, at: usize, who: &'static str) {
        let here = &mut self.servers[at];
        let cseq = count(&here.log, who) + 1;
        here.log.push((who, cseq));
        let seq = Seq(number(here.log.len()));
        let update = Update { seq, client: client(who), cseq: Cseq(cseq), payload: payload() };
        self.say_all(at, &ServerMessage::Update(update));
        if who == ME {
            self.say_all(at, &ServerMessage::Ack(Ack { cseq: Cseq(cseq), seq, durable: false }));
        }
    }

    fn hello(&mut self, at: usize, socket: SocketId, last_seq: Option<Seq>, epoch: Option<Epoch>) {
        if self.owner.is_none() {
            self.take_over(at);
        }
        self.step_down(at);
        let here = &self.servers[at];
        if !matches!(here.holds, Holds::Active | Holds::Sealed) {
            self.send_away(socket);
            return;
        }
        let (seq, here_epoch, is_sealed) = (number(here.log.len()), here.epoch, here.holds == Holds::Sealed);
        let welcome = Welcome {
            board: BoardId::parse("b").unwrap(),
            client: client(ME),
            epoch: Epoch(here_epoch),
            seq: Seq(seq),
            last_cseq: Cseq(count(&self.durable, ME)),
            version: "1".to_owned(),
        };
        self.say(socket, ServerMessage::Welcome(welcome));
        self.links.get_mut(&socket).unwrap().served = true;
        if epoch == Some(Epoch(here_epoch)) {
            self.catch_up(at, socket, last_seq.unwrap().get());
        } else {
            self.say(socket, ServerMessage::Snapshot(Snapshot { seq: Seq(seq), state: payload() }));
        }
        if is_sealed {
            self.say(socket, ServerMessage::Sealed(Sealed { epoch: Epoch(here_epoch), seq: Seq(seq) }));
        }
    }

    fn catch_up(&mut self, at: usize, socket: SocketId, from: u64) {
        let rest: Vec<_> = (1..).zip(self.servers[at].log.clone()).filter(|(seq, _)| *seq > from).collect();
        for (seq, (who, cseq)) in rest {
            let (client, cseq) = (client(who), Cseq(cseq));
            self.say(
                socket,
                ServerMessage::Update(Update { seq: Seq(seq), client, cseq, payload: payload() }),
            );
        }
    }

    fn hear(&mut self, socket: SocketId, message: ClientMessage) {
        let link = &self.links[&socket];
        let (at, served) = (link.server, link.served);
        let holds = self.servers[at].holds;
        match message {
            ClientMessage::Hello(hello) => self.hello(at, socket, hello.last_seq, hello.epoch),
            ClientMessage::Attach(attach) if holds == Holds::Standby => {
                self.links.get_mut(&socket).unwrap().waits = true;
                self.say(socket, ServerMessage::Attached(Attached { move_id: attach.move_id }));
            }
            ClientMessage::Attach(_) if holds == Holds::Active => self.go(at, socket),
            ClientMessage::Attach(_) => self.send_away(socket),
            ClientMessage::Op(op) if served && holds == Holds::Active => self.op(at, socket, &op),
            ClientMessage::Resume(resume) if served => {
                let seq = number(self.servers[at].log.len());
                if resume.from == Seq(0) {
                    let snapshot = Snapshot { seq: Seq(seq), state: payload() };
                    self.say(socket, ServerMessage::Snapshot(snapshot));
                } else {
                    self.catch_up(at, socket, resume.from.get());
                }
            }
            ClientMessage::Op(_) | ClientMessage::Resume(_) => {}
        }
    }

    fn op(&mut self, at: usize, socket: SocketId, op: &Op) {
        let last = count(&self.servers[at].log, ME);
        let twice = self.plant == Plant::AppliesTwice && op.cseq.get() == last;
        if op.cseq.get() == last + 1 || twice {
            self.apply(at, ME);
        } else if op.cseq.get() > last {
            self.say(socket, ServerMessage::Nack(Nack { expected: Cseq(last + 1) }));
        }
    }

    fn go(&mut self, at: usize, socket: SocketId) {
        let here = &self.servers[at];
        let (epoch, seq) = (Epoch(here.epoch), Seq(number(here.log.len())));
        let last_cseq = Cseq(count(&self.durable, ME));
        self.say(socket, ServerMessage::Go(Go { epoch, seq, last_cseq }));
        let link = self.links.get_mut(&socket).unwrap();
        (link.served, link.waits) = (true, false);
    }

    fn waiting(&self, at: usize) -> Vec<SocketId> {
        let links = self.links.iter().filter(|(_, link)| link.server == at && link.waits);
        links.map(|(socket, _)| *socket).collect()
    }

    // The daemon's half: any of its calls, whenever the servers would accept it.

    fn daemon(&mut self) {
        let Some(old) = self.owner else { return };
        let new = 1 - old;
        match self.rng.u8(0..7) {
            0 if self.servers[new].holds == Holds::Nothing => self.servers[new].holds = Holds::Standby,
            1 | 2
                if self.servers[old].holds == Holds::Active && self.servers[new].holds == Holds::Standby =>
            {
                self.moves += u64::from(self.rng.bool());
                let move_id = MoveId::parse(&format!("m{}", self.moves)).unwrap();
                let (connect, token) = (connect_to(new), Token::parse("t").unwrap());
                self.say_all(old, &ServerMessage::Offer(Offer { move_id, connect, token, deadline_ms: 9 }));
            }
            3 if self.servers[old].holds == Holds::Active => {
                self.flush(old);
                self.servers[old].holds = Holds::Sealed;
                let (epoch, seq) = (Epoch(self.epoch), Seq(number(self.servers[old].log.len())));
                self.say_all(old, &ServerMessage::Sealed(Sealed { epoch, seq }));
            }
            4 if self.servers[new].holds == Holds::Standby
                && (!self.waiting(new).is_empty() || self.rng.u8(0..8) == 0) =>
            {
                // Also by force, from a server that was never sealed.
                self.take_over(new);
                self.waiting(new).into_iter().for_each(|socket| self.go(new, socket));
            }
            5 if self.servers[old].holds == Holds::Sealed => self.unseal(old),
            6 if self.servers[new].holds == Holds::Standby && self.rng.u8(0..4) == 0 => {
                self.servers[new].holds = Holds::Nothing;
                let move_id = MoveId::parse(&format!("m{}", self.moves)).unwrap();
                for socket in self.waiting(new) {
                    self.links.get_mut(&socket).unwrap().waits = false;
                    self.say(socket, ServerMessage::Cancel(Cancel { move_id: move_id.clone() }));
                }
            }
            _ => {}
        }
    }

    fn unseal(&mut self, at: usize) {
        self.epoch += 1;
        self.servers[at].epoch = self.epoch;
        self.servers[at].holds = Holds::Active;
        self.say_all(at, &ServerMessage::Unsealed(Unsealed { epoch: Epoch(self.epoch) }));
    }

    fn crash(&mut self) {
        let at = self.rng.usize(0..2);
        self.crashes += 1;
        self.servers[at] = Server { holds: Holds::Nothing, epoch: 0, log: vec![] };
        if self.owner == Some(at) {
            self.owner = None;
        }
        for link in self.links.values_mut().filter(|link| link.server == at) {
            (link.served, link.waits) = (false, false);
            link.up.clear();
            link.down.truncate(self.rng.usize(0..=link.down.len()));
            link.down.push_back(None);
        }
    }

    // Chance.

    fn any_socket(&mut self) -> Option<SocketId> {
        let sockets: Vec<SocketId> = self.links.keys().copied().collect();
        self.rng.choice(sockets)
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
        let actions = self.state.on(Event::Opened(socket));
        self.carry_out(actions);
    }

    fn deliver_up(&mut self, socket: SocketId) -> bool {
        let message = self.links.get_mut(&socket).and_then(|link| link.up.pop_front());
        message.map(|message| self.hear(socket, message)).is_some()
    }

    fn deliver_down(&mut self, socket: SocketId) -> bool {
        let Some(message) = self.links.get_mut(&socket).and_then(|link| link.down.pop_front()) else {
            return false;
        };
        let event = if let Some(message) = message {
            Event::Message(socket, message)
        } else {
            self.links.remove(&socket);
            Event::Closed { socket, code: None }
        };
        let actions = self.state.on(event);
        self.carry_out(actions);
        true
    }

    fn fire(&mut self) -> bool {
        let timers: Vec<Timer> = self.timers.keys().copied().collect();
        let Some(timer) = self.rng.choice(timers) else { return false };
        self.timers.remove(&timer);
        let actions = self.state.on(Event::Due(timer));
        self.carry_out(actions);
        true
    }

    fn edit(&mut self) {
        let (cseq, actions) = self.state.edit(payload()).unwrap();
        self.made += 1;
        assert_eq!(cseq.get(), self.made);
        self.carry_out(actions);
    }

    fn step(&mut self) {
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
            99 => drop(self.fire()),
            _ => {}
        }
    }

    /// Nothing fails any more; the client leaves.
    fn heal(&mut self) {
        let actions = self.state.on(Event::Leave);
        self.carry_out(actions);
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

/// One world, from its seed; says how many moves the client switched over.
fn live(seed: u64, plant: Plant) -> u32 {
    let mut world = World::new(seed, plant);
    for _ in 0..world.rng.u32(50..1_500) {
        world.step();
    }
    world.heal();
    let mine: Vec<u64> = world.durable.iter().filter(|(who, _)| *who == ME).map(|(_, cseq)| *cseq).collect();
    assert!((1..=world.made).eq(mine.iter().copied()), "each edit once and in order: {mine:?}");
    world.switches
}

#[test]
fn every_edit_is_stored_exactly_once_whatever_the_order_of_things() {
    let mut switches = 0;
    for seed in 0..6_000 {
        let lived = std::panic::catch_unwind(|| live(seed, Plant::Nothing));
        switches += lived.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(switches > 4_000, "{switches} switches are too few to prove anything");
}

#[test]
fn a_mistake_put_in_on_purpose_is_found() {
    for plant in [Plant::ForgetsToResend, Plant::AppliesTwice, Plant::DoesNotFence] {
        let found = (0..200).any(|seed| std::panic::catch_unwind(|| live(seed, plant)).is_err());
        assert!(found, "{plant:?}");
    }
}
