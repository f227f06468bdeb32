//! Following a release: each change once, through a daemon that comes and goes, and not for ever.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use segue_api::{Patience, ReleaseState, ReleaseView};

use crate::server::{release, serve};

/// Answers, one after the other; the last one for ever.
type Script = Arc<(Vec<Said>, AtomicUsize)>;

#[derive(Clone, Copy)]
enum Said {
    State(ReleaseState),
    NoChange,
    Away,
}

fn say((said, asked): &(Vec<Said>, AtomicUsize)) -> Response {
    let n = asked.fetch_add(1, Ordering::SeqCst);
    match said.get(n).or(said.last()).copied().unwrap_or(Said::Away) {
        Said::State(state) => ([(header::ETAG, format!("\"{n}\""))], Json(release(state))).into_response(),
        Said::NoChange => StatusCode::NOT_MODIFIED.into_response(),
        Said::Away => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn follow(
    said: Vec<Said>,
    patience: Patience,
) -> (Vec<ReleaseState>, Result<Option<ReleaseView>, segue_api::Error>) {
    let script: Script = Arc::new((said, AtomicUsize::new(0)));
    let routes = Router::new()
        .route("/v1/releases/{id}", get(|State(script): State<Script>| async move { say(&script) }))
        .with_state(script);
    let client = serve(routes).await;
    let seen = Mutex::new(Vec::new());
    let ended = client
        .follow(&"boards-1".parse().expect("a release"), patience, |view| {
            seen.lock().expect("no panic inside").push(view.state);
            match view.state {
                ReleaseState::Closed => ControlFlow::Break(()),
                ReleaseState::Running | ReleaseState::Paused | ReleaseState::Asking | ReleaseState::Held => {
                    ControlFlow::Continue(())
                }
            }
        })
        .await;
    (seen.into_inner().expect("no panic inside"), ended)
}

const PATIENT: Patience = Patience { total: None, away: Duration::from_mins(1) };

#[tokio::test]
async fn each_change_is_seen_once_until_the_end() {
    let said = vec![
        Said::State(ReleaseState::Running),
        Said::NoChange,
        Said::State(ReleaseState::Held),
        Said::State(ReleaseState::Closed),
    ];
    let (seen, ended) = follow(said, PATIENT).await;
    assert_eq!(seen, [ReleaseState::Running, ReleaseState::Held, ReleaseState::Closed]);
    assert_eq!(ended.expect("answered").map(|view| view.state), Some(ReleaseState::Closed));
}

#[tokio::test]
async fn a_daemon_that_restarts_in_between_is_waited_for() {
    let said =
        vec![Said::State(ReleaseState::Running), Said::Away, Said::Away, Said::State(ReleaseState::Closed)];
    let (seen, ended) = follow(said, PATIENT).await;
    assert_eq!(seen, [ReleaseState::Running, ReleaseState::Closed]);
    assert!(ended.expect("answered").is_some());
}

#[tokio::test]
async fn a_daemon_that_stays_away_is_an_error_at_last() {
    let patience = Patience { total: None, away: Duration::ZERO };
    let (seen, ended) = follow(vec![Said::State(ReleaseState::Running), Said::Away], patience).await;
    assert_eq!(seen, [ReleaseState::Running]);
    assert!(ended.is_err_and(|error| error.may_pass()));
}

#[tokio::test]
async fn patience_ends_while_the_release_goes_on() {
    let patience = Patience { total: Some(Duration::from_millis(300)), away: Duration::from_mins(1) };
    let (seen, ended) = follow(vec![Said::State(ReleaseState::Running), Said::NoChange], patience).await;
    assert_eq!(seen, [ReleaseState::Running]);
    assert_eq!(ended.expect("answered"), None);
}
