//! The server library: everything an application needs on its side of the contract, over its own store.
//!
//! It routes: control calls and websocket connections to boards, boards' effects to the store, to
//! connections and to timers. It decides nothing about a board; that is the board's own state machine.
//! It does not listen: the application mounts [`Server::control_router`] on its private port and hands
//! websocket upgrades to [`Server::upgrade`] from whatever path and authentication it has.

mod answers;
mod desk;
mod drain;
mod health;
mod heartbeat;
mod latency;
mod lookup;
mod pace;
mod paced;
mod patrol;
mod registry;
mod routes;
mod slot;
mod socket;
#[cfg(test)]
mod tests;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::auth::{Guard, Key};
use crate::board::{Board, Counts, Moment, Settings};
use crate::clock::WallClock;
use crate::document::NewDocument;
use crate::store::BoardStore;
use crate::wire::{
    BoardId, Caps, Connect, DEFAULT_SEAL_TTL_MS, Formats, Generation, Level, MAX_MESSAGE_BYTES, Route,
    ServerId,
};

pub use crate::board::BoardLimits;

use desk::Desk;
use health::Health;
use paced::{Paced, PendingOffer};
use registry::Registry;

/// Everything that an application says about itself.
#[derive(Clone)]
pub struct ServerConfig {
    pub server: ServerId,
    /// Shared with the daemon and with the application's other servers.
    pub key: Key,
    /// Told to clients in `welcome` and to the daemon in `status`.
    pub version: String,
    pub formats: Formats,
    pub level: Level,
    pub caps: Caps,
    /// Where clients find a board on this server: `{board}` stands for the board, `{route}` for the route
    /// slot. While it has `{route}` and none is known, nothing can be moved here.
    pub connect: Connect,
    /// The same for routes that end so: an application behind several load balancers tells by a route's name through
    /// which of them it leads. The first that fits is used.
    pub connect_by_route: Vec<(String, Connect)>,
    pub route: Option<Route>,
    /// The most attaches admitted per second; a daemon may only lower it.
    pub attach_rate_per_s: NonZeroU32,
    /// Attaches that may wait for admission.
    pub attach_queue: NonZeroUsize,
    pub boards: BoardLimits,
    pub sockets: SocketLimits,
    /// Also how long to wait for one heartbeat to be taken: the next one is due then.
    pub heartbeat_every: Duration,
    /// How often the ownership table is compared with what is served.
    pub patrol_every: Duration,
    /// How long to wait for one answer of the store.
    pub store_timeout: Duration,
    /// How long a control call waits for a board before it answers `still_working`.
    pub answer_within: Duration,
    pub new_document: NewDocument,
    pub clock: WallClock,
}

/// Bounds of one websocket connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketLimits {
    /// Memory per idle connection is mostly this; the library's own default is 128 KiB.
    pub read_buffer_bytes: usize,
    pub message_bytes: usize,
    /// Messages that wait for a slow client; one more and it is closed.
    pub queue: NonZeroUsize,
    /// From the upgrade to `hello` or `attach`.
    pub first_message: Duration,
    /// For one write; after it the client counts as gone.
    pub write: Duration,
    /// Pings keep proxies from closing a quiet connection (an ALB does after 60 s).
    pub ping_every: Duration,
    /// A client that was silent for so long, pongs included, is gone.
    pub silent_for: Duration,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            read_buffer_bytes: 4 * 1024,
            message_bytes: MAX_MESSAGE_BYTES,
            queue: const { NonZeroUsize::new(1_024).expect("it is not zero") },
            first_message: Duration::from_secs(10),
            write: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            silent_for: Duration::from_mins(1),
        }
    }
}

impl ServerConfig {
    /// A configuration with defaults for everything that has a sensible one.
    pub fn new(server: ServerId, key: Key, connect: Connect, new_document: NewDocument) -> Self {
        let any = "1".to_owned();
        Self {
            server,
            key,
            version: "0".to_owned(),
            formats: Formats { reads: vec![any.clone()], writes: any },
            level: Level::Failover,
            caps: Caps { boards: 10_000, clients: 20_000, bytes: 4 * 1024 * 1024 * 1024 },
            connect,
            connect_by_route: Vec::new(),
            route: None,
            attach_rate_per_s: NonZeroU32::new(1_000).expect("a thousand is not zero"),
            attach_queue: const { NonZeroUsize::new(20_000).expect("it is not zero") },
            boards: BoardLimits::default(),
            sockets: SocketLimits::default(),
            heartbeat_every: Duration::from_secs(1),
            patrol_every: Duration::from_secs(3),
            store_timeout: Duration::from_secs(2),
            answer_within: Duration::from_millis(DEFAULT_SEAL_TTL_MS - 100),
            new_document,
            clock: WallClock::system(),
        }
    }
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig")
            .field("server", &self.server)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// One server of the application. Clones are handles to the same server; with the last of them, and the
/// last connection, its background work ends.
#[derive(Debug, Clone)]
pub struct Server(Arc<Inner>);

pub(crate) struct Inner {
    settings: Arc<Settings>,
    config: ServerConfig,
    store: Arc<dyn BoardStore>,
    began: Instant,
    boards: Registry,
    desk: Mutex<Desk>,
    guard: Guard,
    /// Attaches, on the new server.
    admission: Paced<oneshot::Sender<()>>,
    /// Offers, on the old one.
    offers: Paced<PendingOffer>,
    health: Health,
    last_conn: AtomicU64,
    background: Mutex<Vec<AbortHandle>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("server", &self.settings.server).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let background = std::mem::take(self.background.get_mut().unwrap_or_else(PoisonError::into_inner));
        for task in background {
            task.abort();
        }
    }
}

impl Server {
    /// Starts the background work (heartbeats, paces, measurements) on the current runtime.
    pub fn start(config: ServerConfig, store: Arc<dyn BoardStore>) -> Self {
        let settings = Arc::new(Settings {
            server: config.server.clone(),
            key: config.key.clone(),
            version: config.version.clone(),
            level: config.level,
            limits: config.boards,
            new_document: config.new_document.clone(),
        });
        let began = Instant::now();
        let (admission, attaches) = Paced::new(config.attach_rate_per_s, config.attach_queue, began);
        let (offers, pending_offers) = Paced::new(paced::MAX_RATE_PER_S, paced::MAX_PENDING_OFFERS, began);
        let server = Self(Arc::new(Inner {
            desk: Mutex::new(Desk::new(config.route.clone())),
            guard: Guard::new(config.key.clone(), config.server.clone()),
            settings,
            store,
            began,
            boards: Registry::default(),
            admission,
            offers,
            health: Health::default(),
            last_conn: AtomicU64::new(0),
            background: Mutex::new(Vec::new()),
            config,
        }));
        let weak = Arc::downgrade(&server.0);
        server.0.keep(tokio::spawn(server.0.admission.run(attaches)).abort_handle());
        server.0.keep(tokio::spawn(server.0.offers.run(pending_offers)).abort_handle());
        server.0.keep(tokio::spawn(heartbeat::beat(weak.clone())).abort_handle());
        server.0.keep(tokio::spawn(patrol::patrol(weak.clone())).abort_handle());
        server.0.keep(tokio::spawn(health::sample(weak)).abort_handle());
        server
    }

    /// The highest generation that a daemon has spoken with.
    pub fn generation(&self) -> Generation {
        self.0.guard.generation()
    }
}

impl Inner {
    pub(crate) fn now(&self) -> Moment {
        Moment(self.began.elapsed())
    }

    fn keep(&self, task: AbortHandle) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        background.retain(|task| !task.is_finished());
        background.push(task);
    }

    fn lock_desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_conn(&self) -> crate::board::ConnId {
        crate::board::ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed))
    }

    /// What this server publishes: with `{board}` still in it. `None` while the route is not known.
    fn published_connect(&self) -> Option<Connect> {
        let connect = &self.config.connect;
        match &self.lock_desk().route {
            Some(route) => {
                let mut others = self.config.connect_by_route.iter();
                let own = others.find(|(end, _)| route.as_str().ends_with(end.as_str()));
                Some(own.map_or(connect, |(_, connect)| connect).for_route(route))
            }
            None if connect.wants_route() => None,
            None => Some(connect.clone()),
        }
    }

    fn connect_for(&self, board: &BoardId) -> Option<Connect> {
        Some(self.published_connect()?.for_board(board))
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for slot in self.boards.all() {
            let counts = slot.look(Board::counts);
            sum.boards += counts.boards;
            sum.standbys += counts.standbys;
            sum.clients += counts.clients;
            sum.attached += counts.attached;
        }
        sum
    }
}
