//! `/v1/releases`: asking for a release, and the list of them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use segue_api::{History, HistoryQuery, Problem, ReleaseRequest, ReleaseView};

use super::App;
use super::extract::{Body, Query, idempotency_key};
use crate::front::Who;
use crate::problem::{Fault, Refused};

/// Asks for a release. It is accepted once its plan is in the journal; the same key and body again give the
/// same release.
#[utoipa::path(
    post,
    path = "/v1/releases",
    tag = "releases",
    params(
        ("idempotency-key" = Option<String>, Header, description = "Chosen by the caller, one for each intention"),
        ("segue-actor" = Option<String>, Header, description = "Who asks, for the journal; believed as it is"),
    ),
    request_body = ReleaseRequest,
    responses(
        (status = 202, description = "Accepted", body = ReleaseView,
         headers(("location" = String, description = "Where the release is"))),
        (status = 409, description = "Another release is active", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The journal did not say whether it was done: look, or ask again with the same key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Who,
    headers: HeaderMap,
    Body(request): Body<ReleaseRequest>,
) -> Result<impl IntoResponse, Refused> {
    let key = idempotency_key(&headers)?;
    let view = app.front.start(&request, key.as_ref(), &who).await?;
    let location = format!("/v1/releases/{}", view.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view)))
}

/// Releases, the newest first.
#[utoipa::path(
    get,
    path = "/v1/releases",
    tag = "releases",
    params(HistoryQuery),
    responses(
        (status = 200, description = "The newest first", body = History),
        (status = 404, description = "No such service", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A query that is none", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn history(
    State(app): State<App>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, Refused> {
    let limit = query.limit.unwrap_or(HistoryQuery::LIMIT_DEFAULT);
    if !(1..=HistoryQuery::LIMIT_MAX).contains(&limit) {
        let what = format!("limit is {limit}; it may be 1 to {}", HistoryQuery::LIMIT_MAX);
        return Err(Fault::QueryInvalid { what }.into());
    }
    let releases = app.front.history(query.service.as_deref(), limit).await?;
    Ok(Json(History { releases }))
}
