//! A play: a daemon that may die, is started again, and an operator who goes on whatever happens to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::adoption::{AdoptionPlan, AdoptionRequest};
use segue_domain::decision::Verdict;
use segue_domain::event::{Event, RequestKey, Word};
use segue_domain::fold;
use segue_domain::ids::{Actor, CheckName, ReleaseId, ServiceName, Version};
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::request::Request;
use segue_domain::service::Service;
use segue_domain::service_state::{Adoption, ServiceState};
use segue_domain::state::ReleaseState;
use segue_domain::step::Step;
use segue_engine::fakes::{FakeWorld, Life, SeededEntropy};
use segue_engine::{
    Adopted, AskError, By, ByTheDomain, Engine, Limits, Means, Rhythm, ServiceSetup, Settings, Shown,
};
use segue_journal::{MemoryStore, Owner, Reader, Record, Scope, Store, Stream, StreamEnd, Via};
use tokio::sync::Notify;
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
    /// Somebody wants the daemon that lives to stop.
    told_to_stop: Rc<Notify>,
    /// What was read of each release so far: reading verifies every record, and the operator looks often.
    read: Rc<RefCell<BTreeMap<ReleaseId, Read>>>,
}

/// The records of a release, and what they fold to.
#[derive(Default)]
struct Read {
    records: Vec<Record>,
    state: Option<ReleaseState>,
}

impl Read {
    fn add(&mut self, record: Record) {
        let event = record.fact.release().expect("a release's record");
        match &mut self.state {
            Some(state) => state.apply(record.at, event).expect("what was written folds"),
            none => *none = fold([(record.at, event)]).expect("what was written folds"),
        }
        self.records.push(record);
    }
}

#[derive(Clone)]
struct Daemon {
    engine: Arc<Engine>,
    life: Life,
}

/// Plays a script in a world with a daemon that is started again whenever it dies. Returns the journal.
pub(crate) async fn play<F: Future<Output = ()>>(
    world: &FakeWorld,
    service: Service,
    script: impl FnOnce(Operator) -> F,
) -> Arc<MemoryStore> {
    let operator = Operator {
        world: world.clone(),
        store: Arc::new(world.store()),
        daemon: Rc::default(),
        told_to_stop: Rc::default(),
        read: Rc::default(),
    };
    let daemons = async {
        loop {
            let life = Life::new();
            let engine = Arc::new(begin(world, &operator.store, service.clone(), ("daemon", &life)));
            operator.daemon.replace(Some(Daemon { engine, life: life.clone() }));
            tokio::select! {
                biased;
                () = life.death() => {}
                () = operator.told_to_stop.notified() => operator.stop(&life).await,
            }
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
    operator.store
}

/// A daemon of this name, on its way to the lease.
pub(crate) fn begin(
    world: &FakeWorld,
    store: &Arc<MemoryStore>,
    service: Service,
    named: (&str, &Life),
) -> Engine {
    begin_with(world, store, service, named, Rhythm::default())
}

/// The same, with a rhythm of its own.
pub(crate) fn begin_with(
    world: &FakeWorld,
    store: &Arc<MemoryStore>,
    service: Service,
    (owner, life): (&str, &Life),
    rhythm: Rhythm,
) -> Engine {
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    let settings = Settings {
        scope: Scope::new("segue"),
        owner: Owner::new(owner),
        lease_ttl: Duration::from_secs(30),
        limits: Limits { attach_poll: Duration::from_millis(50), ..Limits::default() },
        rhythm,
    };
    let means = Means {
        store: Arc::new(world.store_of(store, life)),
        services: vec![ServiceSetup {
            service,
            images: world.images(),
            ports: world.ports_of(life),
            decider: Arc::new(ByTheDomain),
        }],
        clock: Arc::new(world.clock()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    Engine::begin(settings, means)
}

pub(crate) fn by() -> By {
    By { actor: Actor::new("ann"), via: Via::Cli, reason: None }
}

fn shown(plan: &AdoptionPlan) -> Shown {
    let basis = plan.basis();
    Shown { digest: format!("{basis:?}"), basis }
}

impl Operator {
    fn service() -> ServiceName {
        ServiceName::new("boards")
    }

    /// Has the daemon that lives end in good order, and another one begin. One that dies meanwhile has ended too.
    pub(crate) fn restart(&self) {
        self.told_to_stop.notify_one();
    }

    async fn stop(&self, life: &Life) {
        let Some(daemon) = self.daemon.take() else { return };
        let engine = Arc::into_inner(daemon.engine).expect("nobody asks while it is told to stop");
        tokio::select! {
            biased;
            () = life.death() => {}
            () = engine.stop() => {}
        }
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
    pub(crate) async fn try_start(&self, kind: Kind, version: Option<&str>) -> Result<ReleaseId, AskError> {
        self.try_start_over(kind, version, None).await
    }

    /// The same, and goes over a check that would say no.
    pub(crate) async fn try_start_over(
        &self,
        kind: Kind,
        version: Option<&str>,
        check: Option<&str>,
    ) -> Result<ReleaseId, AskError> {
        let key = format!("{kind}-{version:?}-{}", self.releases().await);
        let overrides = check.map(|check| (CheckName::new(check), "a person looked".to_owned()));
        let overrides = overrides.into_iter().collect();
        let request = Request { kind, version: version.map(Version::new), parent: None, overrides };
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

    /// Looks who would be taken in, and says yes to what is shown.
    pub(crate) async fn adopt(&self) -> Result<Adopted, AskError> {
        self.ask(|engine| async move {
            let request = AdoptionRequest::default();
            let shown = shown(&engine.plan_adoption(&Self::service(), &request).await?);
            engine.adopt(&Self::service(), request, shown, by()).await
        })
        .await
    }

    /// Who would be taken in.
    pub(crate) async fn shown(&self) -> Result<Shown, Refusal> {
        let request = AdoptionRequest::default();
        let request = &request;
        let plan =
            self.ask(|engine| async move { engine.plan_adoption(&Self::service(), request).await }).await;
        Ok(shown(&plan?))
    }

    /// Says yes to a plan that was shown before.
    pub(crate) async fn adopt_as(&self, shown: &Shown) -> Result<Adopted, AskError> {
        self.ask(|engine| async move {
            engine.adopt(&Self::service(), AdoptionRequest::default(), shown.clone(), by()).await
        })
        .await
    }

    /// Adoptions as the journal tells them.
    pub(crate) async fn adoptions(&self) -> Vec<Adoption> {
        let records = self.store.read(&Stream::service(&Self::service()), 0).await;
        let records = records.expect("the journal is whole");
        let events = records.iter().filter_map(|record| Some((record.at, record.fact.service()?)));
        ServiceState::fold(Self::service(), events).adoptions
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

    pub(crate) async fn try_say(&self, release: &ReleaseId, word: Word) -> Result<(), AskError> {
        self.ask(|engine| async move { engine.say(release, word, by()).await }).await
    }

    async fn heard(&self, release: &ReleaseId, word: Word) -> usize {
        let is_it = |record: &&Record| match record.fact.release() {
            Some(Event::Said { word: said, .. }) => *said == word,
            _ => false,
        };
        self.look(release, |read| read.records.iter().filter(is_it).count()).await
    }

    pub(crate) async fn records(&self, release: &ReleaseId) -> Vec<Record> {
        self.look(release, |read| read.records.clone()).await
    }

    /// The release as the journal tells it.
    pub(crate) async fn state(&self, release: &ReleaseId) -> ReleaseState {
        self.look(release, |read| read.state.clone()).await.expect("the release was planned")
    }

    /// Reads what is new, and looks at all of it.
    async fn look<T>(&self, release: &ReleaseId, look: impl FnOnce(&Read) -> T) -> T {
        let known = self.read.borrow().get(release).map_or(0, |read| read.records.len());
        let known = u64::try_from(known).expect("a release is short");
        let fresh = self.store.read(&Stream::release(release), known).await.expect("the journal is whole");
        let mut read = self.read.borrow_mut();
        let read = read.entry(release.clone()).or_default();
        for record in fresh {
            read.add(record);
        }
        look(read)
    }

    /// Waits until the journal says so.
    pub(crate) async fn until(
        &self,
        release: &ReleaseId,
        is_so: impl Fn(&ReleaseState) -> bool,
    ) -> ReleaseState {
        loop {
            let found = |read: &Read| read.state.as_ref().filter(|state| is_so(state)).cloned();
            if let Some(state) = self.look(release, found).await {
                return state;
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
