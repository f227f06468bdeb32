//! Following a release: long polls and streams of events.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use segue_api::{Count, EventView, ReleaseView};
use segue_domain::event::Event;
use segue_domain::ids::{Actor, ReleaseId};
use segue_domain::time::Timestamp;
use segue_journal::{Append, NewRecord, Owner, Store, Stream, StreamAppend, Via};
use tokio::time::Instant;

use crate::answer::Answer;
use crate::rig::{JSON, LEASE_TTL, Rig, go_on, request, scope};

async fn poll(rig: &Rig, etag: &str, wait: &str) -> Answer {
    let path = format!("/v1/releases/boards-1?wait={wait}");
    rig.ask(request(Method::GET, &path, &[("if-none-match", etag)], "")).await
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_comes_back_when_the_release_changes() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let etag = rig.get("/v1/releases/boards-1").await.header("etag").to_owned();
    let asked_at = Instant::now();
    let changed = poll(&rig, &etag, "60s").await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.header("etag"), etag);
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_for_nothing_ends_after_its_time_with_the_same_tag() {
    let rig = Rig::ready().await;
    rig.canary().await;
    rig.post("/v1/releases/boards-1/abort", "").await;
    rig.until_closed("boards-1").await;
    let etag = rig.get("/v1/releases/boards-1").await.header("etag").to_owned();
    let asked_at = Instant::now();
    let unchanged = poll(&rig, &etag, "20s").await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(unchanged.header("etag"), etag);
    let took = asked_at.elapsed();
    assert!(took >= Duration::from_secs(20) && took < Duration::from_secs(26), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn time_that_passes_is_no_change() {
    let rig = Rig::ready().await;
    rig.world.calm_users();
    rig.canary().await;
    rig.post("/v1/releases/boards-1/pause", "").await;
    go_on(30).await;
    let before = rig.get("/v1/releases/boards-1").await;
    go_on(7).await;
    let after = rig.get("/v1/releases/boards-1").await;
    assert_ne!(before.body, after.body, "the seconds of the running step go on");
    assert_eq!(before.header("etag"), after.header("etag"));

    // Neither is a metric that grows older and older, once it is too old.
    rig.world.stop_scraping();
    go_on(30).await;
    let before = rig.get("/v1/releases/boards-1").await;
    assert!(matches!(before.json::<ReleaseView>().boards.on_blue, Count::Unknown { .. }), "{}", before.body);
    go_on(7).await;
    let after = rig.get("/v1/releases/boards-1").await;
    assert_eq!(before.header("etag"), after.header("etag"), "{}\n{}", before.body, after.body);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stops_ends_its_long_polls() {
    let rig = Rig::ready().await;
    rig.canary().await;
    rig.post("/v1/releases/boards-1/abort", "").await;
    rig.until_closed("boards-1").await;
    let etag = rig.get("/v1/releases/boards-1").await.header("etag").to_owned();
    let asked_at = Instant::now();
    let (answer, ()) = tokio::join!(poll(&rig, &etag, "60s"), async {
        go_on(1).await;
        rig.server.hush();
    });
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert!(asked_at.elapsed() < Duration::from_secs(5));
}

/// The events of a stream, until there are `count` of them.
async fn events(response: Response<Body>, count: usize) -> Vec<EventView> {
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut text = String::new();
    let mut events = Vec::new();
    while events.len() < count {
        let frame = body.frame().await.expect("the stream goes on").expect("it can be read");
        let Ok(bytes) = frame.into_data() else { continue };
        text.push_str(std::str::from_utf8(&bytes).expect("text"));
        while let Some((event, rest)) = text.split_once("\n\n") {
            if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) {
                let view: EventView = serde_json::from_str(data).expect("an event");
                assert!(event.contains(&format!("id: {}", view.id)), "{event}");
                assert!(event.contains(&format!("event: {}", view.kind)), "{event}");
                events.push(view);
            }
            text = rest.to_owned();
        }
    }
    events
}

async fn stream(rig: &Rig, path: &str, after: Option<&str>) -> Response<Body> {
    let headers: Vec<_> = after.map(|id| ("last-event-id", id)).into_iter().collect();
    rig.send(request(Method::GET, path, &headers, "")).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_a_release_from_its_beginning_and_goes_on_live() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let response = stream(&rig, "/v1/releases/boards-1/events", None).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let told = events(response, 12).await;
    assert_eq!(told[0].kind, "planned");
    let places: Vec<u64> = told.iter().take(12).map(|event| event.seq).collect();
    assert_eq!(places, (1..=12).collect::<Vec<_>>(), "none missing, none twice");
    assert!(told.iter().all(|event| !event.sentence.is_empty() && event.service == "boards"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_after_the_last_event_that_its_reader_has() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let path = "/v1/releases/boards-1/events";
    let told = events(stream(&rig, path, None).await, 5).await;
    let resumed = events(stream(&rig, path, Some(&told[3].id)).await, 3).await;
    assert_eq!(resumed[0].seq, 5);
    assert_eq!(resumed[0], told[4]);

    // By the query too, and in a new daemon: the journal remembers.
    let Rig { world, journal, server } = rig;
    server.stop().await;
    let rig = Rig::on(world, journal);
    let path = format!("{path}?after={}", told[3].id);
    assert_eq!(events(stream(&rig, &path, None).await, 1).await[0], told[4]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_everything_begins_now_and_resumes_where_it_was() {
    let rig = Rig::ready().await;
    let response = stream(&rig, "/v1/events", None).await;
    rig.canary().await;
    let told = events(response, 6).await;
    let kinds: Vec<_> = told.iter().take(3).map(|event| event.kind.as_str()).collect();
    assert!(kinds.contains(&"planned") && kinds.contains(&"release-began"), "{kinds:?}");

    for (place, event) in told.iter().enumerate().take(4) {
        // What another stream had in the same millisecond may come again; nothing may be missing.
        let resumed = events(stream(&rig, "/v1/events", Some(&event.id)).await, 8).await;
        for missed in told.iter().skip(place + 1) {
            assert!(resumed.contains(missed), "{} after {}", missed.id, event.id);
        }
    }
}

/// Who reads everything goes on from the last event that came: what is told late is never told to them.
#[tokio::test(start_paused = true)]
async fn nothing_is_told_before_what_was_earlier_however_long_its_stream_is() {
    let rig = Rig::begun();
    let lease = rig.journal.acquire(&scope(), &Owner::new("another"), LEASE_TTL).await.expect("free");
    let (long, short) = (stream_of("boards-1"), stream_of("boards-2"));
    let records = vec![(long.clone(), 1..=700), (short, 701..=701)];
    let streams = records.into_iter().map(|(stream, at_ms)| StreamAppend {
        stream,
        expected_seq: 0,
        records: at_ms.map(record_at).collect(),
    });
    let append = Append { streams: streams.collect(), outbox: Vec::new() };
    rig.journal.append(&lease, &append).await.expect("it is taken");

    let told = events(stream(&rig, "/v1/events", Some(&format!("1.1.{long}"))).await, 700).await;
    let places: Vec<u64> = told.iter().map(|event| event.seq).collect();
    assert_eq!(places, (2..=700).chain([1]).collect::<Vec<_>>());
}

fn stream_of(release: &str) -> Stream {
    Stream::release(&ReleaseId::parse(release).expect("a name"))
}

fn record_at(ms: i64) -> NewRecord {
    NewRecord {
        at: Timestamp::from_ms(ms),
        actor: Actor::new("segue"),
        via: Via::Engine,
        reason: None,
        fact: Event::PointOfNoReturn.into(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_release_is_no_place_to_go_on_from() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let foreign = "1795000000000.1.release/boards-9";
    let answer = Answer::read(stream(&rig, "/v1/releases/boards-1/events", Some(foreign)).await).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("event-id-unknown"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_may_wait_at_once() {
    let rig = Rig::ready().await;
    rig.canary().await;
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(stream(&rig, "/v1/events", None).await);
    }
    let refused = Answer::read(stream(&rig, "/v1/events", None).await).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.body.contains("too-many-watchers"), "{}", refused.body);
    // Other work goes on.
    assert_eq!(
        rig.ask(request(Method::POST, "/v1/releases/boards-1/pause", &[JSON], "")).await.status,
        StatusCode::OK
    );
    open.pop();
    assert_eq!(stream(&rig, "/v1/events", None).await.status(), StatusCode::OK);
}
