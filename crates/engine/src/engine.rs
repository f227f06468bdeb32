//! The engine as the daemon holds it: services, their releases, and what can be said to them.
//!
//! One daemon of a group holds the lease and acts; the others wait for it, and can still read. Dropping an
//! engine is dying: everything stops at the next await, and nothing is left half-done that the next one does
//! not find.

mod keeper;
mod requests;
mod tenure;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::adoption::{AdoptionPlan, AdoptionRequest};
use segue_domain::basis::Basis;
use segue_domain::event::{RequestKey, Word};
use segue_domain::ids::{Region, ReleaseId, ServiceName};
use segue_domain::plan::Plan;
use segue_domain::refusal::Refusal;
use segue_domain::request::Request;
use segue_domain::service::Service;
use segue_domain::service_state::ServiceState;
use segue_domain::world::World;
use segue_journal::{Owner, ReadError, Reader, Record, Scope, Store, Stream};
use tokio::sync::{Mutex, broadcast, watch};
use tokio::task::{AbortHandle, JoinHandle};

use crate::ask::AskError;
use crate::herald::Herald;
use crate::ledger::{self, OpenError, Watch};
use crate::outside::{Call, CallStat, CallStats, Limits, Pacer};
use crate::pen::By;
use crate::ports::{Clock, Entropy};
use crate::run::Rhythm;
use crate::service::{Adopted, BookError, Desk, ServiceSetup, Shown, read_history};

use tenure::{Standing, Tenure};

/// How an engine behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the lease is for: daemons of one group name the same.
    pub scope: Scope,
    /// The same after a restart of this daemon on this machine, and nobody else's.
    pub owner: Owner,
    /// Renewed every third of it.
    pub lease_ttl: Duration,
    pub limits: Limits,
    pub rhythm: Rhythm,
}

impl Settings {
    /// The shortest lease under which a renewal that comes late, at its second try, still leaves the time of one
    /// call: below it every such moment would refuse whatever is to be done.
    pub fn lease_ttl_min(&self) -> Duration {
        keeper::shortest_ttl(self.limits.write_timeout)
    }
}

/// Everything that an engine lives from.
#[derive(Clone)]
pub struct Means {
    pub store: Arc<dyn Store>,
    pub services: Vec<ServiceSetup>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A service as pages show it.
#[derive(Debug, Clone)]
pub struct ServiceView {
    pub service: Service,
    /// None while this daemon does not hold the lease, or cannot read the service's stream.
    pub history: Option<ServiceState>,
    pub active: Option<Watch>,
    /// Why it is not served.
    pub trouble: Option<String>,
}

/// The engine. Clones are not made: who needs it holds an `Arc`.
pub struct Engine {
    shared: Arc<Shared>,
    keeper: Mutex<JoinHandle<()>>,
    /// Ends the keeper, whoever waits for it.
    keepers_end: AbortHandle,
    stop: watch::Sender<bool>,
}

/// What the engine and its keeper share.
struct Shared {
    settings: Settings,
    means: Means,
    /// For those who only look: never in the way of the keeper and the desks.
    reader: Arc<dyn Reader>,
    herald: Herald,
    stats: Arc<CallStats>,
    /// Tokens belong to an account and its region, not to a service; a daemon has one account.
    pacers: BTreeMap<Region, Arc<Pacer>>,
    tenure: watch::Sender<Option<Arc<Tenure>>>,
    waits: watch::Sender<Waits>,
    /// Why this daemon gave the lease up, until it has taken the services up again: it would have to once more.
    gave_up: watch::Sender<Option<String>>,
    /// Nobody keeps the lease any more: the keeper was told to stop, or broke down.
    is_unkept: watch::Sender<bool>,
}

/// What a daemon without the lease waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Waits {
    /// Nobody is known to hold it.
    Nobody,
    /// This one holds it, by the database's word.
    For(Owner),
    /// It could not work under the lease if it was free: why.
    Troubled(String),
}

impl std::fmt::Debug for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("services", &self.services).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.keepers_end.abort();
    }
}

impl Engine {
    /// Begins to work, as soon as the lease is its own. Must be called within a runtime.
    /// A lease that is too short for its calls ([`Settings::lease_ttl_min`]) is held for longer.
    pub fn begin(mut settings: Settings, means: Means) -> Self {
        let shortest = settings.lease_ttl_min();
        if settings.lease_ttl < shortest {
            tracing::warn!(asked = ?settings.lease_ttl, held = ?shortest, "the lease would be too short");
            settings.lease_ttl = shortest;
        }
        let stop = watch::Sender::new(false);
        let regions = means.services.iter().map(|it| it.service.region.clone());
        let pacing = settings.limits.pacing;
        let pacers = regions.map(|region| (region, Arc::new(Pacer::new(pacing)))).collect();
        let shared = Arc::new(Shared {
            settings,
            reader: means.store.reader(),
            means,
            herald: Herald::new(),
            stats: Arc::default(),
            pacers,
            tenure: watch::Sender::new(None),
            waits: watch::Sender::new(Waits::Nobody),
            gave_up: watch::Sender::new(None),
            is_unkept: watch::Sender::new(false),
        });
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared), stop.subscribe()));
        let keepers_end = keeper.abort_handle();
        Self { shared, keeper: Mutex::new(keeper), keepers_end, stop }
    }

    /// Begins nothing new, lets what is in flight end for a while, and gives the lease back. Whoever else holds the
    /// engine, to answer somebody slow, is refused from then on, and keeps nothing from ending.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let ended = async {
            let mut keeper = self.keeper.lock().await;
            // One that has ended cannot be waited for twice.
            if !keeper.is_finished() {
                // How it ended is in the log.
                drop((&mut *keeper).await);
            }
        };
        if tokio::time::timeout(keeper::grace(&self.shared.settings.limits), ended).await.is_err() {
            tracing::warn!("the engine did not end in time; the next one takes over");
            self.keepers_end.abort();
        }
    }

    /// Returns when nobody keeps the lease any more: after [`Engine::stop`], or when its keeper broke down. From then
    /// on this engine does nothing.
    pub async fn unkept(&self) {
        // The sender lives as long as the engine does.
        drop(self.shared.is_unkept.subscribe().wait_for(|is_so| *is_so).await);
    }

    /// Whether this daemon holds the lease and serves at least what it could read.
    pub fn is_leading(&self) -> bool {
        self.shared.tenure.borrow().is_some()
    }

    /// Returns when this daemon holds the lease.
    pub async fn leading(&self) {
        let mut tenure = self.shared.tenure.subscribe();
        // The sender lives as long as the engine does.
        drop(tenure.wait_for(Option::is_some).await);
    }

    /// Who holds the lease that this daemon waits for, and could take over; nobody when it is its own, or nobody's,
    /// or not known.
    pub fn waits_for(&self) -> Option<Owner> {
        self.shared.waits.borrow().owner().cloned()
    }

    /// Why this daemon could not take the lease over now, or had to give it up; none when it could.
    pub fn trouble(&self) -> Option<String> {
        let gave_up = self.shared.gave_up.borrow().clone();
        gave_up.or_else(|| match &*self.shared.waits.borrow() {
            Waits::Troubled(why) => Some(why.clone()),
            Waits::Nobody | Waits::For(_) => None,
        })
    }

    /// Returns when this daemon knows that another one holds the lease.
    pub async fn waiting(&self) -> Owner {
        let mut waits = self.shared.waits.subscribe();
        loop {
            if let Some(owner) = waits.borrow_and_update().owner().cloned() {
                return owner;
            }
            // The sender lives as long as the engine does.
            drop(waits.changed().await);
        }
    }

    /// Begins a release.
    pub async fn start(
        &self,
        service: &ServiceName,
        request: Request,
        key: Option<RequestKey>,
        by: By,
    ) -> Result<ReleaseId, AskError> {
        self.shared.ask(service, |desk| async move { desk.start(&request, None, key, &by).await }).await
    }

    /// Begins a release if its plan still stands on these facts.
    pub async fn start_as_planned(
        &self,
        service: &ServiceName,
        request: Request,
        basis: Basis,
        key: Option<RequestKey>,
        by: By,
    ) -> Result<ReleaseId, AskError> {
        let work = |desk: Arc<Desk>| async move { desk.start(&request, Some(&basis), key, &by).await };
        self.shared.ask(service, work).await
    }

    /// What would be done, and the world in which preflight would look; nothing is done.
    pub async fn foresee(&self, service: &ServiceName, request: &Request) -> Result<(Plan, World), Refusal> {
        self.shared.desk(service)?.foresee(request).await
    }

    /// What would be done; nothing is.
    pub async fn plan(&self, service: &ServiceName, request: &Request) -> Result<Plan, Refusal> {
        self.shared.desk(service)?.plan(request).await
    }

    /// Which running servers would be taken into a service; nothing is done.
    pub async fn plan_adoption(
        &self,
        service: &ServiceName,
        request: &AdoptionRequest,
    ) -> Result<AdoptionPlan, Refusal> {
        self.shared.desk(service)?.plan_adoption(request).await
    }

    /// Takes them in, if the plan is still what was shown.
    pub async fn adopt(
        &self,
        service: &ServiceName,
        request: AdoptionRequest,
        shown: Shown,
        by: By,
    ) -> Result<Adopted, AskError> {
        self.shared.ask(service, |desk| async move { desk.adopt(&request, &shown, &by).await }).await
    }

    /// Says a word to a release.
    pub async fn say(&self, release: &ReleaseId, word: Word, by: By) -> Result<(), AskError> {
        let unknown = |_| Refusal::ReleaseUnknown { release: release.to_string() };
        let known = self.shared.configured(&release.service);
        known.map_err(unknown)?;
        let id = release.clone();
        self.shared.ask(&release.service, |desk| async move { desk.say(&id, word, &by).await }).await
    }

    /// Every configured service, in the order of their names.
    pub fn services(&self) -> Vec<ServiceView> {
        let tenure = self.shared.tenure.borrow().clone();
        let by_name: BTreeMap<&ServiceName, &Service> =
            self.shared.means.services.iter().map(|it| (&it.service.name, &it.service)).collect();
        let not_held = self.shared.not_held();
        by_name.into_iter().map(|(name, service)| view(name, service, tenure.as_deref(), &not_held)).collect()
    }

    /// A service's releases, oldest first; read from the journal when this daemon does not hold the lease.
    pub async fn history(&self, service: &ServiceName) -> Result<ServiceState, BookError> {
        match self.shared.desk(service) {
            Ok(desk) => Ok(desk.history()),
            Err(_) => read_history(self.shared.reader(), service).await,
        }
    }

    /// What can be seen of a release, and every change of it while it is on.
    pub async fn watch(&self, release: &ReleaseId) -> Result<watch::Receiver<Watch>, OpenError> {
        let live = self.shared.desk(&release.service).ok().and_then(|desk| desk.watch(release));
        match live {
            Some(watch) => Ok(watch),
            None => Ok(watch::channel(ledger::read(self.shared.reader(), release).await?).1),
        }
    }

    /// The records of a release after `after_seq`, from the journal.
    pub async fn records(&self, release: &ReleaseId, after_seq: u64) -> Result<Vec<Record>, ReadError> {
        self.shared.reader().read(&Stream::release(release), after_seq).await
    }

    /// Each record from here on, in the order in which they are written. A reader that is too slow is told how
    /// many it missed, and reads the journal.
    pub fn events(&self) -> broadcast::Receiver<Arc<Record>> {
        self.shared.herald.subscribe()
    }

    /// The service's servers as they are now.
    pub async fn look(&self, service: &ServiceName) -> Result<World, Refusal> {
        let desk = self.shared.desk(service)?;
        Ok(desk.look().await)
    }

    /// How the calls at the ports went so far.
    pub fn call_stats(&self) -> BTreeMap<Call, CallStat> {
        self.shared.stats.rows()
    }
}

fn view(name: &ServiceName, service: &Service, tenure: Option<&Tenure>, not_held: &str) -> ServiceView {
    let mut view = ServiceView { service: service.clone(), history: None, active: None, trouble: None };
    match tenure.and_then(|tenure| tenure.desks.get(name)) {
        None => view.trouble = Some(not_held.to_owned()),
        Some(Standing::Broken(why)) => view.trouble = Some(why.clone()),
        Some(Standing::Served(desk)) => {
            view.history = Some(desk.history());
            view.active = desk.active().map(|ledger| ledger.watch().borrow().clone());
            view.trouble = desk.trouble();
        }
    }
    view
}

impl Waits {
    fn owner(&self) -> Option<&Owner> {
        match self {
            Self::For(owner) => Some(owner),
            Self::Nobody | Self::Troubled(_) => None,
        }
    }
}

impl Shared {
    fn reader(&self) -> &dyn Reader {
        self.reader.as_ref()
    }

    /// Why nothing is done here, and who is to be asked instead.
    fn not_held(&self) -> String {
        match &*self.waits.borrow() {
            Waits::For(owner) => format!("{owner} holds the lease, and this daemon waits for it"),
            Waits::Troubled(why) => format!("this daemon does not hold the lease: {why}"),
            Waits::Nobody => match &*self.gave_up.borrow() {
                Some(why) => format!("this daemon does not hold the lease: {why}"),
                None => "this daemon does not hold the lease".to_owned(),
            },
        }
    }

    /// Tells those who watch only what is new to them.
    fn wait_for(&self, waits: Waits) {
        self.waits.send_if_modified(|known| {
            let is_new = *known != waits;
            *known = waits;
            is_new
        });
    }

    fn configured(&self, service: &ServiceName) -> Result<(), Refusal> {
        let mut names = self.means.services.iter().map(|it| &it.service.name);
        if names.any(|name| name == service) {
            return Ok(());
        }
        let known = self.means.services.iter().map(|it| it.service.name.to_string()).collect();
        Err(Refusal::ServiceUnknown { service: service.to_string(), known })
    }

    fn tenure(&self, service: &ServiceName) -> Result<Arc<Tenure>, Refusal> {
        self.configured(service)?;
        let none = || Refusal::NotServed { why: self.not_held() };
        self.tenure.borrow().clone().ok_or_else(none)
    }

    fn desk(&self, service: &ServiceName) -> Result<Arc<Desk>, Refusal> {
        self.tenure(service)?.desk(service)
    }

    /// Has a service's desk carry a request out.
    async fn ask<T: Send + 'static, F: Future<Output = Result<T, AskError>> + Send + 'static>(
        &self,
        service: &ServiceName,
        work: impl FnOnce(Arc<Desk>) -> F,
    ) -> Result<T, AskError> {
        let answer = {
            let tenure = self.tenure(service)?;
            tenure.requests.carry(work(tenure.desk(service)?))
        };
        // Who waits does not hold the tenure, and learns of its end.
        answer.await
    }
}
