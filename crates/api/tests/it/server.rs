//! A loopback server for one test, and the values it answers with.

use std::time::Duration;

use axum::Router;
use segue_api::{
    BoardsView, Client, Count, Direction, Limits, ReleaseKind, ReleaseState, ReleaseView, Time, Verdict,
};
use tokio::net::TcpListener;
use url::Url;

pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(5),
    silence: Duration::from_secs(5),
    answer_bytes_max: 64 * 1024,
};

/// A client of a server that has these routes.
pub(crate) async fn serve(routes: Router) -> Client {
    serve_with(routes, LIMITS).await
}

pub(crate) async fn serve_with(routes: Router, limits: Limits) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    client_of(&format!("http://{address}"), limits)
}

pub(crate) fn client_of(base: &str, limits: Limits) -> Client {
    Client::new(&Url::parse(base).expect("a URL"), limits).expect("a client")
}

/// A release of version 2 in the state asked for.
pub(crate) fn release(state: ReleaseState) -> ReleaseView {
    let at = Time::from_unix_ms(1_795_302_041_007).expect("inside the range");
    let unread = || Count::Unknown { why: "not asked yet".to_owned() };
    let (verdict, closed_at) = match state {
        ReleaseState::Closed => (Some(Verdict::Released), Some(at)),
        ReleaseState::Running | ReleaseState::Paused | ReleaseState::Asking | ReleaseState::Held => {
            (None, None)
        }
    };
    ReleaseView {
        id: "boards-1".parse().expect("a release"),
        service: "boards".to_owned(),
        kind: ReleaseKind::Full,
        version: "2".to_owned(),
        from_version: Some("1".to_owned()),
        state,
        direction: Direction::Forward,
        verdict,
        steps: Vec::new(),
        way_back: Vec::new(),
        boards: BoardsView {
            alive_at_close: None,
            moved: 0,
            failed: 0,
            on_blue: unread(),
            on_green: unread(),
        },
        checks: Vec::new(),
        point_of_no_return: None,
        actor: "ci".to_owned(),
        reason: None,
        created_at: at,
        closed_at,
        because: None,
        waiting: None,
    }
}
