//! What holds for every route: a limit of time, the host and the origin, the count, and what unknown paths get.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::uri::Authority;
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::extract::text;
use crate::problem::{Fault, said};

/// Longer than the longest long poll and the longest planning of a release.
const ANSWER_WITHIN_S: u64 = 75;

pub(super) async fn unknown(uri: Uri) -> Fault {
    Fault::RouteUnknown { path: said(uri.path()) }
}

pub(super) async fn wrong_method() -> Fault {
    Fault::MethodNotAllowed
}

/// The headers of an answer come within the limit; a stream of events may then go on.
pub(super) async fn limit_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(Duration::from_secs(ANSWER_WITHIN_S), next.run(request)).await;
    answered.unwrap_or_else(|_elapsed| Fault::TimedOut { limit_s: ANSWER_WITHIN_S }.into_response())
}

/// A name that others give may lead here only for a moment, and then to them: see [`super::Hosts`]. Who sends no
/// name at all is no browser.
pub(super) async fn refuse_other_hosts(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = match text(request.headers(), "host") {
        Ok(host) => host.or(request.uri().authority().map(Authority::as_str)),
        Err(fault) => return fault.into_response(),
    };
    match host {
        Some(host) if !app.hosts.know(host) => Fault::HostUnknown { host: said(host) }.into_response(),
        Some(_) | None => next.run(request).await,
    }
}

/// A page of another site that a person has open may not change anything here, though it can reach loopback.
pub(super) async fn refuse_other_origins(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = text(headers, "origin").ok().flatten();
    let host = text(headers, "host").ok().flatten();
    match origin {
        Some(origin) if changes && origin.split_once("://").map(|(_, from)| from) != host => {
            Fault::CrossOrigin { origin: said(origin) }.into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

/// Counts answers by route, method and status; a path that is none is counted under one name.
pub(super) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    app.metrics.answered(route, &method, response.status());
    response
}
