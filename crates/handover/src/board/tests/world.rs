//! A small world: one board, two servers, five clients, a store, a daemon; time stands still unless it is
//! moved. The boards and the clients are the real ones.

mod chance;
mod daemon;
mod ending;
mod server;
mod users;
mod wires;

use crate::board::Moment;
use crate::store::memory::MemoryStore;
use crate::wire::{BoardId, Connect, Level};

use chance::Next;
use daemon::Daemon;
use server::Server;
use users::User;
use wires::Wire;

const CLIENTS: [&str; 5] = ["ann", "bob", "eve", "joe", "zoe"];
/// Those of them who are there from the beginning; the others come while the board is being moved.
const EARLY_CLIENTS: usize = 2;
const EDITS: u64 = 12;
const MAX_CRASHES: u32 = 3;

pub(super) fn the_board() -> BoardId {
    BoardId::parse("b").expect("an id")
}

pub(super) fn connect_of(server: usize) -> Connect {
    Connect::parse(&format!("server-{server}")).expect("a connect")
}

fn server_of(connect: &Connect) -> usize {
    usize::from(connect.as_str() == "server-1")
}

#[derive(Debug)]
pub(super) struct World {
    now: Moment,
    store: MemoryStore,
    servers: [Server; 2],
    wires: Vec<Wire>,
    users: Vec<User>,
    daemon: Daemon,
    last_conn: u64,
    has_faults: bool,
    /// Everything that happened, for whoever reads a failure.
    story: Vec<Next>,
    pub(super) moves_done: u32,
    pub(super) crashes: u32,
    pub(super) lost_answers: u32,
    /// Who joined a board while it was offered to others.
    pub(super) joined_offered: u32,
    /// Offers that were told when the board was sealed or let go already.
    pub(super) told_late: u32,
}

impl World {
    pub(super) fn new(level: Level) -> Self {
        let mut world = Self {
            now: Moment::default(),
            store: MemoryStore::default(),
            servers: [0, 1].map(|number| Server::new(number, level)),
            wires: Vec::new(),
            users: Vec::new(),
            daemon: Daemon::default(),
            last_conn: 0,
            has_faults: true,
            story: Vec::new(),
            moves_done: 0,
            crashes: 0,
            lost_answers: 0,
            joined_offered: 0,
            told_late: 0,
        };
        world.heartbeat(0);
        world.heartbeat(1);
        for _ in 0..EARLY_CLIENTS {
            world.come();
        }
        world
    }

    pub(super) fn without_faults(level: Level) -> Self {
        Self { has_faults: false, ..Self::new(level) }
    }
}
