//! Everything that this daemon does under one term of the lease.

use std::collections::BTreeMap;
use std::sync::Arc;

use segue_domain::ids::ServiceName;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::Shared;
use crate::outside::Term;
use crate::pen::{Pen, chain};
use crate::service::Desk;

/// One term, and the services in it.
pub(super) struct Tenure {
    pub(super) term: Arc<Term>,
    pub(super) desks: BTreeMap<ServiceName, Standing>,
}

/// Whether a service is served.
pub(super) enum Standing {
    Served(Arc<Desk>),
    /// Its stream cannot be read, or a newer daemon wrote it: nothing is done for it.
    Broken(String),
}

impl Tenure {
    /// Takes every service up. One that cannot be is left alone, and says why.
    pub(super) async fn open(shared: &Shared, term: Arc<Term>) -> Self {
        let means = &shared.means;
        let mut desks = BTreeMap::new();
        for setup in &means.services {
            let pen = Pen {
                store: Arc::clone(&means.store),
                term: Arc::clone(&term),
                herald: shared.herald.clone(),
                clock: Arc::clone(&means.clock),
                entropy: Arc::clone(&means.entropy),
            };
            let (limits, rhythm) = (shared.settings.limits.clone(), shared.settings.rhythm.clone());
            let opened = Desk::open(setup.clone(), pen, limits, rhythm, Arc::clone(&shared.stats)).await;
            let standing = match opened {
                Ok(desk) => Standing::Served(Arc::new(desk)),
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(service = %setup.service.name, why, "the service is not served");
                    Standing::Broken(why)
                }
            };
            desks.insert(setup.service.name.clone(), standing);
        }
        Self { term, desks }
    }
}

/// The tasks of a tenure: one for each desk. All are gone when this is dropped.
pub(super) struct Tasks {
    tasks: JoinSet<()>,
    desks: BTreeMap<Id, Arc<Desk>>,
    stop: watch::Receiver<bool>,
}

impl Tasks {
    pub(super) fn begin(tenure: &Tenure, stop: &watch::Receiver<bool>) -> Self {
        let mut tasks = Self { tasks: JoinSet::new(), desks: BTreeMap::new(), stop: stop.clone() };
        for standing in tenure.desks.values() {
            match standing {
                Standing::Served(desk) => tasks.run(Arc::clone(desk)),
                Standing::Broken(_) => {}
            }
        }
        tasks
    }

    fn run(&mut self, desk: Arc<Desk>) {
        let (runner, stop) = (Arc::clone(&desk), self.stop.clone());
        let handle = self.tasks.spawn(async move { runner.run(stop).await });
        self.desks.insert(handle.id(), desk);
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
        let Some(desk) = self.desks.remove(&error.id()) else { return };
        tracing::error!(%error, "a service's task broke down");
        desk.park(format!("the service's task broke down: {error}")).await;
        self.run(desk);
    }
}
