//! The HTTP API, `/v1`: one file for each resource.
//!
//! A handler reads its request, asks the [`Front`](crate::front::Front) and words the answer. Limits on time and
//! size, the host and origin of a request and what is counted are layers here, so that no handler can forget them. The
//! OpenAPI document is collected from the very functions that answer.

mod adoption;
mod document;
mod events;
mod extract;
mod health;
mod hosts;
mod layers;
mod metrics;
mod plans;
mod release;
mod releases;
mod services;
mod verbs;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::front::Front;
use crate::metrics::Metrics;

pub(crate) use hosts::Hosts;

/// The longest body that is read.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;
/// Requests that wait for a change: long polls and streams of events together.
pub(crate) const WATCHERS_MAX: usize = 256;

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) front: Arc<Front>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hosts: Hosts,
    pub(crate) watchers: Arc<Semaphore>,
    /// Ends what would otherwise keep a daemon from stopping: long polls and streams.
    pub(crate) stopping: CancellationToken,
}

impl App {
    pub(crate) fn new(
        front: Arc<Front>,
        metrics: Arc<Metrics>,
        hosts: Hosts,
        stopping: CancellationToken,
    ) -> Self {
        Self { front, metrics, hosts, watchers: Arc::new(Semaphore::new(WATCHERS_MAX)), stopping }
    }
}

/// The whole API.
pub(crate) fn router(app: App) -> Router {
    let (router, document) = collect().split_for_parts();
    let router = router.route("/v1/openapi.json", document::route(document));
    router
        .fallback(layers::unknown)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(layers::limit_time))
        .layer(from_fn(layers::refuse_other_origins))
        .layer(from_fn_with_state(app.clone(), layers::refuse_other_hosts))
        .layer(from_fn_with_state(app.clone(), layers::count))
        .with_state(app)
}

/// The OpenAPI document of this version.
pub fn openapi() -> OpenApi {
    collect().split_for_parts().1
}

fn collect() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::about())
        .routes(routes!(releases::create, releases::history))
        .routes(routes!(plans::make))
        .routes(routes!(release::get))
        .routes(routes!(verbs::say))
        .routes(routes!(events::of_release))
        .routes(routes!(events::of_all))
        .routes(routes!(services::list))
        .routes(routes!(services::get))
        .routes(routes!(adoption::plan, adoption::adopt))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::scrape))
}
