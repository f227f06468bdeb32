//! `/metrics`: the daemon's own numbers, in Prometheus' text.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::App;
use crate::problem::Fault;

/// OpenMetrics 1.0 text.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "daemon",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn scrape(State(app): State<App>) -> Result<impl IntoResponse, Fault> {
    let text = app.metrics.text(&app.front);
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text?))
}
