//! A monitoring server in small: it scrapes the running instances and answers the two questions that a
//! release asks, in Prometheus' own JSON.
//!
//! Kept manners: a sample's age shows only through `time() - timestamp(…)`; a result's timestamp is the
//! evaluation time; an instance whose last scrape failed has no sample at all (staleness marker); values are
//! strings; a series keeps the labels of its page; `up` says whether the last scrape went well. Everything else that
//! PromQL can say is refused with 422.

mod answer;
mod exposition;
mod faults;
mod query;
mod samples;

use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::faults::PrometheusFault;
use crate::fetch::{Fetch, fetch};
use crate::names::InstanceId;
use crate::shared::Shared;
use crate::simulated::Simulated;
use crate::world::InstanceState;
use samples::{Got, Samples, Scrape};

/// What one scrape may answer, in bytes.
const SCRAPE_MAX: usize = 4 * 1024 * 1024;
/// What a query may weigh, in bytes: ten thousand instances and room to spare.
const QUERY_MAX: usize = 1024 * 1024;

/// The scraped samples and the clock they are dated by.
#[derive(Debug)]
pub(crate) struct Prometheus {
    shared: Arc<Shared>,
    simulated: Option<Arc<Simulated>>,
    /// The instances' port for metrics.
    port: u16,
    samples: Mutex<Samples>,
}

impl Prometheus {
    pub(crate) fn new(shared: Arc<Shared>, simulated: Option<Arc<Simulated>>, port: u16) -> Arc<Self> {
        Arc::new(Self { shared, simulated, port, samples: Mutex::default() })
    }

    /// The HTTP side: `GET` and `POST /api/v1/query`.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/api/v1/query", get(by_get).post(by_post))
            .route("/-/ready", get(|| async { "Prometheus Server is Ready.\n" }))
            .layer(from_fn_with_state(Arc::clone(&self.shared), faults::strike))
            .layer(DefaultBodyLimit::max(QUERY_MAX))
            .with_state(self)
    }

    /// Scrapes every running instance once an interval until `stop`.
    pub(crate) async fn scrape(self: Arc<Self>, interval: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if self.shared.glance(|world, now| world.prometheus_is(PrometheusFault::Stale, now)) {
                continue;
            }
            let targets = self.targets();
            let known = targets.iter().map(|(id, _)| id).collect();
            let now = self.shared.clock.now();
            self.with_samples(|samples| samples.only_running(&known, now));
            if let Some(simulated) = &self.simulated {
                self.scrape_simulated(simulated, targets);
                continue;
            }
            let mut scrapes = JoinSet::new();
            for (id, address) in targets {
                scrapes.spawn(Arc::clone(&self).scrape_one(id, address, interval));
            }
            while scrapes.join_next().await.is_some() {}
        }
    }

    fn targets(&self) -> Vec<(InstanceId, SocketAddrV4)> {
        self.shared.glance(|world, _| {
            let running = world.cloud.instances().filter(|i| i.state() == InstanceState::Running);
            running.map(|i| (i.id.clone(), SocketAddrV4::new(i.address, self.port))).collect()
        })
    }

    async fn scrape_one(self: Arc<Self>, id: InstanceId, address: SocketAddrV4, timeout: Duration) {
        let at = self.shared.clock.now();
        let agent = "Prometheus/3.0";
        let got = fetch(Fetch { address, path: "/metrics", agent, timeout, body_max: SCRAPE_MAX }).await;
        let got = match got {
            Ok((200, body)) => match std::str::from_utf8(&body).ok().and_then(exposition::parse) {
                Some(metrics) => Got::Page { target: address, metrics: Arc::new(metrics) },
                None => Got::Failed { target: address },
            },
            Ok(_) => Got::Failed { target: address },
            Err(error) => {
                tracing::debug!(instance = %id, %error, "a scrape failed");
                Got::Failed { target: address }
            }
        };
        self.with_samples(|samples| samples.scraped(id, Scrape { at, got }));
    }

    /// Simulated instances show their pages here and now: a connection to oneself for each would tell no more.
    fn scrape_simulated(&self, simulated: &Simulated, targets: Vec<(InstanceId, SocketAddrV4)>) {
        for (id, target) in targets {
            let at = self.shared.clock.now();
            let page = simulated.metrics(*target.ip()).and_then(|page| exposition::parse(&page));
            let got = page
                .map_or(Got::Failed { target }, |metrics| Got::Page { target, metrics: Arc::new(metrics) });
            self.with_samples(|samples| samples.scraped(id, Scrape { at, got }));
        }
    }

    fn with_samples<R>(&self, look: impl FnOnce(&mut Samples) -> R) -> R {
        look(&mut self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, form: &str) -> Response {
        let now = self.shared.clock.now();
        answer::to_query(form, now, |query, at| self.with_samples(|samples| samples.evaluate(query, at)))
    }
}

async fn by_get(State(prometheus): State<Arc<Prometheus>>, RawQuery(query): RawQuery) -> Response {
    prometheus.answer(&query.unwrap_or_default())
}

async fn by_post(State(prometheus): State<Arc<Prometheus>>, body: String) -> Response {
    prometheus.answer(&body)
}
