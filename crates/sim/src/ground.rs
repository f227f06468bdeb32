//! The ground of one run: the world, the journal, and whatever daemons live right now.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use segue_domain::ids::Actor;
use segue_domain::service::Service;
use segue_engine::fakes::{FakeWorld, Life, SeededEntropy};
use segue_engine::{By, ByTheDomain, Decider, Engine, Limits, Means, Rhythm, ServiceSetup, Settings};
use segue_journal::{Owner, Scope, Store, Via};

use crate::bug::{Between, Bug, Misguided};
use crate::journal::Telling;
use crate::plan::Plan;
use crate::run::Watchers;
use crate::strike::Spells;

/// Servers of the first version, and boards on them.
const SERVERS: u32 = 3;
const BOARDS: usize = 18;
/// Both fleets, a canary and one more, at each load balancer.
const SLOTS: usize = 8;
const WAVE_BOARDS: u32 = 8;
const USERS_ACT_EVERY: Duration = Duration::from_secs(2);
/// As daemons have it.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(30);

/// Everything that a run plays on. Clones are the same ground.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) plan: Rc<Plan>,
    pub(crate) world: FakeWorld,
    pub(crate) service: Rc<Service>,
    pub(crate) journal: Arc<Telling>,
    spells: Arc<Mutex<Spells>>,
    living: Rc<RefCell<Vec<Option<Daemon>>>>,
}

/// A daemon that lives.
#[derive(Clone)]
pub(crate) struct Daemon {
    pub(crate) engine: Arc<Engine>,
    pub(crate) life: Life,
}

impl Ground {
    /// Must be called under the run's own clock.
    pub(crate) fn new(plan: &Plan, watchers: &Watchers) -> Self {
        let world = FakeWorld::with_spread_fleet_at(plan.balancers, SERVERS, BOARDS);
        if plan.without_slots {
            world.do_without_slots();
        }
        world.set_level(plan.script.level());
        world.users_act_every(USERS_ACT_EVERY);
        plan.script.writes_anew().iter().for_each(|version| world.write_anew(version));
        if plan.bugs.has(Bug::NoGeneration) {
            world.obey_anybody();
        }
        if plan.script.level() > 0 {
            world.expect_handovers();
        }
        let mut service = world.spread_service();
        service.handover.level_max = plan.script.level();
        service.handover.wave_boards = WAVE_BOARDS;
        service.launch.size = plan.size;
        service.full.keep_old = Duration::from_millis(plan.keep_old_ms);
        // A fleet that grows takes all there are.
        if plan.size.is_none() {
            let routing = &mut service.routing;
            routing.first.slots.truncate(SLOTS);
            routing.others.iter_mut().for_each(|balancer| balancer.slots.truncate(SLOTS));
        }
        let places = usize::try_from(plan.daemons).unwrap_or(1);
        // One may be before the true time, and another one after it.
        let clocks_apart = Duration::from_millis(plan.clocks_off_ms.saturating_mul(2));
        Self {
            plan: Rc::new(plan.clone()),
            service: Rc::new(service),
            journal: Arc::new(Telling::new(&world, plan.bugs.clone(), watchers.clone(), clocks_apart)),
            world,
            spells: Arc::default(),
            living: Rc::new(RefCell::new(vec![None; places])),
        }
    }

    pub(crate) fn shared_spells(&self) -> Arc<Mutex<Spells>> {
        Arc::clone(&self.spells)
    }

    pub(crate) fn spells(&self) -> MutexGuard<'_, Spells> {
        self.spells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a daemon in its place, on its way to the lease; its nth life there.
    pub(crate) fn start(&self, place: usize, nth: u64) -> Life {
        let life = Life::new();
        let settings = Settings {
            scope: Scope::new("segue"),
            owner: Owner::new(format!("daemon-{place}")),
            lease_ttl: LEASE_TTL,
            limits: Limits { pacing: self.plan.buckets.pacing(), ..Limits::default() },
            rhythm: Rhythm {
                tick: Duration::from_millis(self.plan.tick_ms),
                effects_at_once: 32,
                ..Rhythm::default()
            },
        };
        let ports = Between::ports(self.world.ports_of(&life), &self.journal, &self.plan.bugs);
        let decider: Arc<dyn Decider> = match self.plan.bugs.is_empty() {
            true => Arc::new(ByTheDomain),
            false => Arc::new(Misguided::new(&self.plan.bugs, self.plan.asserts, ports.clone())),
        };
        let service = Service::clone(&self.service);
        let store: Arc<dyn Store> = Arc::<Telling>::clone(&self.journal);
        let means = Means {
            store: Arc::new(self.world.store_of(store, &life)),
            services: vec![ServiceSetup { service, images: self.world.images(), ports, decider }],
            clock: Arc::new(self.world.clock_ahead(self.clock_ahead_ms(place, nth))),
            entropy: Arc::new(SeededEntropy::new(self.plan.seed)),
        };
        let engine = Arc::new(Engine::begin(settings, means));
        self.settle(place, Some(Daemon { engine, life: life.clone() }));
        life
    }

    /// How wrong the clock of such a life is.
    fn clock_ahead_ms(&self, place: usize, nth: u64) -> i64 {
        let off = self.plan.clocks_off_ms;
        let chance = self.plan.chance().named("clock").nth(u64::try_from(place).unwrap_or(0)).nth(nth);
        let drawn = i64::try_from(chance.below(off.saturating_mul(2) + 1)).unwrap_or(0);
        drawn - i64::try_from(off).unwrap_or(0)
    }

    /// Nobody is left in a place: what is dropped here is the daemon with everything in its memory.
    pub(crate) fn bury(&self, place: usize) {
        self.settle(place, None);
    }

    fn settle(&self, place: usize, daemon: Option<Daemon>) {
        if let Some(here) = self.living.borrow_mut().get_mut(place) {
            *here = daemon;
        }
    }

    /// The daemon that holds the lease and lives, as far as it knows.
    pub(crate) fn leader(&self) -> Option<Daemon> {
        let living = self.living.borrow();
        living.iter().flatten().find(|it| it.engine.is_leading() && !it.life.is_dead()).cloned()
    }
}

/// A person.
pub(crate) fn person() -> By {
    By { actor: Actor::new("ann"), via: Via::Cli, reason: None }
}
