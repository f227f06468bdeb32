//! `/healthz` and `/readyz`: whether the process answers, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use segue_api::Readiness;

use super::App;

/// 200 as long as the process serves requests.
#[utoipa::path(get, path = "/healthz", tag = "daemon", responses((status = 200, description = "It answers")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the lease is held. A service that could not be taken up is named, and does not stop the others.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "daemon",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready", body = Readiness),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> impl IntoResponse {
    let readiness = app.front.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}
