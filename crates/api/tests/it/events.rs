//! The stream of events: in order, without a gap over a reconnect, and never waited for in silence.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::StreamExt;
use segue_api::{Error, EventView, Limits, Scope, Time};

use crate::server::{LIMITS, serve, serve_with};

fn event(seq: u64) -> EventView {
    EventView {
        id: format!("e{seq}"),
        release: Some("boards-1".parse().expect("a release")),
        service: "boards".to_owned(),
        seq,
        at: Time::from_unix_ms(1_795_302_041_007).expect("inside the range"),
        kind: "step-done".to_owned(),
        sentence: "launch is done".to_owned(),
        step: Some("launch".to_owned()),
        actor: "daemon".to_owned(),
        reason: None,
    }
}

fn frame(seq: u64) -> String {
    let data = serde_json::to_string(&event(seq)).expect("serializes");
    format!("id: e{seq}\nevent: step-done\ndata: {data}\n\n")
}

fn stream(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/event-stream")], text)
}

#[tokio::test]
async fn a_second_stream_goes_on_after_the_last_event_of_the_first() {
    let routes = Router::new().route(
        "/v1/releases/{id}/events",
        get(|headers: HeaderMap| async move {
            match headers.get("last-event-id") {
                None => stream(format!("{}: still here\n\n{}", frame(1), frame(2))),
                Some(id) => {
                    assert_eq!(id, "e2");
                    stream(frame(3))
                }
            }
        }),
    );
    let client = serve(routes).await;
    let scope = Scope::Release("boards-1".parse().expect("a release"));
    let mut first = client.events(&scope, None).await.expect("opened");
    assert_eq!(first.next().await.expect("read"), Some(event(1)));
    assert_eq!(first.next().await.expect("read"), Some(event(2)));
    assert_eq!(first.next().await.expect("closed by the daemon"), None);
    let mut second = client.events(&scope, first.last_id()).await.expect("opened again");
    assert_eq!(second.next().await.expect("read"), Some(event(3)));
}

#[tokio::test]
async fn a_stream_that_goes_silent_is_given_up() {
    let routes = Router::new().route(
        "/v1/events",
        get(|| async {
            let said = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from(frame(1)))]);
            let body = Body::from_stream(said.chain(futures_util::stream::pending()));
            ([(header::CONTENT_TYPE, "text/event-stream")], body)
        }),
    );
    let client = serve_with(routes, Limits { silence: Duration::from_millis(200), ..LIMITS }).await;
    let mut reader = client.events(&Scope::All, None).await.expect("opened");
    assert_eq!(reader.next().await.expect("read"), Some(event(1)));
    let silent = reader.next().await.expect_err("nothing more comes");
    assert!(matches!(silent, Error::Silent { .. }) && silent.may_pass(), "{silent}");
}

#[tokio::test]
async fn a_refused_stream_tells_why() {
    let routes = Router::new().route(
        "/v1/events",
        get(|| async {
            let body = r#"{"type":"t","title":"t","status":404,"detail":"no such release","code":"unknown-release"}"#;
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/problem+json")], body)
        }),
    );
    let refused = serve(routes).await.events(&Scope::All, None).await.expect_err("404");
    assert_eq!(refused.code(), Some("unknown-release"));
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_not_waited_for() {
    let routes = Router::new().route("/v1/events", get(|| async { "hello" }));
    let refused = serve(routes).await.events(&Scope::All, None).await.expect_err("text");
    assert!(matches!(refused, Error::BadAnswer { .. }), "{refused}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_error_not_a_gap() {
    let routes =
        Router::new().route("/v1/events", get(|| async { stream("id: e1\ndata: {}\n\n".to_owned()) }));
    let mut reader = serve(routes).await.events(&Scope::All, None).await.expect("opened");
    assert!(matches!(reader.next().await, Err(Error::BadAnswer { .. })));
    assert_eq!(reader.last_id(), None, "what was not told is asked for again");
}
