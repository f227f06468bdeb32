//! The crowd: starts users, lets them come and go as the population plan says, and collects their
//! records.
//!
//! All users share the runtime and live in one task each, without a channel to their sockets.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use segue_handover::client::{Address, Timing};
use segue_handover::wire::{BoardId, ClientId, Connect};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use super::live::{Live, Pulse};
use super::population::{Change, Population, Shape, UserNumber};
use super::record::{Mark, Phase, Records, UserRecord};
use super::user::{self, Mode, Plan, Show};

/// How often the population changes.
const TICK: Duration = Duration::from_millis(50);

/// Questions that one user may not have read yet.
const ASKED: usize = 4;

/// How long everybody who leaves may take on top of a user's own patience.
const LEAVE_SLACK: Duration = Duration::from_secs(5);

/// A crowd and how it behaves.
#[derive(Debug, Clone)]
pub struct CrowdConfig {
    /// The load balancer; `{board}` stands for the board.
    pub front_door: Connect,
    /// Other load balancers: each user comes to one of all of them by chance.
    pub other_doors: Vec<Connect>,
    pub boards: usize,
    pub clients: usize,
    /// Of each client.
    pub edits_per_s: f64,
    /// The share of clients that leaves each second, and that comes.
    pub churn_per_s: f64,
    /// Boards that open each second; as many empty. Where this takes more people than `churn_per_s`
    /// gives, more come and go.
    pub openings_per_s: f64,
    pub seed: u64,
    /// How fast the crowd comes together in the beginning.
    pub first_joins_per_s: u32,
    /// How long anybody waits for edits that are not durable.
    pub patience: Duration,
    /// How long a server may say nothing before its users look for another.
    pub silence: Duration,
}

impl CrowdConfig {
    /// The demo's crowd: 2 % come and go each second; five boards open each second, fewer where
    /// there are fewer than forty.
    pub fn demo(front_door: Connect, boards: usize, clients: usize, edits_per_s: f64, seed: u64) -> Self {
        let openings_per_s = f64::from(u32::try_from(boards).unwrap_or(u32::MAX)) / 8.0;
        Self {
            front_door,
            other_doors: Vec::new(),
            boards,
            clients,
            edits_per_s,
            churn_per_s: 0.02,
            openings_per_s: openings_per_s.min(5.0),
            seed,
            first_joins_per_s: 500,
            patience: Duration::from_secs(30),
            silence: Timing::default().silence,
        }
    }
}

/// Why the crowd did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// Boards and clients were asked for that cannot be.
    #[error("a crowd needs at least one board and as many clients as boards")]
    Empty,
    /// An edit rate that is no rate.
    #[error("each client edits more than 0 and at most 1000 times a second")]
    Rate,
    /// The load balancer or the servers do not let everybody in.
    #[error("only {served} of {wanted} clients were served within {} s", waited.as_secs())]
    NotServed { served: u64, wanted: u64, waited: Duration },
    /// The crowd's own task is gone.
    #[error("the crowd has ended")]
    Ended,
}

enum Ask {
    /// Stop editing, wait until everything is durable, show all records.
    Quiet(oneshot::Sender<Shown>),
    Resume,
    /// Everybody leaves; all records.
    Finish(oneshot::Sender<Shown>),
}

/// What the crowd has to show.
struct Shown {
    users: Vec<UserRecord>,
    spawned: u64,
}

/// A crowd at work; dropping it ends it without a word.
#[derive(Debug)]
pub struct Crowd {
    wanted: u64,
    pulse: Arc<Pulse>,
    asks: mpsc::Sender<Ask>,
    marks: Vec<Mark>,
    director: AbortHandle,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.director.abort();
    }
}

impl Crowd {
    /// Begins to come together; see [`Crowd::settled`].
    pub fn start(config: CrowdConfig) -> Result<Self, CrowdError> {
        if config.boards == 0 || config.clients < config.boards {
            return Err(CrowdError::Empty);
        }
        if !(config.edits_per_s > 0.0 && config.edits_per_s <= 1_000.0) {
            return Err(CrowdError::Rate);
        }
        let pulse = Arc::new(Pulse::new());
        let (asks, asked) = mpsc::channel(1);
        let wanted = u64::try_from(config.clients).unwrap_or(u64::MAX);
        let director = tokio::spawn(Director::new(config, Arc::clone(&pulse)).run(asked)).abort_handle();
        Ok(Self { wanted, pulse, asks, marks: Vec::new(), director })
    }

    /// Waits until as many as belong to the crowd were served.
    pub async fn settled(&self, patience: Duration) -> Result<(), CrowdError> {
        let deadline = Instant::now() + patience;
        // People come and go meanwhile.
        let enough = self.wanted - self.wanted / 50;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            let served = self.pulse.clients.load(Ordering::Relaxed);
            if served >= enough {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(CrowdError::NotServed { served, wanted: self.wanted, waited: patience });
            }
        }
    }

    /// A phase begins now.
    pub fn mark(&mut self, phase: Phase) {
        self.marks.push(Mark { phase, at_us: self.pulse.now_us() });
    }

    /// How everybody is doing.
    pub fn live(&self) -> Live {
        self.pulse.live()
    }

    /// Everybody stops editing and waits, for a bounded time, until all is durable. The crowd stays.
    pub async fn quiet(&self) -> Result<Records, CrowdError> {
        self.ask(Ask::Quiet).await
    }

    /// Everybody edits again after [`Crowd::quiet`].
    pub async fn resume(&self) -> Result<(), CrowdError> {
        self.asks.send(Ask::Resume).await.ok().ok_or(CrowdError::Ended)
    }

    /// Everybody stops editing, waits, for a bounded time, until all is durable, and leaves.
    pub async fn finish(self) -> Result<Records, CrowdError> {
        self.ask(Ask::Finish).await
    }

    async fn ask(&self, ask: impl FnOnce(oneshot::Sender<Shown>) -> Ask) -> Result<Records, CrowdError> {
        let (to, records) = oneshot::channel();
        self.asks.send(ask(to)).await.ok().ok_or(CrowdError::Ended)?;
        let Shown { users, spawned } = records.await.ok().ok_or(CrowdError::Ended)?;
        Ok(Records { users, spawned, marks: self.marks.clone(), taken_us: self.pulse.now_us() })
    }
}

struct Director {
    config: CrowdConfig,
    pulse: Arc<Pulse>,
    population: Population,
    /// Changes that wait for their turn, in the beginning.
    waiting: Vec<Change>,
    mode: watch::Sender<Mode>,
    users: JoinSet<UserRecord>,
    /// How many there ever were: one whose task fails leaves no record.
    spawned: u64,
    lines: HashMap<UserNumber, mpsc::Sender<Show>>,
    gone: Vec<UserRecord>,
    seeds: fastrand::Rng,
}

impl Director {
    fn new(config: CrowdConfig, pulse: Arc<Pulse>) -> Self {
        let CrowdConfig { boards, clients, churn_per_s, openings_per_s, seed, .. } = config;
        let shape = Shape { boards, clients, churn_per_s, openings_per_s, seed };
        let (population, mut waiting) = Population::begin(shape);
        waiting.reverse();
        Self {
            pulse,
            population,
            waiting,
            mode: watch::Sender::new(Mode::Editing),
            users: JoinSet::new(),
            spawned: 0,
            lines: HashMap::new(),
            gone: Vec::new(),
            seeds: fastrand::Rng::with_seed(!config.seed),
            config,
        }
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                now = tick.tick() => {
                    let elapsed = now.saturating_duration_since(last);
                    last = now;
                    if *self.mode.borrow() == Mode::Editing {
                        self.turn(elapsed);
                    }
                }
                Some(left) = self.users.join_next() => self.gone.extend(left.ok()),
                ask = asked.recv() => match ask {
                    Some(Ask::Quiet(to)) => drop(to.send(self.quiet().await)),
                    Some(Ask::Resume) => drop(self.mode.send_replace(Mode::Editing)),
                    Some(Ask::Finish(to)) => {
                        drop(to.send(self.finish().await));
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    fn turn(&mut self, elapsed: Duration) {
        let changes = if self.waiting.is_empty() {
            let now_ms = self.pulse.now_us() / 1_000;
            self.population.step(now_ms, u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX))
        } else {
            let joins = elapsed.mul_f64(f64::from(self.config.first_joins_per_s)).as_secs().max(1);
            let joins = usize::try_from(joins).unwrap_or(usize::MAX);
            self.waiting.split_off(self.waiting.len().saturating_sub(joins))
        };
        for change in changes {
            self.carry_out(change);
        }
        let boards = u64::try_from(self.population.boards()).unwrap_or(u64::MAX);
        self.pulse.boards.store(boards, Ordering::Relaxed);
    }

    /// Where DNS sends the next user.
    fn front_door(&mut self) -> Connect {
        let others = &self.config.other_doors;
        let drawn = if others.is_empty() { 0 } else { self.seeds.usize(0..=others.len()) };
        let other = drawn.checked_sub(1).and_then(|place| others.get(place));
        other.unwrap_or(&self.config.front_door).clone()
    }

    fn carry_out(&mut self, change: Change) {
        match change {
            Change::Join { user, board } => {
                let (line, read) = mpsc::channel(ASKED);
                self.lines.insert(user, line);
                let board = BoardId::parse(&format!("b{board}")).expect("a letter and a number are an id");
                let plan = Plan {
                    client: ClientId::parse(&format!("u{user}")).expect("a letter and a number are an id"),
                    address: Address { front_door: self.front_door(), board },
                    edit_every: Duration::from_secs_f64(1.0 / self.config.edits_per_s),
                    seed: self.seeds.u64(..),
                    patience: self.config.patience,
                    silence: self.config.silence,
                };
                self.spawned += 1;
                self.users.spawn(user::live(plan, Arc::clone(&self.pulse), self.mode.subscribe(), read));
            }
            Change::Leave { user } => {
                // Without anybody to ask it, the user leaves by itself.
                self.lines.remove(&user);
            }
        }
    }

    /// Everybody is asked at once; who leaves meanwhile is among those gone.
    async fn quiet(&mut self) -> Shown {
        self.mode.send_replace(Mode::Quiet);
        let by = Instant::now() + self.config.patience;
        let mut shown = Vec::new();
        for line in self.lines.values() {
            let (to, record) = oneshot::channel();
            if line.try_send(Show { by, to }).is_ok() {
                shown.push(record);
            }
        }
        let shown = futures_util::future::join_all(shown).await;
        // Those who were told to leave before are on their way.
        let deadline = by + LEAVE_SLACK;
        while self.users.len() > self.lines.len() {
            match tokio::time::timeout_at(deadline, self.users.join_next()).await {
                Ok(Some(left)) => self.gone.extend(left.ok()),
                Ok(None) | Err(_) => break,
            }
        }
        let users = self.gone.iter().cloned().chain(shown.into_iter().flatten()).collect();
        Shown { users, spawned: self.spawned }
    }

    async fn finish(&mut self) -> Shown {
        self.mode.send_replace(Mode::Quiet);
        self.lines.clear();
        let deadline = Instant::now() + self.config.patience + LEAVE_SLACK;
        while let Ok(Some(left)) = tokio::time::timeout_at(deadline, self.users.join_next()).await {
            self.gone.extend(left.ok());
        }
        Shown { users: std::mem::take(&mut self.gone), spawned: self.spawned }
    }
}
