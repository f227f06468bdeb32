//! A daemon in parts: an engine, and the API in front of it.
//!
//! [`Server`] is what [`serve`](crate::serve) runs, and what tests start in their own process with other ports,
//! another journal and another clock.

use std::sync::Arc;

use axum::Router;
use segue_domain::service::Service;
use segue_engine::ports::{Clock, Entropy};
use segue_engine::{Engine, Means, ServiceSetup, Settings};
use segue_journal::{Owner, Record, Store};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::front::Front;
use crate::metrics::Metrics;
use crate::routes::{self, App, Hosts};

/// Everything that a daemon lives from.
pub struct Parts {
    pub settings: Settings,
    /// In the order in which pages list them.
    pub services: Vec<ServiceSetup>,
    pub journal: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub aws_calls: Arc<segue_aws::CallCounts>,
    /// Names by which the API may be asked, besides addresses and `localhost`; in lower case.
    pub hosts: Vec<String>,
    /// The digest of the configuration that all this was made from.
    pub config_digest: Option<String>,
}

/// A running daemon. Dropping it is dying: everything stops, and the next one takes over.
pub struct Server {
    engine: Arc<Engine>,
    router: Router,
    stopping: CancellationToken,
    counting: JoinHandle<()>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.counting.abort();
    }
}

impl Server {
    /// Begins to work as soon as the lease is this daemon's. Must be called within a runtime.
    pub fn begin(parts: Parts) -> Self {
        let Parts { settings, services, journal, clock, entropy, aws_calls, hosts, config_digest } = parts;
        let listed: Vec<Service> = services.iter().map(|setup| setup.service.clone()).collect();
        let means = Means { store: Arc::clone(&journal), services, clock: Arc::clone(&clock), entropy };
        let engine = Arc::new(Engine::begin(settings, means));
        let metrics = Arc::new(Metrics::new());
        let counting = tokio::spawn(count(engine.events(), Arc::clone(&metrics)));
        let front =
            Front::new(listed, Arc::clone(&engine), journal.reader(), clock, aws_calls, config_digest);
        let stopping = CancellationToken::new();
        let router = routes::router(App::new(Arc::new(front), metrics, Hosts::new(hosts), stopping.clone()));
        Self { engine, router, stopping, counting }
    }

    /// The API, to be asked without a network.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Returns when the lease is held and every service was taken up that can be.
    pub async fn ready(&self) {
        self.engine.leading().await;
    }

    /// Returns when another daemon is known to hold the lease: this one is ready to take over, and says what it
    /// can read.
    pub async fn waiting(&self) -> Owner {
        self.engine.waiting().await
    }

    /// Returns when nothing renews the lease any more, though nobody told it to stop: a defect. Releases go on where
    /// the next daemon finds them.
    pub async fn broken(&self) {
        self.engine.unkept().await;
    }

    /// Answers requests until [`Server::hush`]. It holds nothing of this server but its routes.
    pub fn answer(
        &self,
        listener: TcpListener,
    ) -> impl Future<Output = std::io::Result<()>> + Send + 'static {
        let (router, stopping) = (self.router(), self.stopping.clone());
        let stopped = async move { stopping.cancelled().await };
        async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await }
    }

    /// Takes no new request, and ends long polls and streams.
    pub fn hush(&self) {
        self.stopping.cancel();
    }

    /// Begins nothing new, lets what is in flight end for a while, and gives the lease back, whether or not all
    /// answers have ended: nobody who reads slowly keeps a successor waiting.
    pub async fn stop(self) {
        self.hush();
        self.engine.stop().await;
    }
}

/// Counts what is appended. What a slow moment made it miss is in the journal, and missing in the count only.
async fn count(mut events: broadcast::Receiver<Arc<Record>>, metrics: Arc<Metrics>) {
    loop {
        match events.recv().await {
            Ok(record) => metrics.appended(&record),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "records were not counted"),
            Err(RecvError::Closed) => return,
        }
    }
}
