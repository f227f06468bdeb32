//! Everything that this daemon does under one term of the lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::ServiceName;
use segue_domain::refusal::Refusal;
use segue_journal::ReadError;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::Shared;
use super::requests::Requests;
use crate::outside::Term;
use crate::pen::Pen;
use crate::ports::chain;
use crate::service::{Desk, DeskError, ServiceSetup};

/// Tries to take a service up while the journal does not answer, and the pause between them.
const OPEN_TRIES: u32 = 5;
const OPEN_PAUSE: Duration = Duration::from_secs(1);
/// Before a service whose task broke down is taken up again, for each time that it did.
const BROKEN_PAUSE: Duration = Duration::from_secs(1);
/// Breakdowns in a row after which a service is left alone; and how long a task must have run to end the row.
const BREAKDOWNS_MAX: u32 = 5;
const CALM: Duration = Duration::from_mins(10);

/// One term, and the services in it.
pub(super) struct Tenure {
    pub(super) desks: BTreeMap<ServiceName, Standing>,
    pub(super) requests: Requests,
}

/// Why nobody is served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unopened {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl Unopened {
    /// Why the lease is given up, for everybody to read.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Journal(newer @ ReadError::Newer { .. }) => newer.to_string(),
            Self::Desk(error) if error.is_newer() => "a newer daemon wrote the journal".to_owned(),
            Self::Journal(_) | Self::Desk(_) => "the journal cannot be read".to_owned(),
        }
    }
}

/// Whether a service is served.
pub(super) enum Standing {
    Served(Arc<Desk>),
    /// Its stream cannot be read: nothing is done for it.
    Broken(String),
}

impl Tenure {
    /// Takes every service up. One that cannot be is left alone, and says why. When the journal does not answer
    /// at all nobody is served, and when a newer daemon wrote here it is the one to serve: the term is given up.
    pub(super) async fn open(shared: &Shared, term: &Arc<Term>) -> Result<Self, Unopened> {
        understood(shared).await?;
        let mut desks = BTreeMap::new();
        for setup in &shared.means.services {
            let name = setup.service.name.clone();
            let standing = match open_desk(shared, setup, term).await {
                Ok(desk) => Standing::Served(Arc::new(desk)),
                Err(error) if error.may_pass() || error.is_newer() => return Err(error.into()),
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(service = %name, why, "the service is not served");
                    Standing::Broken(why)
                }
            };
            desks.insert(name, standing);
        }
        Ok(Self { desks, requests: Requests::default() })
    }

    pub(super) fn desk(&self, service: &ServiceName) -> Result<Arc<Desk>, Refusal> {
        let cannot = |why: &str| Refusal::NotServed { why: why.to_owned() };
        match self.desks.get(service) {
            Some(Standing::Served(desk)) => Ok(Arc::clone(desk)),
            Some(Standing::Broken(why)) => Err(cannot(why)),
            None => Err(cannot("the service is not served yet")),
        }
    }
}

/// It was looked at when this daemon was started; it may have waited for days since.
async fn understood(shared: &Shared) -> Result<(), ReadError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match shared.means.store.understood().await {
            Err(ReadError::Unavailable(_)) if tries < OPEN_TRIES => tokio::time::sleep(OPEN_PAUSE).await,
            answer => return answer,
        }
    }
}

async fn open_desk(shared: &Shared, setup: &ServiceSetup, term: &Arc<Term>) -> Result<Desk, DeskError> {
    let (means, settings) = (&shared.means, &shared.settings);
    let mut tries = 0;
    loop {
        let pen = Pen {
            store: Arc::clone(&means.store),
            term: Arc::clone(term),
            herald: shared.herald.clone(),
            clock: Arc::clone(&means.clock),
            entropy: Arc::clone(&means.entropy),
        };
        let (limits, rhythm) = (settings.limits.clone(), settings.rhythm.clone());
        tries += 1;
        let pacer = shared.pacers.get(&setup.service.region).cloned().unwrap_or_default();
        match Desk::open(setup.clone(), pen, limits, rhythm, Arc::clone(&shared.stats), pacer).await {
            Err(error) if error.may_pass() && tries < OPEN_TRIES => tokio::time::sleep(OPEN_PAUSE).await,
            opened => return opened,
        }
    }
}

/// The tasks of a tenure: one for each desk. All are gone when this is dropped.
pub(super) struct Tasks {
    tasks: JoinSet<()>,
    runs: BTreeMap<Id, Run>,
    stop: watch::Receiver<bool>,
}

/// One desk's task.
struct Run {
    desk: Arc<Desk>,
    began: Instant,
    /// In a row, this one not included.
    breakdowns: u32,
}

impl Tasks {
    pub(super) fn begin(tenure: &Tenure, stop: &watch::Receiver<bool>) -> Self {
        let mut tasks = Self { tasks: JoinSet::new(), runs: BTreeMap::new(), stop: stop.clone() };
        for standing in tenure.desks.values() {
            match standing {
                Standing::Served(desk) => tasks.run(Arc::clone(desk), 0),
                Standing::Broken(_) => {}
            }
        }
        tasks
    }

    fn run(&mut self, desk: Arc<Desk>, breakdowns: u32) {
        let (runner, stop) = (Arc::clone(&desk), self.stop.clone());
        let handle = self.tasks.spawn(async move {
            tokio::time::sleep(BROKEN_PAUSE * breakdowns).await;
            runner.run(stop).await;
        });
        self.runs.insert(handle.id(), Run { desk, began: Instant::now(), breakdowns });
    }

    /// Watches over the desks; returns when all have ended. One that broke down is held and taken up again.
    pub(super) async fn watch_over(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Err(error) = ended {
                self.take_up(&error).await;
            }
        }
    }

    async fn take_up(&mut self, error: &JoinError) {
        let Some(Run { desk, began, breakdowns }) = self.runs.remove(&error.id()) else { return };
        let breakdowns = if began.elapsed() < CALM { breakdowns + 1 } else { 1 };
        let what = format!("the service's task broke down: {error}");
        tracing::error!(%error, breakdowns, "a service's task broke down");
        if let Some(ledger) = desk.active()
            && let Err(error) = ledger.hold(&what).await
        {
            tracing::error!(%error, "a release that broke down could not be held");
        }
        if breakdowns < BREAKDOWNS_MAX {
            self.run(desk, breakdowns);
        } else {
            desk.set_trouble(Some(what));
        }
    }
}
