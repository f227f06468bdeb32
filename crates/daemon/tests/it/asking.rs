//! Asking for a release, and what one looks like.

use axum::http::{Method, StatusCode};
use segue_api::{
    Direction, FleetRole, Health, History, ReleaseKind, ReleaseState, ReleaseView, ServiceList, StepState,
    Verdict,
};
use segue_engine::fakes::{self, Nth, What};

use crate::rig::{CANARY, FULL, JSON, Rig, go_on, request};

#[tokio::test(start_paused = true)]
async fn a_release_is_accepted_and_found_where_it_is_said_to_be() {
    let rig = Rig::ready().await;
    let headers = [JSON, ("segue-actor", "ada"), ("user-agent", "segue/0.1.0")];
    let body = r#"{"service":"boards","kind":"canary","version":"2","reason":"Tuesday"}"#;
    let accepted = rig.ask(request(Method::POST, "/v1/releases", &headers, body)).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    assert_eq!(accepted.header("location"), "/v1/releases/boards-1");

    let found = rig.get(accepted.header("location")).await;
    assert!(found.header("etag").starts_with('"'));
    let view: ReleaseView = found.json();
    assert_eq!(view.id.to_string(), "boards-1");
    assert_eq!((view.kind, view.version.as_str()), (ReleaseKind::Canary, "2"));
    assert_eq!(view.from_version.as_deref(), Some("1"));
    assert_eq!((view.actor.as_str(), view.reason.as_deref()), ("ada", Some("Tuesday")));
    assert_eq!((view.state, view.direction), (ReleaseState::Running, Direction::Forward));
    let names: Vec<_> = view.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        ["resolve", "preflight", "launch", "configure", "warm", "admit", "observe", "announce"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_key_and_body_give_the_same_release_and_another_body_is_refused() {
    let rig = Rig::ready().await;
    let headers = [JSON, ("idempotency-key", "run-8812")];
    let ask = |body: &'static str| rig.ask(request(Method::POST, "/v1/releases", &headers, body));
    let first: ReleaseView = ask(CANARY).await.json();
    // Another order of the fields asks for the same.
    let again = ask(r#"{ "kind": "canary", "version": "2", "service": "boards" }"#).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.json::<ReleaseView>().id, first.id);

    let other = ask(FULL).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(other.body.contains("\"code\":\"key-reused\""), "{}", other.body);
    assert_eq!(rig.get("/v1/releases").await.json::<History>().releases.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_canary_and_a_full_release_are_told_to_their_ends() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let canary = rig.until_closed("boards-1").await;
    assert_eq!(canary.verdict, Some(Verdict::Passed), "{canary:?}");
    assert!(canary.steps.iter().all(|step| step.state == StepState::Done && step.seconds.is_some()));

    rig.post("/v1/releases", FULL).await;
    let full = rig.until_closed("boards-2").await;
    assert_eq!(full.verdict, Some(Verdict::Released), "{full:?}");
    assert!(full.boards.moved >= 1 && full.boards.alive_at_close.is_some(), "{:?}", full.boards);
    assert!(full.because.is_none() && full.way_back.is_empty());

    let history: History = rig.get("/v1/releases?service=boards&limit=1").await.json();
    let newest: Vec<_> = history.releases.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(newest, ["boards-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_running_step_says_on_what_it_waits_until_when_and_what_then() {
    let rig = Rig::ready().await;
    rig.canary().await;
    for _ in 0..60 {
        go_on(1).await;
        let view = rig.release("boards-1").await;
        let Some(waiting) = view.current_step().and_then(|step| step.waiting.as_ref()) else { continue };
        assert!(!waiting.on.is_empty() && !waiting.on_kind.is_empty() && !waiting.then.is_empty());
        let ends = waiting.until.is_some_and(|until| until > waiting.since);
        assert!(ends || waiting.then.contains("only a person ends"), "{waiting:?}");
        return;
    }
    panic!("it never waited");
}

/// The answer to a stop is lost: the release does not end before that call can land no more.
#[tokio::test(start_paused = true)]
async fn a_release_says_on_what_it_waits_after_its_last_step() {
    let rig = Rig::ready().await;
    rig.world.choke().add(fakes::Method::Stop, Nth::Only(1), What::FailAfter);
    rig.post("/v1/releases", FULL).await;
    for _ in 0..300 {
        go_on(1).await;
        let view = rig.release("boards-1").await;
        let Some(waiting) = &view.waiting else { continue };
        assert!(view.steps.iter().all(|step| step.state == StepState::Done), "{view:?}");
        assert_eq!(waiting.on, "calls whose end nobody saw");
        assert_eq!(rig.until_closed("boards-1").await.waiting, None);
        return;
    }
    panic!("it never waited after its last step: {:?}", rig.release("boards-1").await);
}

#[tokio::test(start_paused = true)]
async fn an_abort_is_gone_back_and_says_who_wanted_it() {
    let rig = Rig::ready().await;
    rig.canary().await;
    go_on(5).await;
    let headers = [JSON, ("segue-actor", "ada")];
    let aborted = rig
        .ask(request(Method::POST, "/v1/releases/boards-1/abort", &headers, r#"{"reason":"wrong day"}"#))
        .await;
    assert_eq!(aborted.status, StatusCode::OK, "{}", aborted.body);
    let view: ReleaseView = aborted.json();
    assert_eq!(view.direction, Direction::Back);
    assert_eq!(view.because.as_ref().map(|it| it.code.as_str()), Some("aborted"));

    let view = rig.until_closed("boards-1").await;
    assert_eq!(view.verdict, Some(Verdict::Aborted));
    assert!(view.because.is_some_and(|it| it.sentence.contains("ada")));
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_fails_says_which_step_failed_why_and_how_it_went_back() {
    let rig = Rig::ready().await;
    rig.world.errors_per_s("2", 50);
    rig.canary().await;
    let view = rig.until_closed("boards-1").await;
    assert_eq!(view.verdict, Some(Verdict::RolledBack), "{view:?}");
    assert_eq!(view.because.as_ref().map(|it| it.code.as_str()), Some("canary-failed"));
    let failed: Vec<_> = view.steps.iter().filter(|step| step.state == StepState::Failed).collect();
    assert_eq!(failed.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["observe"]);
    assert!(failed.iter().all(|step| step.started_at.is_some() && step.ended_at.is_none()));
    assert!(!view.way_back.is_empty());
    assert!(view.way_back.iter().all(|step| step.state == StepState::Done), "{:?}", view.way_back);
    let announce = view.steps.last().expect("steps");
    assert_eq!((announce.name.as_str(), announce.state), ("announce", StepState::Pending));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_held_says_why_and_what_to_do() {
    let rig = Rig::ready().await;
    rig.canary().await;
    rig.world.stop_scraping();
    for _ in 0..600 {
        go_on(1).await;
        let view = rig.release("boards-1").await;
        if view.state == ReleaseState::Held {
            let because = view.because.expect("a held release says why");
            assert_eq!(because.code, "blind", "{because:?}");
            assert!(because.hint.is_some_and(|hint| hint.contains("segue retry")));
            assert!(matches!(view.boards.on_blue, segue_api::Count::Unknown { .. }), "{:?}", view.boards);
            return;
        }
    }
    panic!("it was never held");
}

#[tokio::test(start_paused = true)]
async fn a_verb_needs_no_body() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let paused = rig.ask(request(Method::POST, "/v1/releases/boards-1/pause", &[], "")).await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.body);
    assert_eq!(paused.json::<ReleaseView>().state, ReleaseState::Paused);
    let resumed = rig.post("/v1/releases/boards-1/resume", "{}").await;
    assert_eq!(resumed.json::<ReleaseView>().state, ReleaseState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_service_shows_its_fleets_as_they_are() {
    let rig = Rig::ready().await;
    go_on(10).await;
    let list: ServiceList = rig.get("/v1/services").await.json();
    let boards = list.services.first().expect("one is configured");
    assert_eq!(boards.version.as_deref(), Some("1"));
    assert!(boards.active.is_empty() && boards.unknown.is_none());
    let [blue] = boards.fleets.as_slice() else { panic!("one fleet: {:?}", boards.fleets) };
    assert_eq!((blue.role, blue.colour.as_deref()), (FleetRole::Blue, Some("a")));
    assert_eq!(blue.instances.len(), 3);
    for instance in &blue.instances {
        assert!(instance.health == Health::Healthy && instance.slot.is_some(), "{instance:?}");
    }
    assert!(matches!(blue.boards, segue_api::Count::Known { count, .. } if count >= 20), "{:?}", blue.boards);

    rig.canary().await;
    let boards: segue_api::ServiceView = rig.get("/v1/services/boards").await.json();
    assert_eq!(boards.active.iter().map(ToString::to_string).collect::<Vec<_>>(), ["boards-1"]);
}
