//! Hand-written, stateful stand-ins for every port. Together they form one small world in which what one says
//! follows from what another did: instances boot, register, get healthy, hold boards; users open boards where
//! the weights send them; numbers come from what the servers hold.
//!
//! Every call goes through one choke point ([`Choke`]), which counts it and can make it fail, be refused, or be
//! the last thing that a daemon did. The world watches its laws while it runs ([`FakeWorld::violations`]).
//!
//! Time is tokio's: with a paused clock a world of hours is over in milliseconds.

mod app;
mod balancer;
mod boards;
mod choke;
mod cloud;
mod fixture;
mod floors;
mod homes;
mod illness;
mod joins;
mod law;
mod laws;
mod machine;
mod method;
mod metrics;
mod moves;
mod mute;
mod other;
mod permissions;
mod scenery;
mod shares;
mod state;
mod store;
mod strangers;
mod time;
mod trouble;
mod users;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use segue_domain::time::Timestamp;
use tokio::time::Instant;

use crate::outside::Ports;
use crate::ports::CallError;

pub use choke::{Choke, Fault, Life, Nth, Place, Site, Weather, What, When};
pub use fixture::{FIRST, SECOND};
pub use law::Law;
pub use machine::Fate;
pub use method::{Method, Port};
pub use store::ChokedStore;
pub use time::{FakeClock, SeededEntropy};

use choke::{Passing, never_lands};
use state::State;

/// One small world. Clones are the same world.
#[derive(Clone)]
pub struct FakeWorld {
    state: Arc<Mutex<State>>,
    choke: Arc<Choke>,
    began: Instant,
}

impl std::fmt::Debug for FakeWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeWorld").finish_non_exhaustive()
    }
}

impl Default for FakeWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeWorld {
    /// A world with images of two versions, groups, slots and subnets, and no instance.
    pub fn new() -> Self {
        let (state, choke) = (Arc::new(Mutex::new(State::seeded())), Arc::new(Choke::default()));
        Self { state, choke, began: Instant::now() }
    }

    /// The ports as one life of a daemon sees them.
    pub fn ports_of(&self, life: &Life) -> Ports {
        let port = Arc::new(FakePort { world: self.clone(), life: life.clone() });
        Ports {
            cloud: Arc::<FakePort>::clone(&port),
            balancer: Arc::<FakePort>::clone(&port),
            metrics: Arc::<FakePort>::clone(&port),
            boards: Arc::<FakePort>::clone(&port),
            hooks: Arc::<FakePort>::clone(&port),
            notifier: port,
        }
    }

    /// The ports for somebody who lives for ever.
    pub fn ports(&self) -> Ports {
        self.ports_of(&Life::new())
    }

    pub fn choke(&self) -> &Choke {
        &self.choke
    }

    pub fn clock(&self) -> FakeClock {
        self.clock_ahead(0)
    }

    /// The clock of a machine that was set wrong.
    pub fn clock_ahead(&self, ms: i64) -> FakeClock {
        FakeClock::new(self.began, ms)
    }

    /// The world as it is now: everything that was due by now has happened.
    fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.now_ms());
        state
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// One daemon's hold of all ports.
pub(crate) struct FakePort {
    world: FakeWorld,
    life: Life,
}

impl FakePort {
    /// The choke point: the only way from a port into the world.
    async fn call<T>(
        &self,
        method: Method,
        effect: impl FnOnce(&mut State) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        // Let others run: a call to the outside never answers at once.
        tokio::task::yield_now().await;
        let passing = self.world.choke.enter(method, self.world.now_ms());
        self.carry(&passing, effect).await
    }

    /// A call that changes something: its request may land when nobody waits for the answer any more.
    async fn change<T: Send + 'static>(
        &self,
        method: Method,
        effect: impl FnOnce(&mut State) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        tokio::task::yield_now().await;
        let passing = self.world.choke.enter(method, self.world.now_ms());
        let Some(late) = passing.lands_late().or_else(|| self.life.frozen_for()) else {
            return self.carry(&passing, effect).await;
        };
        if never_lands(method, late) {
            return std::future::pending().await;
        }
        let (world, life, sent_at_ms) = (self.world.clone(), self.life.clone(), self.world.now_ms());
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            // Nobody hears how it ended.
            if !life.is_dead() {
                drop(world.now().landing(sent_at_ms, effect));
            }
        });
        std::future::pending().await
    }

    async fn carry<T>(
        &self,
        passing: &Passing,
        effect: impl FnOnce(&mut State) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let (world, life) = (&self.world, &self.life);
        let sent_at_ms = world.now_ms();
        world.choke.before(life, passing, || world.now_ms()).await?;
        // What is on its way for long was decided when it was sent.
        let result = match passing.is_late() {
            true => world.now().landing(sent_at_ms, effect),
            false => effect(&mut world.now()),
        };
        world.choke.after(life, passing, || world.now_ms()).await?;
        result
    }
}

/// Wall-clock time of the world's beginning, milliseconds since 1970.
pub(crate) const BEGAN_AT_MS: i64 = 1_795_000_000_000;

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(BEGAN_AT_MS.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
}
