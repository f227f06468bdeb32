//! Streams of events: the journal, told as it grows.
//!
//! A stream reads the journal from where the caller was, to its end, and then again whenever something was
//! appended: replay and live are the same code, and a signal that was lost costs a moment, not an event.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use segue_api::{EventView, EventsQuery, Problem, ReleaseId, Scope};

use super::App;
use super::extract::{Named, Query, text};
use super::release::watch_place;
use crate::front::Tale;
use crate::problem::{Fault, Refused, said};
use crate::views::Cursor;

/// A silent stream says so this often, so that proxies keep it and readers know that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Events = BoxStream<'static, Result<Event, Infallible>>;

/// What happens in one release: from its beginning, or after `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}/events",
    tag = "events",
    params(
        ("id" = ReleaseId, Path, description = "SERVICE-NUMBER"),
        EventsQuery,
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that the caller has"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = EventView, content_type = "text/event-stream"),
        (status = 404, description = "No such release", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn of_release(
    State(app): State<App>,
    Named(id): Named,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Sse<KeepAliveStream<Events>>, Refused> {
    let after = last_id(&headers, &query)?;
    let tale = app.front.tale(&Scope::Release(id), after.as_ref()).await?;
    streamed(&app, tale)
}

/// What happens in all services: from now on, or after `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(
        EventsQuery,
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that the caller has"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = EventView, content_type = "text/event-stream"),
    )
)]
pub(super) async fn of_all(
    State(app): State<App>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Sse<KeepAliveStream<Events>>, Refused> {
    let after = last_id(&headers, &query)?;
    let tale = app.front.tale(&Scope::All, after.as_ref()).await?;
    streamed(&app, tale)
}

fn last_id(headers: &HeaderMap, query: &EventsQuery) -> Result<Option<Cursor>, Fault> {
    let given = text(headers, "last-event-id")?.or(query.after.as_deref());
    let Some(id) = given.filter(|id| !id.is_empty()) else { return Ok(None) };
    Cursor::parse(id).map(Some).ok_or_else(|| Fault::EventIdUnknown { id: said(id) })
}

fn streamed(app: &App, tale: Tale) -> Result<Sse<KeepAliveStream<Events>>, Refused> {
    let place = watch_place(app)?;
    let stopping = app.stopping.clone();
    let events = stream::unfold((tale, place), |(mut tale, place)| async move {
        let views = tale.next().await?;
        Some((stream::iter(views.into_iter().map(|view| Ok(framed(&view)))), (tale, place)))
    });
    let events = events.flatten().take_until(async move { stopping.cancelled().await });
    Ok(Sse::new(events.boxed()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn framed(view: &EventView) -> Event {
    let data = serde_json::to_string(view).unwrap_or_default();
    Event::default().id(&view.id).event(&view.kind).data(data)
}
