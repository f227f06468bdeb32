//! `/v1/releases/{id}`: one release as it is now, or once it changes.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use segue_api::{Problem, ReleaseId, ReleaseQuery, ReleaseView};

use super::App;
use super::extract::{Named, Query, text};
use crate::problem::{Fault, Refused};
use crate::views;

/// The release as it is now. With `If-None-Match` and `wait`, the answer comes once it differs from that tag;
/// 304 when it did not.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}",
    tag = "releases",
    params(
        ("id" = ReleaseId, Path, description = "SERVICE-NUMBER"),
        ReleaseQuery,
        ("if-none-match" = Option<String>, Header, description = "The `etag` of the state that the caller knows"),
    ),
    responses(
        (status = 200, description = "The release", body = ReleaseView, headers(("etag" = String))),
        (status = 304, description = "It did not change"),
        (status = 404, description = "No such release", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    Named(id): Named,
    Query(query): Query<ReleaseQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let known = text(&headers, "if-none-match")?;
    let wait = query.wait.unwrap_or_default().seconds();
    // Waiting for a change from a state that nobody named would be waiting for nothing.
    let held = if known.is_some() { Duration::from_secs(wait) } else { Duration::ZERO };
    let _place = match held.is_zero() {
        true => None,
        false => Some(watch_place(&app)?),
    };
    let deadline = tokio::time::Instant::now() + held;
    let mut changes = app.front.changes(&id).await?;
    loop {
        let view = app.front.release(&id).await?;
        let etag = views::etag(&view);
        if known.is_none_or(|known| !names(known, &etag)) {
            return Ok(([(header::ETAG, etag)], Json(view)).into_response());
        }
        tokio::select! {
            () = changes.next() => {}
            () = tokio::time::sleep_until(deadline) => return Ok(unchanged(etag)),
            () = app.stopping.cancelled() => return Ok(unchanged(etag)),
        }
    }
}

pub(super) fn watch_place(app: &App) -> Result<tokio::sync::OwnedSemaphorePermit, Fault> {
    let place = std::sync::Arc::clone(&app.watchers).try_acquire_owned();
    place.map_err(|_full| Fault::TooManyWatchers { limit: super::WATCHERS_MAX })
}

fn unchanged(etag: String) -> Response {
    (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response()
}

/// Whether an `If-None-Match` names the tag: one of a list, weak or not, or any.
fn names(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_every_form_that_http_has_for_it() {
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(names(known, "\"a\""), "{known}");
        }
        assert!(!names("\"b\"", "\"a\""));
        assert!(!names("", "\"a\""));
    }
}
