//! One request, one answer, and every way in which the answer is none.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use segue_api::{
    ACTOR, Component, ComponentState, Error, HistoryQuery, IDEMPOTENCY_KEY, PROBLEM_MEDIA_TYPE, Problem,
    Readiness, ReleaseKind, ReleaseQuery, ReleaseRequest, ReleaseState, Verb, VerbRequest, Wait,
};
use tokio::net::TcpListener;

use crate::server::{LIMITS, client_of, release, serve};

fn request() -> ReleaseRequest {
    ReleaseRequest {
        service: "boards".to_owned(),
        kind: ReleaseKind::Full,
        version: Some("2".to_owned()),
        to: None,
        overrides: Vec::new(),
        reason: Some("daily".to_owned()),
        plan: None,
    }
}

fn problem(status: StatusCode, code: &str) -> impl IntoResponse {
    let body = Problem {
        kind: format!("/errors/{code}"),
        title: "not now".to_owned(),
        status: status.as_u16(),
        detail: "boards-1 is still running".to_owned(),
        code: code.to_owned(),
        hint: Some("wait for it, or abort it".to_owned()),
        errors: Vec::new(),
    };
    let text = serde_json::to_string(&body).expect("serializes");
    (status, [(header::CONTENT_TYPE, PROBLEM_MEDIA_TYPE)], text)
}

#[tokio::test]
async fn a_request_carries_its_key_its_actor_and_its_body_and_gives_the_release() {
    let routes = Router::new().route(
        "/v1/releases",
        post(|headers: HeaderMap, Json(asked): Json<ReleaseRequest>| async move {
            assert_eq!(headers.get(IDEMPOTENCY_KEY).expect("the key"), "run-7");
            assert_eq!(headers.get(ACTOR).expect("who asks"), "ada");
            assert_eq!(asked, request());
            (StatusCode::ACCEPTED, Json(release(ReleaseState::Running)))
        }),
    );
    let client = serve(routes).await.by("ada".parse().expect("a name"));
    let created = client.create(&request(), &"run-7".parse().expect("a key")).await.expect("accepted");
    assert_eq!(created, release(ReleaseState::Running));
}

#[tokio::test]
async fn a_refusal_keeps_its_code_sentence_and_hint() {
    let routes = Router::new()
        .route("/v1/releases", post(|| async { problem(StatusCode::CONFLICT, "release-in-progress") }));
    let client = serve(routes).await;
    let refused = client.create(&request(), &"k".parse().expect("a key")).await.expect_err("409");
    assert_eq!(refused.code(), Some("release-in-progress"));
    assert_eq!(refused.to_string(), "boards-1 is still running");
    assert!(!refused.may_pass(), "asking again gets the same refusal");
}

#[tokio::test]
async fn a_verb_is_said_to_one_release() {
    let routes = Router::new().route(
        "/v1/releases/{id}/{verb}",
        post(|Path((id, verb)): Path<(String, String)>, Json(said): Json<VerbRequest>| async move {
            assert_eq!((id.as_str(), verb.as_str()), ("boards-1", "pause"));
            assert_eq!(said.reason.as_deref(), Some("lunch"));
            Json(release(ReleaseState::Paused))
        }),
    );
    let client = serve(routes).await;
    let said = VerbRequest { reason: Some("lunch".to_owned()) };
    let paused =
        client.say(&"boards-1".parse().expect("a release"), Verb::Pause, &said).await.expect("paused");
    assert_eq!(paused.state, ReleaseState::Paused);
}

#[tokio::test]
async fn a_long_poll_sends_its_tag_and_tells_no_change_from_change() {
    let routes = Router::new().route(
        "/v1/releases/{id}",
        get(|Query(query): Query<ReleaseQuery>, headers: HeaderMap| async move {
            match headers.get(header::IF_NONE_MATCH).map(axum::http::HeaderValue::as_bytes) {
                Some(b"\"same\"") => StatusCode::NOT_MODIFIED.into_response(),
                Some(_) => {
                    assert_eq!(query.wait, Some(Wait::at_most(30)));
                    ([(header::ETAG, "\"same\"")], Json(release(ReleaseState::Held))).into_response()
                }
                None => ([(header::ETAG, "\"first\"")], Json(release(ReleaseState::Running))).into_response(),
            }
        }),
    );
    let client = serve(routes).await;
    let id = "boards-1".parse().expect("a release");
    let first = client.release(&id).await.expect("there");
    let changed = client.release_after(&id, &first.etag, Wait::at_most(30)).await.expect("answered");
    let changed = changed.expect("a change");
    assert_eq!(changed.value.state, ReleaseState::Held);
    let same = client.release_after(&id, &changed.etag, Wait::at_most(30)).await.expect("answered");
    assert_eq!(same, None);
}

#[tokio::test]
async fn history_asks_for_what_was_asked() {
    let routes = Router::new().route(
        "/v1/releases",
        get(|Query(query): Query<HistoryQuery>| async move {
            assert_eq!((query.service.as_deref(), query.limit), (Some("boards"), Some(3)));
            Json(serde_json::json!({ "releases": [release(ReleaseState::Closed)] }))
        }),
    );
    let client = serve(routes).await;
    let query = HistoryQuery { service: Some("boards".to_owned()), limit: Some(3) };
    assert_eq!(client.history(&query).await.expect("there").releases, [release(ReleaseState::Closed)]);
}

#[tokio::test]
async fn a_service_name_cannot_leave_its_place_in_the_path() {
    let routes = Router::new().route(
        "/v1/services/{name}",
        get(|Path(name): Path<String>| async move {
            assert_eq!(name, "../releases?x");
            problem(StatusCode::NOT_FOUND, "unknown-service")
        }),
    );
    let client = serve(routes).await;
    let refused = client.service("../releases?x").await.expect_err("404");
    assert_eq!(refused.code(), Some("unknown-service"));
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_is_an_answer() {
    let not_ready = Readiness {
        config_digest: None,
        ready: false,
        daemon: "0.1.0".to_owned(),
        components: vec![Component {
            name: "journal".to_owned(),
            state: ComponentState::NotReady,
            sentence: Some("written by a newer daemon".to_owned()),
        }],
    };
    let body = not_ready.clone();
    let routes =
        Router::new().route("/readyz", get(|| async move { (StatusCode::SERVICE_UNAVAILABLE, Json(body)) }));
    assert_eq!(serve(routes).await.readiness().await.expect("an answer"), not_ready);
}

#[tokio::test]
async fn something_else_on_that_port_is_not_taken_for_a_daemon() {
    let routes = Router::new()
        .route("/v1/services", get(|| async { "<html>welcome</html>" }))
        .route("/v1/services/boards", get(|| async { (StatusCode::BAD_GATEWAY, "upstream away") }));
    let client = serve(routes).await;
    let bad = client.services().await.expect_err("not JSON");
    assert!(matches!(bad, Error::BadAnswer { status: 200, .. }) && !bad.may_pass(), "{bad}");
    let away = client.service("boards").await.expect_err("502");
    assert!(matches!(away, Error::BadAnswer { status: 502, .. }) && away.may_pass(), "{away}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let routes = Router::new().route("/v1/services", get(|| async { "x".repeat(100_000) }));
    let refused = serve(routes).await.services().await.expect_err("too long");
    assert!(refused.to_string().contains("longer than 65536 bytes"), "{refused}");
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let refused = client_of(&base, LIMITS).services().await.expect_err("nobody there");
    assert!(matches!(refused, Error::Unreachable { .. }) && refused.may_pass(), "{refused}");
}

#[tokio::test]
async fn an_address_without_paths_is_refused() {
    let refused = client_of("mailto:ops@example.com", LIMITS).services().await.expect_err("no path");
    assert!(matches!(refused, Error::BadAddress { .. }) && !refused.may_pass(), "{refused}");
}
