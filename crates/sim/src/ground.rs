//! The ground of one run: the world, the journal, and whatever daemons live right now.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::fold;
use segue_domain::ids::Actor;
use segue_domain::service::Service;
use segue_domain::state::ReleaseState;
use segue_engine::fakes::{FakeWorld, Life, SeededEntropy};
use segue_engine::{By, Engine, Limits, Means, Rhythm, ServiceSetup, Settings};
use segue_journal::{MemoryStore, Owner, Reader, Scope, Store, Stream, Via};
use tokio::sync::watch;

use crate::plan::Plan;
use crate::watcher::Told;

/// Servers of the first version, and boards on them.
const SERVERS: u32 = 3;
const BOARDS: usize = 24;
/// Both fleets, a canary and one more.
const SLOTS: usize = 8;
const USERS_ACT_EVERY: Duration = Duration::from_secs(2);
/// As daemons have it.
const LEASE_TTL: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_secs(2);

/// Everything that a run plays on. Clones are the same ground.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) plan: Rc<Plan>,
    pub(crate) world: FakeWorld,
    pub(crate) service: Rc<Service>,
    pub(crate) store: Arc<MemoryStore>,
    /// What the journal says, as of a moment ago.
    pub(crate) told: Rc<watch::Sender<Told>>,
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
    pub(crate) fn new(plan: &Plan) -> Self {
        let world = FakeWorld::with_spread_fleet(SERVERS, BOARDS);
        world.set_level(plan.script.level());
        world.users_act_every(USERS_ACT_EVERY);
        let mut service = world.spread_service();
        service.handover.level_max = plan.script.level();
        service.routing.slots.truncate(SLOTS);
        let places = usize::try_from(plan.daemons).unwrap_or(1);
        Self {
            plan: Rc::new(plan.clone()),
            service: Rc::new(service),
            store: Arc::new(world.store()),
            world,
            told: Rc::new(watch::Sender::new(Told::default())),
            living: Rc::new(RefCell::new(vec![None; places])),
        }
    }

    /// Starts a daemon in its place, on its way to the lease.
    pub(crate) fn start(&self, place: usize) -> Life {
        let life = Life::new();
        let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&self.store);
        let settings = Settings {
            scope: Scope::new("segue"),
            owner: Owner::new(format!("daemon-{place}")),
            lease_ttl: LEASE_TTL,
            limits: Limits::default(),
            rhythm: Rhythm { tick: TICK, effects_at_once: 32 },
        };
        let service = Service::clone(&self.service);
        let means = Means {
            store: Arc::new(self.world.store_of(store, &life)),
            services: vec![ServiceSetup {
                service,
                images: self.world.images(),
                ports: self.world.ports_of(&life),
            }],
            clock: Arc::new(self.world.clock()),
            entropy: Arc::new(SeededEntropy::new(self.plan.seed)),
        };
        let engine = Arc::new(Engine::begin(settings, means));
        self.settle(place, Some(Daemon { engine, life: life.clone() }));
        life
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

    /// Reads the journal once more, whole: every record's chain is verified.
    pub(crate) async fn read(&self) -> BTreeMap<String, ReleaseState> {
        let mut releases = BTreeMap::new();
        for end in self.store.streams(Stream::RELEASES).await.expect("the journal is whole") {
            let records = self.store.read(&end.stream, 0).await.expect("the journal is whole");
            let events = records.iter().filter_map(|record| Some((record.at, record.fact.release()?)));
            if let Some(state) = fold(events).expect("what was written folds") {
                releases.insert(state.plan.release.to_string(), state);
            }
        }
        releases
    }
}

/// A person.
pub(crate) fn person() -> By {
    By { actor: Actor::new("ann"), via: Via::Cli, reason: None }
}
