//! The adapter against a server that answers as the contract says.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use segue_domain::app::{AppState, BoardState};
use segue_engine::ports::Class;
use serde_json::{Value, json};

use super::*;
use crate::stub;
use crate::system::SystemClock;

/// What a call asked: `METHOD path?query`, the signed instance and generation, and the body.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    instance: String,
    generation: String,
    body: Value,
}

struct Server {
    boards: ContractBoards,
    at: Target,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers the calls in this order.
    async fn answering(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        let answers: Arc<Mutex<VecDeque<(u16, Value)>>> = Arc::new(Mutex::new(answers.into_iter().collect()));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = Arc::clone(&asked);
        let app = Router::new().fallback(move |request: Request| async move {
            let (head, body) = request.into_parts();
            let header = |name: &str| {
                let value = head.headers.get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            let body = axum::body::to_bytes(body, 1_000_000).await.expect("a body");
            seen.lock().expect("no test panicked with it").push(Asked {
                line: format!("{} {}", head.method, head.uri),
                instance: header(segue_handover::auth::INSTANCE_HEADER),
                generation: header(segue_handover::auth::GENERATION_HEADER),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            });
            let answer = answers.lock().expect("no test panicked with it").pop_front();
            let (status, body) = answer.unwrap_or((418, Value::Null));
            (StatusCode::from_u16(status).expect("a status"), body.to_string())
        });
        let url = stub::serve(app).await;
        let key = Key::new("0123456789abcdef").expect("long enough");
        let port = url.port().expect("a port");
        let boards = ContractBoards::new(stub::client(), key, Arc::new(SystemClock)).with_port(port);
        Self { boards, at: target("127.0.0.1"), asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panicked with it").clone()
    }
}

fn target(address: &str) -> Target {
    Target { instance: InstanceId::new("i-a"), address: address.to_owned(), generation: 7 }
}

fn status() -> Value {
    json!({
        "server": "i-a", "version": "2026.11.21-3", "formats": {"reads": ["1", "2"], "writes": "2"},
        "level": 2, "generation": 6, "state": "closed", "boards": 3, "standbys": 0, "clients": 40,
        "attached": 0, "connect": null, "route": "s07", "caps": {"boards": 100, "clients": 5000, "bytes": 1},
        "load": {"cpu": null, "rss": null, "edit_p99_ms": null, "load_p99_ms": null, "attach_queue": 0},
        "attach": {"limit_per_s": 1, "peak_in_100ms": 0, "overruns_total": 0, "admitted_total": 0,
            "refused_total": 0}
    })
}

fn row(board: &str, state: &str) -> Value {
    json!({"board": board, "epoch": 4, "state": state, "clients": 2, "unsupported": 1, "attached": 1,
        "bytes": 10, "ops_per_s": 0.5, "seq": 9, "move": "m1"})
}

fn problem(code: &str, status: u16) -> Value {
    json!({"code": code, "status": status, "title": "no", "detail": "because"})
}

fn item() -> MoveItem {
    MoveItem { id: MoveId::new("m1"), board: BoardId::new("b1"), from_epoch: 4 }
}

#[tokio::test]
async fn a_status_is_read_in_the_domains_words_and_the_call_is_signed_for_the_instance() {
    let server = Server::answering([(200, status())]).await;
    let status = server.boards.status(&server.at).await.expect("a status");
    assert_eq!((status.state, status.level, status.generation), (AppState::Closed, 2, 6));
    assert_eq!((status.boards, status.clients, status.caps.clients), (3, 40, 5000));
    assert_eq!(status.route, Some(Route::new("s07")));
    assert_eq!(status.formats.writes, "2");
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "GET /handover/v1/status");
    assert_eq!((asked.instance.as_str(), asked.generation.as_str()), ("i-a", "7"));
}

#[tokio::test]
async fn all_pages_of_boards_are_read_and_one_that_is_opening_or_closing_is_neither_here_nor_gone() {
    let mut says_less = row("b2", "sealed");
    says_less.as_object_mut().expect("a row").remove("unsupported");
    let server = Server::answering([
        (200, json!({"boards": [row("b1", "opening"), says_less], "next": "b2"})),
        (200, json!({"boards": [row("b3", "closing"), row("b4", "standby")], "next": null})),
    ])
    .await;
    let boards = server.boards.boards(&server.at).await.expect("boards");
    let states: Vec<_> = boards.iter().map(|row| (row.board.as_str(), row.state)).collect();
    assert_eq!(
        states,
        [
            ("b1", BoardState::Passing),
            ("b2", BoardState::Sealed),
            ("b3", BoardState::Passing),
            ("b4", BoardState::Standby)
        ]
    );
    assert_eq!((boards[0].epoch, boards[0].clients, boards[0].attached), (4, 2, 1));
    assert_eq!((boards[0].unsupported, boards[1].unsupported), (1, 0), "who does not say it has none");
    assert_eq!(boards[0].moving, Some(MoveId::new("m1")));
    assert_eq!(server.asked()[1].line, "GET /handover/v1/boards?cursor=b2");
}

#[tokio::test]
async fn a_list_that_goes_in_circles_is_given_up() {
    let page = json!({"boards": [row("b1", "active")], "next": "b1"});
    let server = Server::answering([(200, page.clone()), (200, page)]).await;
    let failed = server.boards.boards(&server.at).await.expect_err("a circle");
    assert_eq!(failed.class, Class::Bug, "{failed}");
}

#[tokio::test]
async fn the_boards_of_a_dead_server_are_counted_over_all_pages() {
    let owned = |board: &str| json!({"board": board, "epoch": 1});
    let server = Server::answering([
        (200, json!({"boards": [owned("b1"), owned("b2")], "next": "b2"})),
        (200, json!({"boards": [owned("b3")], "next": null})),
    ])
    .await;
    let dead = InstanceId::new("i-dead");
    assert_eq!(server.boards.owned_by(&server.at, &dead).await, Ok(3));
    assert_eq!(server.asked()[0].line, "GET /handover/v1/owners?server=i-dead");
    assert_eq!(server.asked()[1].line, "GET /handover/v1/owners?cursor=b2&server=i-dead");
}

#[tokio::test]
async fn a_route_is_told_with_open() {
    let server = Server::answering([(200, status()), (200, status()), (200, status())]).await;
    server.boards.open(&server.at, Some(&Route::new("s07"))).await.expect("open");
    server.boards.open(&server.at, None).await.expect("open");
    server.boards.close(&server.at).await.expect("closed");
    let bodies: Vec<Value> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies, [json!({"route": "s07"}), json!({}), json!({})]);
}

#[tokio::test]
async fn a_delta_passes_through_byte_for_byte() {
    // Two spaces, and a number that no float holds.
    let entry = r#"{"seq":7,"client":"ann","cseq":3,"payload":{"n":1.0,  "big":123456789012345678901}}"#;
    let seal = format!(r#"{{"final_seq":7,"delta":[{entry}],"digest":"d"}}"#);
    let raw = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&raw);
    let app =
        Router::new().route("/handover/v1/seal", axum::routing::post(move || async move { seal })).route(
            "/handover/v1/activate",
            axum::routing::post(move |body: String| async move {
                *seen.lock().expect("no test panicked with it") = body;
                r#"{"epoch":5}"#
            }),
        );
    let url = stub::serve(app).await;
    let key = Key::new("0123456789abcdef").expect("long enough");
    let boards = ContractBoards::new(stub::client(), key, Arc::new(SystemClock))
        .with_port(url.port().expect("a port"));
    let at = target("127.0.0.1");
    let sealed = boards.seal(&at, &item(), Duration::from_secs(1)).await.expect("sealed");
    assert_eq!((sealed.final_seq, sealed.digest.as_str()), (7, "d"));
    assert_eq!(boards.activate(&at, &item(), &sealed).await, Ok(5));
    let raw = raw.lock().expect("no test panicked with it").clone();
    assert!(raw.contains(entry), "{raw}");
    assert!(raw.contains(r#""from_epoch":4"#) && raw.contains(r#""digest":"d""#), "{raw}");
}

#[tokio::test]
async fn a_seal_without_delta_and_digest_is_activated_without_them() {
    let server = Server::answering([(200, json!({"final_seq": 7})), (200, json!({"epoch": 5}))]).await;
    let sealed = server.boards.seal(&server.at, &item(), Duration::from_secs(1)).await.expect("sealed");
    assert_eq!(sealed, Sealed { final_seq: 7, delta: None, digest: String::new() });
    server.boards.activate(&server.at, &item(), &sealed).await.expect("activated");
    assert_eq!(
        server.asked()[1].body,
        json!({"move": "m1", "board": "b1", "from_epoch": 4, "final_seq": 7, "force": false})
    );
}

#[tokio::test]
async fn a_plural_call_is_answered_item_by_item() {
    let ready = json!({"state": "standby", "seq": 9, "connect": "wss://h/{board}?srv=s07", "attached": 0});
    let answers = json!({"answers": [
        {"move": "m1", "board": "b1", "result": {"ok": ready}},
        {"move": "m2", "board": "b2", "result": {"problem": problem("held", 409)}},
    ]});
    let server = Server::answering([(200, answers)]).await;
    let terms = StandbyTerms { ttl: Duration::from_mins(1), attach_rate_per_s: 250 };
    let other = MoveItem { id: MoveId::new("m2"), board: BoardId::new("b2"), from_epoch: 1 };
    let outcomes = server.boards.prepare(&server.at, &[item(), other], terms).await;
    let outcomes = outcomes.expect("answers");
    let connect = "wss://h/{board}?srv=s07".to_owned();
    assert_eq!(outcomes[0], Ok(Prepared { seq: 9, connect }));
    assert!(outcomes[1].as_ref().is_err_and(|why| why.contains("because")), "{outcomes:?}");
    assert_eq!(server.asked()[0].line, "POST /handover/v1/moves:prepare");
    assert_eq!(server.asked()[0].body["moves"][0]["ttl_ms"], 60_000);
    assert_eq!(server.asked()[0].body["moves"][0]["attach_rate_per_s"], 250);
}

/// What goes into the journal is bounded: one dump would be longer than a record may be.
#[tokio::test]
async fn what_a_server_says_is_cut_whatever_it_was_asked() {
    let dump = json!({"code": "internal", "status": 500, "title": "no", "detail": "x".repeat(100_000)});
    let answers = json!({"answers": [{"move": "m1", "board": "b1", "result": {"problem": dump}}]});
    let server = Server::answering([(500, dump.clone()), (200, answers.clone()), (200, answers)]).await;
    let closing = server.boards.close(&server.at).await.expect_err("it was refused");
    let terms = StandbyTerms { ttl: Duration::from_mins(1), attach_rate_per_s: 250 };
    let prepared = server.boards.prepare(&server.at, &[item()], terms).await.expect("answers");
    let why = prepared[0].as_ref().expect_err("it was refused");
    let moves = [(MoveId::new("m1"), BoardId::new("b1"))];
    let end = server.boards.end(&server.at, &moves, EndOf::Release).await.expect_err("not yet");
    for said in [&closing.what, why, &end.what] {
        assert!((3_000..5_000).contains(&said.len()), "{} bytes", said.len());
    }
}

#[tokio::test]
async fn the_end_of_a_move_that_is_not_known_there_is_an_end() {
    let with = |code: &str| json!({"answers": [{"move": "m1", "board": "b1", "result": {"problem": problem(code, 409)}}]});
    let server = Server::answering([(200, with("unknown_board")), (200, with("still_working"))]).await;
    let moves = [(MoveId::new("m1"), BoardId::new("b1"))];
    assert_eq!(server.boards.end(&server.at, &moves, EndOf::Abort).await, Ok(()));
    let failed = server.boards.end(&server.at, &moves, EndOf::Release).await.expect_err("not yet");
    assert_eq!(failed.class, Class::Unknown, "{failed}");
    assert_eq!(server.asked()[0].body["moves"][0]["outcome"], "abort");
}

#[tokio::test]
async fn a_refusal_has_the_class_of_its_code() {
    let table = [
        (429, problem("overloaded", 429), Class::Retry),
        (409, problem("stale_generation", 409), Class::Refused),
        (409, problem("held", 409), Class::Refused),
        (503, problem("store_unavailable", 503), Class::Unknown),
        (401, problem("bad_signature", 401), Class::Bug),
        (502, json!("a gateway"), Class::Unknown),
        (404, json!("somebody else"), Class::Bug),
        (200, json!({"no": "status"}), Class::Bug),
    ];
    for (status, answer, class) in table {
        let server = Server::answering([(status, answer.clone())]).await;
        let failed = server.boards.status(&server.at).await.expect_err("a refusal");
        assert_eq!(failed.class, class, "{answer}: {failed}");
        assert!(failed.what.starts_with("status at i-a failed: "), "{failed}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_cut_off_or_absent_has_its_own_class() {
    let key = Key::new("0123456789abcdef").expect("long enough");
    let short = Duration::from_millis(100);
    let boards = ContractBoards::new(stub::client(), key, Arc::new(SystemClock))
        .with_timeouts(ControlTimeouts { ordinary: short, switch: short });
    let table = [
        (stub::silent().await, Class::Unknown),
        (stub::cutting().await, Class::Unknown),
        (stub::absent().await, Class::Retry),
    ];
    for (url, class) in table {
        let boards = boards.clone().with_port(url.port().expect("a port"));
        let failed = boards.close(&target("127.0.0.1")).await.expect_err("no answer");
        assert_eq!(failed.class, class, "{failed}");
    }
}

#[tokio::test]
async fn what_the_contract_does_not_allow_is_not_sent() {
    let server = Server::answering([]).await;
    let bad = MoveItem { board: BoardId::new("two words"), ..item() };
    let failed = server.boards.seal(&server.at, &bad, Duration::from_secs(1)).await.expect_err("no id");
    assert_eq!(failed.class, Class::Bug);
    let failed = server
        .boards
        .drain(&server.at, &EffectId::new("boards-12/out/handover/drain/i-1"), 0)
        .await
        .expect_err("no rate");
    assert_eq!(failed.class, Class::Bug);
    let nowhere = target("not an address");
    assert_eq!(server.boards.status(&nowhere).await.expect_err("no address").class, Class::Bug);
    assert!(server.asked().is_empty());
}
