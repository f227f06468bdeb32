//! What bad requests get: a problem document with a stable code, a sentence and a hint; nothing changed.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::Method;

use segue_api::{ReleaseView, Verdict};
use segue_engine::fakes::{Method as Call, Nth, What};
use segue_engine::ports::Class;

use crate::rig::{CANARY, FULL, JSON, Rig, request};

struct Case<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

fn post<'a>(path: &'a str, body: &'a str) -> Case<'a> {
    Case { method: Method::POST, path, headers: &[JSON], body }
}

fn get(path: &str) -> Case<'_> {
    Case { method: Method::GET, path, headers: &[], body: "" }
}

/// Each request with its answer, as one text.
async fn told(rig: &Rig, cases: &[Case<'_>]) -> String {
    let mut text = String::new();
    for Case { method, path, headers, body } in cases {
        let answer = rig.ask(request(method.clone(), path, headers, body)).await;
        let shown: String = body.chars().take(100).collect();
        let problem: serde_json::Value = answer.json();
        let problem = serde_json::to_string_pretty(&problem).expect("JSON");
        writeln!(text, "{method} {path} {shown}").expect("a string takes it");
        writeln!(text, "{} {}\n{problem}\n", answer.status, answer.header("content-type"))
            .expect("a string takes it");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_request_for_a_release_that_cannot_be_is_refused_with_a_reason() {
    let rig = Rig::ready().await;
    let cases = [
        post("/v1/releases", r#"{"service":"bords","kind":"full"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"full","version":"77"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"full","version":"1"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"rollback"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"canary","to":"1"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"rollback","version":"1"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"full","version":" "}"#),
        post(
            "/v1/releases",
            r#"{"service":"boards","kind":"full","overrides":[{"check":"slots","reason":""}]}"#,
        ),
        post(
            "/v1/releases",
            r#"{"service":"boards","kind":"full","overrides":[{"check":"canray","reason":"hot fix"}]}"#,
        ),
    ];
    insta::assert_snapshot!(told(&rig, &cases).await);
    let history: segue_api::History = rig.get("/v1/releases").await.json();
    assert!(history.releases.is_empty(), "nothing was changed");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_may_have_begun_is_not_said_to_have_been_refused() {
    let rig = Rig::ready().await;
    let choke = rig.world.choke();
    choke.add(Call::Append, Nth::Each, What::FailAfter);
    choke.add(Call::Page, Nth::Each, What::FailBefore(Class::Retry));
    let answer = rig.post("/v1/releases", CANARY).await;
    let problem: segue_api::Problem = answer.json();
    assert_eq!((problem.status, problem.code.as_str()), (504, "outcome-unknown"), "{problem:?}");
    let hint = problem.hint.expect("it says what to do");
    assert!(hint.contains("look what there is"), "{hint}");
}

#[tokio::test(start_paused = true)]
async fn a_second_release_and_a_word_at_the_wrong_time_are_refused() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let early = [
        post("/v1/releases", FULL),
        post("/v1/releases/boards-1/resume", ""),
        post("/v1/releases/boards-1/retry", ""),
        post("/v1/releases/boards-9/abort", ""),
        post("/v1/releases/rooms-1/abort", ""),
        get("/v1/releases/boards-9"),
        get("/v1/releases/boards-9/events"),
        get("/v1/releases?service=rooms"),
        get("/v1/services/rooms"),
    ];
    let mut text = told(&rig, &early).await;
    rig.post("/v1/releases/boards-1/abort", "").await;
    rig.until_closed("boards-1").await;
    text.push_str(&told(&rig, &[post("/v1/releases/boards-1/abort", "")]).await);
    insta::assert_snapshot!(text);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_none_is_told_what_is_wrong_with_it() {
    let rig = Rig::ready().await;
    let long = format!("{{\"service\":\"{}\"}}", "b".repeat(300_000));
    let key = [JSON, ("idempotency-key", "two words")];
    let actor = [JSON, ("segue-actor", " ")];
    let foreign = [JSON, ("origin", "http://elsewhere.example"), ("host", "127.0.0.1:7788")];
    let with = |headers, body| Case { method: Method::POST, path: "/v1/releases", headers, body };
    let cases = [
        post("/v1/releases", "{"),
        post("/v1/releases", r#"{"service":"boards","kind":"full","verison":"2"}"#),
        post("/v1/releases", r#"{"service":"boards","kind":"rolling"}"#),
        post("/v1/releases", &long),
        with(&[], CANARY),
        with(&key, CANARY),
        with(&actor, CANARY),
        with(&foreign, CANARY),
        post("/v1/releases/boards-1/destroy", ""),
        get("/v1/releases/Boards"),
        get("/v1/releases/boards-1?wait=2m"),
        get("/v1/releases?limit=0"),
        get("/v1/releases?limt=3"),
        get("/v1/events?after=yesterday"),
        get("/v2/releases"),
        Case { method: Method::DELETE, path: "/v1/releases", headers: &[], body: "" },
    ];
    insta::assert_snapshot!(told(&rig, &cases).await);
}

#[tokio::test(start_paused = true)]
async fn a_path_that_is_no_text_is_refused_as_a_problem_too() {
    let rig = Rig::ready().await;
    for (method, path, code) in [
        (Method::GET, "/v1/services/%ff", "service-unknown"),
        (Method::GET, "/v1/releases/%ff", "release-id-invalid"),
        (Method::POST, "/v1/releases/boards-1/%ff", "release-id-invalid"),
    ] {
        let answer = rig.ask(request(method, path, &[], "")).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.body);
        assert_eq!(answer.json::<segue_api::Problem>().code, code, "{path}");
    }
}

/// A site's own name may be made to lead to this machine; reading is refused as well as changing.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_the_daemons_own_is_refused_on_every_route() {
    let rig = Rig::ready().await;
    for path in ["/v1/releases", "/v1/events", "/v1/openapi.json", "/healthz", "/metrics", "/elsewhere"] {
        let foreign = [("host", "elsewhere.example:7788"), ("origin", "http://elsewhere.example:7788")];
        let refused = rig.ask(request(Method::GET, path, &foreign, "")).await;
        assert_eq!(refused.status.as_u16(), 421, "{path}: {}", refused.body);
        assert!(refused.body.contains("\"code\":\"host-unknown\""), "{}", refused.body);
    }
    for host in ["127.0.0.1:7788", "[::1]", "localhost:7788", "segue.internal"] {
        let answer = rig.ask(request(Method::GET, "/healthz", &[("host", host)], "")).await;
        assert_eq!(answer.status.as_u16(), 200, "{host}: {}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_this_daemon_may_do_what_another_sites_may_not() {
    let rig = Rig::ready().await;
    let own = [JSON, ("origin", "http://127.0.0.1:7788"), ("host", "127.0.0.1:7788")];
    let answer = rig.ask(request(Method::POST, "/v1/releases", &own, CANARY)).await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
}

/// The code, the sentence and the hint of a problem.
async fn problem(rig: &Rig, case: Case<'_>) -> (u16, String) {
    let Case { method, path, headers, body } = case;
    let answer = rig.ask(request(method, path, headers, body)).await;
    let problem: serde_json::Value = answer.json();
    let text = |key: &str| problem.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    assert!(text("detail").is_some() && text("hint").is_some(), "{}", answer.body);
    (answer.status.as_u16(), text("code").unwrap_or_default())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_served_now_is_refused_and_begins_nothing() {
    let rig = Rig::ready().await;
    rig.world.choke().add(Call::Images, Nth::Each, What::FailBefore(Class::Retry));
    assert_eq!(problem(&rig, post("/v1/releases", FULL)).await, is(503, "cannot-see"));
    rig.world.choke().heal(Call::Images);
    let other = Rig::on(rig.world.clone(), std::sync::Arc::clone(&rig.journal));
    rig.world.choke().add(Call::Acquire, Nth::Each, What::FailBefore(Class::Retry));
    assert_eq!(problem(&other, post("/v1/releases", FULL)).await, is(503, "not-served"));
    let history: segue_api::History = rig.get("/v1/releases").await.json();
    assert!(history.releases.is_empty(), "nothing was changed");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_away_slow_or_broken_is_said_to_be_so() {
    let rig = Rig::ready().await;
    rig.canary().await;
    rig.until_closed("boards-1").await;
    for (what, expected) in [
        (What::FailBefore(Class::Retry), is(503, "journal-away")),
        (What::FailBefore(Class::Bug), is(500, "internal")),
        (What::Late(Duration::from_hours(1)), is(504, "timed-out")),
    ] {
        rig.world.choke().add(Call::Page, Nth::Each, what);
        assert_eq!(problem(&rig, get("/v1/releases/boards-1")).await, expected);
        rig.world.choke().heal(Call::Page);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_preflight_refused_or_a_step_turned_back_says_so() {
    let rig = Rig::ready().await;
    rig.world.forget_series();
    let view: ReleaseView = rig.post("/v1/releases", FULL).await.json();
    let view = rig.until_closed(&view.id.to_string()).await;
    assert_eq!(view.verdict, Some(Verdict::Refused), "{view:?}");
    assert_eq!(view.because.map(|it| it.code).as_deref(), Some("checks-failed"));
    rig.world.scrape_again();
    rig.world.choke().add(Call::Register, Nth::Each, What::Refuse("forbidden".to_owned()));
    let view: ReleaseView = rig.post("/v1/releases", FULL).await.json();
    let view = rig.until_closed(&view.id.to_string()).await;
    assert_eq!(view.verdict, Some(Verdict::RolledBack), "{view:?}");
    assert_eq!(view.because.map(|it| it.code).as_deref(), Some("step-failed"));
}
