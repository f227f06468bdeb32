//! A play: a daemon that may die, is started again, and an operator who goes on whatever happens to it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::decision::Verdict;
use segue_domain::event::{Event, RequestKey, Word};
use segue_domain::fold;
use segue_domain::ids::{Actor, ReleaseId, ServiceName, Version};
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::request::Request;
use segue_domain::service::Service;
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;
use segue_engine::fakes::{FakeWorld, Life, SeededEntropy};
use segue_engine::{By, Engine, Limits, Means, Rhythm, ServiceSetup, Settings};
use segue_journal::{MemoryStore, Owner, Reader, Record, Scope, Store, Stream, StreamEnd, Via};
use tokio::time::{sleep, timeout};

/// A play that is not over by then never ends.
const LONGEST: Duration = Duration::from_hours(2);
/// From the death of a daemon to the start of the next.
const RESTART: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(300);

/// The operator's view of the world, the journal and whatever daemon lives right now.
#[derive(Clone)]
pub(crate) struct Operator {
    pub(crate) world: FakeWorld,
    pub(crate) store: Arc<MemoryStore>,
    daemon: Rc<RefCell<Option<Daemon>>>,
    /// What was read of each stream so far: reading verifies every record, and the operator looks often.
    read: Rc<RefCell<BTreeMap<Stream, Vec<Record>>>>,
}

#[derive(Clone)]
struct Daemon {
    engine: Arc<Engine>,
    life: Life,
}

/// Plays a script in a world with a daemon that is started again whenever it dies. Returns how often it was
/// started.
pub(crate) async fn play<F: Future<Output = ()>>(
    world: &FakeWorld,
    service: Service,
    script: impl FnOnce(Operator) -> F,
) -> u32 {
    let operator = Operator {
        world: world.clone(),
        store: Arc::new(world.store()),
        daemon: Rc::default(),
        read: Rc::default(),
    };
    let starts = Cell::new(0);
    let daemons = async {
        loop {
            starts.set(starts.get() + 1);
            let life = Life::new();
            let engine = Arc::new(begin(world, &operator.store, service.clone(), ("daemon", &life)));
            operator.daemon.replace(Some(Daemon { engine, life: life.clone() }));
            life.death().await;
            // The last hold of it is gone when the operator gives up its own.
            operator.daemon.take();
            sleep(RESTART).await;
        }
    };
    let play = async {
        tokio::select! {
            biased;
            () = script(operator.clone()) => {}
            () = daemons => {}
        }
    };
    let ended = timeout(LONGEST, play).await;
    assert!(ended.is_ok(), "the play never ended: {}", operator.tail().await);
    starts.get()
}

/// A daemon of this name, on its way to the lease.
pub(crate) fn begin(
    world: &FakeWorld,
    store: &Arc<MemoryStore>,
    service: Service,
    (owner, life): (&str, &Life),
) -> Engine {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let settings = Settings {
        scope: Scope::new("segue"),
        owner: Owner::new(owner),
        lease_ttl: Duration::from_secs(30),
        limits: Limits { attach_poll: Duration::from_millis(50), ..Limits::default() },
        rhythm: Rhythm { tick: Duration::from_secs(1), effects_at_once: 32 },
    };
    let means = Means {
        store: Arc::new(world.store_of(store, life)),
        services: vec![ServiceSetup { service, images: world.images(), ports: world.ports_of(life) }],
        clock: Arc::new(world.clock()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    Engine::begin(settings, means)
}

pub(crate) fn by() -> By {
    By { actor: Actor::new("ann"), via: Via::Cli, reason: None }
}

impl Operator {
    fn service() -> ServiceName {
        ServiceName::new("boards")
    }

    /// Does something at the daemon that lives, again and again until one of them lived long enough to answer.
    async fn ask<T, F: Future<Output = T>>(&self, question: impl Fn(Arc<Engine>) -> F) -> T {
        loop {
            let daemon = self.daemon.borrow().clone();
            let Some(daemon) = daemon else {
                sleep(LOOK).await;
                continue;
            };
            let answer = async {
                daemon.engine.leading().await;
                question(Arc::clone(&daemon.engine)).await
            };
            tokio::select! {
                biased;
                () = daemon.life.death() => {}
                answer = answer => return answer,
            }
            drop(daemon);
            sleep(LOOK).await;
        }
    }

    /// Asks for a release; asks again under the same key when no answer came.
    pub(crate) async fn try_start(&self, kind: Kind, version: Option<&str>) -> Result<ReleaseId, Refusal> {
        let key = format!("{kind}-{version:?}-{}", self.releases().await);
        let request =
            Request { kind, version: version.map(Version::new), parent: None, overrides: BTreeMap::new() };
        self.ask(|engine| {
            let (request, key) = (request.clone(), key.clone());
            let key = RequestKey { key, digest: "same".to_owned() };
            async move { engine.start(&Self::service(), request, Some(key), by()).await }
        })
        .await
    }

    pub(crate) async fn start(&self, kind: Kind, version: Option<&str>) -> ReleaseId {
        self.try_start(kind, version).await.unwrap_or_else(|refusal| panic!("{kind} was refused: {refusal}"))
    }

    async fn streams(&self) -> Vec<StreamEnd> {
        self.store.streams(Stream::RELEASES).await.expect("the journal is whole")
    }

    async fn releases(&self) -> usize {
        self.streams().await.len()
    }

    /// Says a word, and makes sure that it was heard once.
    pub(crate) async fn say(&self, release: &ReleaseId, word: Word) {
        let before = self.heard(release, word).await;
        while self.heard(release, word).await == before {
            if let Err(refusal) = self.try_say(release, word).await {
                assert!(self.heard(release, word).await > before, "{} was refused: {refusal}", word.name());
            }
        }
    }

    pub(crate) async fn try_say(&self, release: &ReleaseId, word: Word) -> Result<(), Refusal> {
        self.ask(|engine| async move { engine.say(release, word, by()).await }).await
    }

    async fn heard(&self, release: &ReleaseId, word: Word) -> usize {
        let is_it = |record: &&Record| match record.fact.release() {
            Some(Event::Said { word: said, .. }) => *said == word,
            _ => false,
        };
        self.records(release).await.iter().filter(is_it).count()
    }

    pub(crate) async fn records(&self, release: &ReleaseId) -> Vec<Record> {
        let stream = Stream::release(release);
        let known = self.read.borrow().get(&stream).and_then(|records| records.last()).map_or(0, |it| it.seq);
        let fresh = self.store.read(&stream, known).await.expect("the journal is whole");
        let mut read = self.read.borrow_mut();
        let records = read.entry(stream).or_default();
        records.extend(fresh);
        records.clone()
    }

    /// The release as the journal tells it.
    pub(crate) async fn state(&self, release: &ReleaseId) -> ReleaseState {
        let records = self.records(release).await;
        let events = records.iter().filter_map(|record| Some((record.at, record.fact.release()?)));
        fold(events).expect("what was written folds").expect("the release was planned")
    }

    /// Waits until the journal says so.
    pub(crate) async fn until(
        &self,
        release: &ReleaseId,
        is_so: impl Fn(&ReleaseState) -> bool,
    ) -> ReleaseState {
        let mut seen = 0;
        loop {
            let end = self.store.page(&Stream::release(release), u64::MAX).await;
            let end = end.expect("the journal is whole").end_seq;
            if end > seen {
                seen = end;
                let state = self.state(release).await;
                if is_so(&state) {
                    return state;
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until the release is in a step, or past it.
    pub(crate) async fn until_in(&self, release: &ReleaseId, step: Step) {
        self.until(release, |state| state.was_entered(step) || state.verdict().is_some()).await;
    }

    /// Waits for the verdict; its name.
    pub(crate) async fn verdict(&self, release: &ReleaseId) -> &'static str {
        let state = self.until(release, |state| state.verdict().is_some()).await;
        state.verdict().map_or("none", Verdict::name)
    }

    /// The end of every stream, for a message.
    async fn tail(&self) -> String {
        let mut tail = String::new();
        for end in self.streams().await {
            let last = self.store.read(&end.stream, end.seq.saturating_sub(12)).await;
            for record in last.unwrap_or_default() {
                let line = segue_journal::view::sentence(&record.fact);
                tail = format!("{tail}\n{} {:>4} {line}", record.stream, record.seq);
            }
        }
        tail
    }
}
