//! Commands against a daemon that answers what a test wants, and against none.

use std::process::{Command, Output};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};

const SEGUE: &str = env!("CARGO_BIN_EXE_segue");

/// One run of the program; the daemon's address first.
async fn segue(daemon: &str, args: &'static [&'static str]) -> Output {
    let daemon = daemon.to_owned();
    let run = move || Command::new(SEGUE).args(["--daemon", &daemon]).args(args).output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn daemon(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn release(state: &str, verdict: Option<&str>) -> serde_json::Value {
    let mut view = serde_json::json!({
        "id": "boards-7", "service": "boards", "kind": "canary", "version": "2", "from_version": "1",
        "state": state, "direction": "forward",
        "steps": [
            {"name": "resolve", "state": "done", "outcome": "found_done", "seconds": 0,
             "started_at": "2026-11-21T23:00:00.000Z", "ended_at": "2026-11-21T23:00:00.100Z"},
            {"name": "observe", "state": "running", "started_at": "2026-11-21T23:00:01.000Z", "seconds": 4,
             "waiting": {"on": "the bake: 6 boards, 5 wanted", "on_kind": "bake",
                         "since": "2026-11-21T23:00:01.000Z", "until": "2026-11-21T23:00:11.000Z",
                         "then": "it goes on"}},
            {"name": "announce", "state": "pending"}
        ],
        "way_back": [], "checks": [], "actor": "ann", "created_at": "2026-11-21T22:59:59.000Z",
        "boards": {"moved": 0, "failed": 0,
                   "on_blue": {"state": "known", "count": 180, "age_ms": 300},
                   "on_green": {"state": "unknown", "why": "no sample"}}
    });
    if let Some(verdict) = verdict {
        view["verdict"] = verdict.into();
    }
    view
}

/// A daemon that knows one release, in one state.
async fn daemon_with(view: serde_json::Value) -> String {
    let one = move || {
        let view = view.clone();
        async move { ([(header::ETAG, "\"1\"")], axum::Json(view)) }
    };
    let accepted = one.clone();
    daemon(
        Router::new()
            .route("/v1/releases/boards-7", get(one))
            .route("/v1/releases", post(move || async move { (StatusCode::ACCEPTED, accepted().await) })),
    )
    .await
}

#[tokio::test]
async fn status_shows_each_step_with_what_it_waits_on_since_when_and_until_when() {
    let daemon = daemon_with(release("running", None)).await;
    let shown = segue(&daemon, &["status", "boards-7"]).await;
    assert!(shown.status.success());
    insta::assert_snapshot!(stdout(&shown));
}

#[tokio::test]
async fn status_shows_what_is_waited_for_after_the_last_step() {
    let mut view = release("running", None);
    view["waiting"] = view["steps"][1]["waiting"].take();
    view["waiting"]["on"] = "calls whose end nobody saw".into();
    view["steps"][1]["state"] = "done".into();
    view["steps"][2]["state"] = "done".into();
    let daemon = daemon_with(view).await;
    let shown = stdout(&segue(&daemon, &["status", "boards-7"]).await);
    assert!(
        shown.contains("\n  waits: calls whose end nobody saw\n  since 23:00:01Z, until 23:00:11Z"),
        "{shown}"
    );
}

/// A daemon that names who asked, as the journal would.
async fn daemon_that_believes() -> String {
    let asked = |headers: HeaderMap| async move {
        let mut view = release("running", None);
        view["actor"] = headers["segue-actor"].to_str().unwrap().into();
        view["reason"] = "the fix".into();
        (StatusCode::ACCEPTED, axum::Json(view))
    };
    daemon(Router::new().route("/v1/releases", post(asked)).route("/v1/releases/boards-7/pause", post(asked)))
        .await
}

#[tokio::test]
async fn a_request_and_a_word_carry_who_asks() {
    let daemon = daemon_that_believes().await;
    for args in [
        &["--output", "json", "canary", "boards", "--version", "2", "--actor", "ci run 7"][..],
        &["--output", "json", "pause", "boards-7", "--actor", "ci run 7"],
    ] {
        let asked = segue(&daemon, args).await;
        let view = json(&asked);
        assert_eq!(view["actor"], "ci run 7");
    }
    let unfit = segue(&daemon, &["pause", "boards-7", "--actor", " "]).await;
    assert!(stderr(&unfit).contains("1 to 64 visible"), "{}", stderr(&unfit));
}

#[tokio::test]
async fn whoever_is_logged_in_asks_unless_somebody_is_named() {
    let daemon = daemon_that_believes().await;
    let run = move || {
        let mut segue = Command::new(SEGUE);
        segue.env("USER", "ada").env_remove("SEGUE_ACTOR");
        segue.args(["--daemon", &daemon, "--output", "json", "pause", "boards-7"]).output().unwrap()
    };
    let asked = tokio::task::spawn_blocking(run).await.unwrap();
    let view = json(&asked);
    assert_eq!(view["actor"], "ada");
}

#[tokio::test]
async fn the_history_says_who_asked_and_why() {
    let mut asked = release("closed", Some("passed"));
    asked["reason"] = "the fix for Tuesday".into();
    let releases = serde_json::json!({ "releases": [asked] });
    let routes = Router::new().route("/v1/releases", get(move || async move { axum::Json(releases) }));
    let shown = stdout(&segue(&daemon(routes).await, &["history"]).await);
    assert_eq!(
        shown,
        "2026-11-21T22:59:59.000Z  boards-7  canary 2 after 1  passed  by ann: the fix for Tuesday\n"
    );
}

#[tokio::test]
async fn watching_a_release_that_is_over_ends_with_its_exit_code() {
    for (state, verdict, code) in [
        ("closed", Some("passed"), 0),
        ("closed", Some("released"), 0),
        ("closed", Some("refused"), 2),
        ("closed", Some("rolled_back"), 3),
        ("closed", Some("aborted"), 4),
        ("held", None, 5),
        ("asking", None, 5),
    ] {
        let daemon = daemon_with(release(state, verdict)).await;
        let watched = segue(&daemon, &["status", "boards-7", "--watch"]).await;
        assert_eq!(watched.status.code(), Some(code), "{state} {verdict:?}");
        let waited = segue(&daemon, &["canary", "boards", "--version", "2", "--wait"]).await;
        assert_eq!(waited.status.code(), Some(code), "{state} {verdict:?}");
    }
}

#[tokio::test]
async fn a_release_held_on_its_way_back_has_a_code_of_its_own() {
    let mut view = release("held", None);
    view["direction"] = "back".into();
    let daemon = daemon_with(view).await;
    assert_eq!(segue(&daemon, &["status", "boards-7", "--watch"]).await.status.code(), Some(6));
}

#[tokio::test]
async fn a_timeout_leaves_the_release_alone_and_says_so() {
    let daemon = daemon_with(release("running", None)).await;
    let args = &["canary", "boards", "--version", "2", "--wait", "--timeout", "1s"];
    let waited = segue(&daemon, args).await;
    assert_eq!(waited.status.code(), Some(124));
    assert!(stderr(&waited).contains("boards-7 goes on"), "{}", stderr(&waited));
}

#[tokio::test]
async fn a_refusal_is_a_sentence_a_code_and_a_hint() {
    let refuse = || async {
        let problem = serde_json::json!({
            "type": "about:blank", "title": "no such version", "status": 422,
            "detail": "no image of this service carries version 9; the newest are 2, 1",
            "code": "version-unknown", "hint": "check the AMI's releaseVersion tag"
        });
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            [(header::CONTENT_TYPE, "application/problem+json")],
            problem.to_string(),
        )
            .into_response()
    };
    let daemon = daemon(Router::new().route("/v1/releases", post(refuse))).await;
    let refused = segue(&daemon, &["canary", "boards", "--version", "9"]).await;
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&refused));
}

#[tokio::test]
async fn an_adoption_that_nobody_can_confirm_shows_its_plan_and_is_refused_with_a_code() {
    let plan = || async {
        axum::Json(serde_json::json!({
            "format": 1, "digest": "5f1c", "facts": {}, "service": "boards", "tagged": [],
            "servers": [{"instance": "i-1", "image": "ami-1", "version": "1", "known_by": "image",
                         "unread": "no answer: refused", "groups": ["a"], "tags": {"segue:version": "1"}}]
        }))
    };
    let daemon = daemon(Router::new().route("/v1/services/boards/adoption", get(plan))).await;
    let refused = segue(&daemon, &["adopt", "boards"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(stdout(&refused).contains("its application could not be asked: no answer: refused"));
    assert_eq!(
        stderr(&refused),
        "refused (not-confirmed): nobody is there to say yes, and nothing was changed\n\
         hint: --yes takes them in without asking\n"
    );
    let data = segue(&daemon, &["adopt", "boards", "--output", "json"]).await;
    let data: serde_json::Value = serde_json::from_slice(&data.stdout).unwrap();
    assert_eq!(data["servers"][0]["unread"], "no answer: refused");
}

#[tokio::test]
async fn a_failure_of_the_daemon_is_not_called_a_refusal() {
    let fail = || async {
        let problem = serde_json::json!({
            "type": "/errors/internal", "title": "internal", "status": 500, "code": "internal",
            "detail": "the daemon could not do it; its log says why"
        });
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        (StatusCode::INTERNAL_SERVER_ERROR, headers, problem.to_string()).into_response()
    };
    let daemon = daemon(Router::new().route("/v1/services", get(fail))).await;
    let failed = segue(&daemon, &["status"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).starts_with("error (internal): the daemon"), "{}", stderr(&failed));
}

#[tokio::test]
async fn without_a_daemon_it_is_said_how_to_start_one() {
    // Bound and dropped: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = segue(&format!("http://{free}"), &["status"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("segue serve --config FILE"), "{}", stderr(&output));
    assert!(stderr(&output).contains("Connection refused"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_password_in_the_daemons_address_is_not_printed() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = segue(&format!("http://ann:hunter2@{free}"), &["status"]).await;
    assert!(stderr(&output).contains(&free.to_string()), "{}", stderr(&output));
    assert!(!stderr(&output).contains("hunter2") && !stderr(&output).contains("ann"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_configuration_with_several_mistakes_starts_nothing_and_tells_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segue.toml");
    std::fs::write(&file, "[daemon]\nlisten = \"nowhere\"\njurnal = \"x\"\n[prometheus]\nurl = 3\n").unwrap();
    let run = move || Command::new(SEGUE).args(["serve", "--config"]).arg(&file).output().unwrap();
    let refused = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let text = stderr(&refused);
    for word in ["listen", "jurnal", "url", "hint"] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}
