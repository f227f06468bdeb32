//! Tests of all rules together: a small world in which whatever may happen happens in any order.
//!
//! A database, two servers, one client that edits and somebody else who edits too; sockets without
//! order between them; timers that run out whenever they like; servers that die. Whatever the order,
//! at the end every edit is in the database exactly once, and the client has seen all of it.

use std::collections::{BTreeMap, VecDeque};

use super::*;

mod chance;
mod daemon;
mod servers;

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

impl Holds {
    fn has_the_board(self) -> bool {
        match self {
            Self::Active | Self::Sealed => true,
            Self::Nothing | Self::Standby => false,
        }
    }
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

impl Server {
    fn empty() -> Self {
        Self { holds: Holds::Nothing, epoch: 0, log: vec![] }
    }
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
        let mut world = Self {
            plant,
            rng: fastrand::Rng::with_seed(seed),
            state,
            epoch: 0,
            owner: None,
            durable: vec![],
            servers: [Server::empty(), Server::empty()],
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

    fn happens(&mut self, event: Event) {
        let actions = self.state.on(event);
        self.carry_out(actions);
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
