//! What operates the daemon itself: readiness, metrics, the API's own description.

use axum::http::StatusCode;
use segue_api::{ComponentState, Readiness};
use segue_domain::event::{Event, ServiceEvent};
use segue_domain::ids::{Actor, ReleaseId, Version};
use segue_domain::plan::Kind;
use segue_domain::time::Timestamp;
use segue_engine::fakes::{Method, Nth, What};
use segue_engine::ports::Class;
use segue_journal::{Append, Fact, NewRecord, Owner, Store, Stream, StreamAppend, Via};

use crate::rig::{LEASE_TTL, Rig, go_on, scope};

#[tokio::test(start_paused = true)]
async fn a_daemon_is_alive_at_once_and_ready_when_the_lease_is_its_own() {
    let rig = Rig::begun();
    let other = rig.journal.acquire(&scope(), &Owner::new("another"), LEASE_TTL).await.expect("free");
    go_on(2).await;
    assert_eq!(rig.get("/healthz").await.status, StatusCode::OK);
    let waiting = rig.get("/readyz").await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    let readiness: Readiness = waiting.json();
    assert!(!readiness.ready);
    assert_eq!(readiness.components[0].name, "lease");
    assert_eq!(readiness.components[0].state, ComponentState::NotReady);
    let sentence = readiness.components[0].sentence.as_deref().expect("it says why");
    assert!(sentence.contains("another holds it") && sentence.contains("ready to take over"), "{sentence}");
    // What it cannot do it refuses; what it can read it tells.
    let refused = rig.post("/v1/releases", crate::rig::CANARY).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.body);
    assert!(
        refused.body.contains("not-served") && refused.body.contains("another holds"),
        "{}",
        refused.body
    );
    assert_eq!(rig.get("/v1/releases").await.status, StatusCode::OK);

    rig.journal.release(&other).await.expect("it was held");
    rig.server.ready().await;
    let ready = rig.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(ready.json::<Readiness>().ready);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_could_not_take_over_does_not_say_that_it_could() {
    let rig = Rig::begun();
    rig.journal.acquire(&scope(), &Owner::new("another"), LEASE_TTL).await.expect("free");
    go_on(2).await;
    rig.world.choke().add(Method::Acquire, Nth::Each, What::FailBefore(Class::Retry));
    go_on(2).await;
    let waiting = rig.get("/readyz").await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    let readiness: Readiness = waiting.json();
    let sentence = readiness.components[0].sentence.as_deref().expect("it says why");
    assert_eq!(
        sentence, "this daemon could not take over: the journal gives no lease; its log says more",
        "{readiness:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_journal_makes_no_sense_is_named_and_does_not_make_the_daemon_unready() {
    let rig = Rig::begun();
    let other = rig.journal.acquire(&scope(), &Owner::new("another"), LEASE_TTL).await.expect("free");
    let release = ReleaseId::parse("boards-1").expect("a name");
    let began = ServiceEvent::Began {
        release: release.clone(),
        kind: Kind::Canary,
        version: Version::new("2"),
        from_version: Version::new("1"),
        request: None,
    };
    // A release that begins in its middle.
    let append = Append {
        streams: vec![
            first(Stream::service(&release.service), began.into()),
            first(Stream::release(&release), Event::PointOfNoReturn.into()),
        ],
        outbox: Vec::new(),
    };
    rig.journal.append(&other, &append).await.expect("it is taken");
    rig.journal.release(&other).await.expect("it was held");
    rig.server.ready().await;

    let answer = rig.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::OK);
    let [lease, boards] = answer.json::<Readiness>().components.try_into().expect("the lease and a service");
    assert_eq!((lease.name.as_str(), lease.state), ("lease", ComponentState::Ready));
    assert_eq!((boards.name.as_str(), boards.state), ("service boards", ComponentState::NotReady));
    assert!(boards.sentence.is_some());
    let numbers = rig.get("/metrics").await.body;
    for line in ["segue_ready 1", "segue_service_ready{service=\"boards\"} 0"] {
        assert!(numbers.contains(line), "{line} in\n{numbers}");
    }
}

fn first(stream: Stream, fact: Fact) -> StreamAppend {
    let record = NewRecord {
        at: Timestamp::from_ms(1),
        actor: Actor::new("segue"),
        via: Via::Engine,
        reason: None,
        fact,
    };
    StreamAppend { stream, expected_seq: 0, records: vec![record] }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_goes_on_with_what_the_one_before_it_began() {
    let rig = Rig::ready().await;
    rig.canary().await;
    go_on(3).await;
    let Rig { world, journal, server } = rig;
    drop(server);
    let rig = Rig::on(world, journal);
    rig.server.ready().await;
    let view = rig.until_closed("boards-1").await;
    assert_eq!(view.verdict, Some(segue_api::Verdict::Passed), "{view:?}");
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_the_daemon_are_told_as_open_metrics() {
    let rig = Rig::ready().await;
    rig.canary().await;
    go_on(8).await;
    let mut running = rig.get("/metrics").await;
    // It waits for something before it is over.
    for _ in 0..60 {
        if running.body.contains("segue_release_waiting_seconds{") {
            break;
        }
        go_on(1).await;
        running = rig.get("/metrics").await;
    }
    assert!(running.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "segue_ready 1",
        "segue_service_ready{service=\"boards\"} 1",
        "segue_release_state{service=\"boards\",release=\"boards-1\",kind=\"canary\",state=\"running\"} 1",
        "segue_calls_total{port=\"cloud\",method=\"launch\",result=\"done\"} 1",
        "segue_call_seconds_total{port=\"cloud\",method=\"launch\"} ",
        "segue_journal_appends_total{kind=\"planned\"} 1",
        "segue_effects_total{verb=\"launch\",outcome=\"done\"} 1",
        "segue_http_answers_total{route=\"/v1/releases\",method=\"POST\",status=\"202\"} 1",
        "segue_resident_memory_bytes ",
        "segue_release_waiting_seconds{service=\"boards\",release=\"boards-1\",on=",
    ] {
        assert!(running.body.contains(line), "{line} in\n{}", running.body);
    }
    rig.until_closed("boards-1").await;
    let over = rig.get("/metrics").await.body;
    assert!(!over.contains("segue_release_state{"), "a release that is over has no state any more\n{over}");
    assert!(over.contains("segue_journal_appends_total{kind=\"closed\"} 1"), "{over}");
}

/// The description that is checked in. To take a change over, copy the file that the failure names.
#[tokio::test(start_paused = true)]
async fn the_description_of_the_api_is_the_one_that_is_checked_in() {
    let rig = Rig::ready().await;
    let served: serde_json::Value = rig.get("/v1/openapi.json").await.json();
    let mut now = serde_json::to_string_pretty(&served).expect("JSON");
    now.push('\n');
    let checked_in = include_str!("../../../../docs/openapi.json");
    if now != checked_in {
        let fresh = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
        std::fs::write(&fresh, &now).expect("written");
        panic!("docs/openapi.json is not what the daemon serves: look at {} and copy it", fresh.display());
    }
}
