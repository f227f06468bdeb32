//! What is a number and what is not.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use segue_domain::reading::Why;

use super::*;
use crate::stub;

const MAX_AGE: Duration = Duration::from_secs(45);

/// A successful answer with these series.
fn vector(series: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#)
}

fn series(id: &str, value: &str) -> String {
    format!(r#"{{"metric":{{"instance_id":"{id}"}},"value":[1795301700.5,"{value}"]}}"#)
}

fn prometheus_at(base: &Url) -> Prometheus {
    let name = |text| MetricName::parse(text).expect("a name");
    let names = MetricNames {
        boards: name("rtb_spaces_count"),
        errors: name("app_errors_total"),
        started: name("process_start_time_seconds"),
    };
    let limits = QueryLimits { timeout: Duration::from_millis(500), max_age: MAX_AGE };
    Prometheus::new(stub::client(), base, names, limits)
}

/// What a stub was asked: form fields in order.
type Asked = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// Answers by the query.
async fn answering(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> (Prometheus, Asked) {
    let (asked, answer) = (Asked::default(), Arc::new(answer));
    let seen = Arc::clone(&asked);
    let route = post(move |body: String| async move {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let (status, body) = answer(&form["query"]);
        seen.lock().expect("no test panicked with it").push(form);
        (StatusCode::from_u16(status).expect("a status"), body)
    });
    (prometheus_at(&stub::serve(Router::new().route("/api/v1/query", route)).await), asked)
}

fn ids(names: &[&str]) -> BTreeSet<InstanceId> {
    names.iter().map(|name| InstanceId::new(*name)).collect()
}

fn is_age(query: &str) -> bool {
    query.starts_with("time()")
}

/// The board count of `i-a` when value and age are answered like this.
async fn boards_of(value: (u16, String), age: (u16, String)) -> BoardCount {
    boards_where(value, age, fine("1")).await
}

/// The same, and its target is up like this.
async fn boards_where(value: (u16, String), age: (u16, String), up: (u16, String)) -> BoardCount {
    let (prometheus, _) = answering(move |query| match query {
        query if is_age(query) => age.clone(),
        query if query.starts_with("up{") => up.clone(),
        _ => value.clone(),
    })
    .await;
    let mut boards = prometheus.boards(&ids(&["i-a"])).await;
    assert_eq!(boards.len(), 1, "every instance that was asked for, and no other");
    boards.remove(&InstanceId::new("i-a")).expect("the instance that was asked for")
}

fn fine(value: &str) -> (u16, String) {
    (200, vector(&series("i-a", value)))
}

#[tokio::test]
async fn a_fresh_whole_number_is_known_with_its_age() {
    let known = Reading::Known { value: 42, age: Duration::from_millis(12_250) };
    assert_eq!(boards_of(fine("42"), fine("12.25")).await, known);
    let zero = Reading::Known { value: 0, age: Duration::from_secs(1) };
    assert_eq!(boards_of(fine("0"), fine("1")).await, zero);
    let large = Reading::Known { value: 1_200_000, age: MAX_AGE };
    assert_eq!(boards_of(fine("1.2e+06"), fine("45")).await, large);
}

/// A scrape that finds a board is taken in between the first query and the next.
#[tokio::test]
async fn an_old_zero_is_never_dated_by_a_sample_that_came_between_the_queries() {
    let ages_asked = std::sync::atomic::AtomicBool::new(false);
    let (prometheus, asked) = answering(move |query| {
        if is_age(query) {
            // As old as the sample is whose value was there before: the zero.
            ages_asked.store(true, std::sync::atomic::Ordering::SeqCst);
            fine("44")
        } else if query.starts_with("up{") {
            fine("1")
        } else if ages_asked.load(std::sync::atomic::Ordering::SeqCst) {
            fine("7")
        } else {
            fine("0")
        }
    })
    .await;
    let boards = prometheus.boards(&ids(&["i-a"])).await;
    let known = Reading::Known { value: 7, age: Duration::from_secs(44) };
    assert_eq!(boards[&InstanceId::new("i-a")], known);
    let asked = asked.lock().expect("no test panicked with it");
    let last = asked.last().map(|form| form["query"].as_str());
    assert!(
        last.is_some_and(|query| !is_age(query) && !query.starts_with("up{")),
        "the value last: {last:?}"
    );
}

/// Which reason an unknown reading must have, without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Unreachable,
    Missing,
    Stale,
    Unusable,
    Refused,
}

fn kind(reading: &BoardCount) -> Option<Is> {
    match reading.why()? {
        Why::NotAsked => None,
        Why::Unreachable(_) => Some(Is::Unreachable),
        Why::Missing => Some(Is::Missing),
        Why::Stale { .. } => Some(Is::Stale),
        Why::Unusable(_) => Some(Is::Unusable),
        Why::Refused(_) => Some(Is::Refused),
    }
}

#[tokio::test]
async fn whatever_is_in_doubt_is_unknown_for_its_own_reason() {
    let twice = vector(&format!("{},{}", series("i-a", "0"), series("i-a", "0")));
    let warned =
        r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store down"]}"#;
    let partial = r#"{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}"#;
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1795301700.5,"0"]}}"#;
    let histogram = r#"{"metric":{"instance_id":"i-a"},"histogram":[1795301700.5,{}]}"#;
    let unlabelled = r#"{"metric":{},"value":[1795301700.5,"0"]}"#;
    let table = [
        ("nothing", (200, vector("")), Is::Missing),
        ("another instance only", (200, vector(&series("i-b", "0"))), Is::Missing),
        ("a series of nobody", (200, vector(unlabelled)), Is::Missing),
        ("not a number", fine("NaN"), Is::Unusable),
        ("infinity", fine("+Inf"), Is::Unusable),
        ("a negative number", fine("-1"), Is::Unusable),
        ("half a board", fine("0.5"), Is::Unusable),
        ("more than can be counted", fine("1e+300"), Is::Unusable),
        ("words", fine("none"), Is::Unusable),
        ("two series", (200, twice), Is::Unusable),
        ("a histogram", (200, vector(histogram)), Is::Unusable),
        ("a warning", (200, warned.to_owned()), Is::Unusable),
        ("a part", (200, partial.to_owned()), Is::Unusable),
        ("a scalar", (200, scalar.to_owned()), Is::Unusable),
        ("an error with 200", (200, r#"{"status":"error","error":"x"}"#.to_owned()), Is::Unusable),
        ("a page", (200, "<html></html>".to_owned()), Is::Unusable),
        ("a body without end", (200, " ".repeat(1024 * 1024 + 1)), Is::Unusable),
        ("a bad query", (400, r#"{"status":"error","error":"bad"}"#.to_owned()), Is::Refused),
        ("a query that fails", (422, r#"{"status":"error","error":"bad"}"#.to_owned()), Is::Refused),
        ("a redirect", (302, String::new()), Is::Unreachable),
        ("an overloaded server", (503, String::new()), Is::Unreachable),
    ];
    for (what, answer, is) in table {
        let reading = boards_of(answer.clone(), fine("1")).await;
        assert_eq!(kind(&reading), Some(is), "{what} as value: {reading:?}");
        if what != "half a board" && what != "more than can be counted" {
            let reading = boards_of(fine("0"), answer).await;
            assert_eq!(kind(&reading), Some(is), "{what} as age: {reading:?}");
        }
    }
    assert_eq!(kind(&boards_of(fine("0"), fine("45.001")).await), Some(Is::Stale));
    assert_eq!(kind(&boards_of(fine("0"), fine("1e+300")).await), Some(Is::Unusable));
}

/// A page and a log line show these words.
#[tokio::test]
async fn every_doubt_says_what_it_is() {
    let several = |count| vector(&vec![series("i-a", "0"); count].join(","));
    let warned = r#"{"status":"success","data":{"resultType":"vector","result":[]},
        "warnings":["remote_read: connection refused"]}"#;
    let table = [
        ((200, vector("")), fine("1"), "the source does not know it"),
        ((200, vector("")), fine("0"), "no answer: Prometheus cannot scrape it (up is 0)"),
        ((200, vector("")), (200, several(2)), "no answer: Prometheus cannot scrape it (up is 0)"),
        ((200, vector("")), (503, String::new()), "the source does not know it"),
        (fine("NaN"), fine("1"), "the answer cannot be used: NaN is not a number"),
        (fine("2.5"), fine("1"), "the answer cannot be used: 2.5 is no count"),
        (
            (200, several(2)),
            fine("1"),
            "the answer cannot be used: 2 series for one instance, where one is expected",
        ),
        (
            (200, warned.to_owned()),
            fine("1"),
            "the answer cannot be used: it came with a warning: remote_read: connection refused",
        ),
    ];
    for (value, up, words) in table {
        let reading = boards_where(value, fine("1"), up).await;
        assert_eq!(reading.why().map(ToString::to_string).as_deref(), Some(words));
    }
    let stale = boards_of(fine("0"), fine("46")).await;
    let words = "the last sample is older than the limit of 45 s";
    assert_eq!(stale.why().map(ToString::to_string).as_deref(), Some(words));
}

#[tokio::test]
async fn a_target_that_is_down_makes_no_number_doubtful_that_is_there() {
    let known = Reading::Known { value: 3, age: Duration::from_secs(1) };
    assert_eq!(boards_where(fine("3"), fine("1"), fine("0")).await, known);
}

#[tokio::test]
async fn a_refusal_says_what_prometheus_said() {
    let refused =
        boards_of((422, r#"{"status":"error","error":"many-to-many"}"#.to_owned()), fine("1")).await;
    let why = refused.why().expect("unknown").to_string();
    assert!(why.contains("422") && why.contains("many-to-many"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_silent_cut_off_or_absent_makes_everything_unknown() {
    for base in [stub::silent().await, stub::cutting().await, stub::absent().await] {
        let prometheus = prometheus_at(&base);
        let asked = ids(&["i-a", "i-b"]);
        let boards = prometheus.boards(&asked).await;
        assert_eq!(boards.keys().cloned().collect::<BTreeSet<_>>(), asked);
        for reading in boards.values() {
            assert_eq!(kind(reading), Some(Is::Unreachable), "{reading:?}");
        }
        let vitals = prometheus.vitals(&asked).await;
        assert!(vitals.len() == 2 && vitals.values().all(|vital| vital.known().is_none()), "{vitals:?}");
    }
}

#[tokio::test]
async fn values_are_asked_of_the_moment_that_prometheus_says_the_ages_are_of() {
    let (prometheus, asked) = answering(|_| fine("1")).await;
    prometheus.boards(&ids(&["i-b", "i-a"])).await;
    let asked = asked.lock().expect("no test panicked with it");
    let queries: BTreeSet<&str> = asked.iter().map(|form| form["query"].as_str()).collect();
    assert_eq!(
        queries,
        BTreeSet::from([
            r#"rtb_spaces_count{instance_id=~"i-a|i-b"}"#,
            r#"time() - timestamp(rtb_spaces_count{instance_id=~"i-a|i-b"})"#,
            r#"up{instance_id=~"i-a|i-b"}"#,
        ])
    );
    let moments: Vec<Option<&str>> = asked.iter().map(|form| form.get("time").map(String::as_str)).collect();
    assert_eq!(moments, [None, None, Some("1795301700.500")], "no clock of ours makes a sample fresh");
}

#[tokio::test]
async fn a_large_fleet_is_asked_for_in_pieces_and_answered_whole() {
    let (prometheus, asked) = answering(|query| {
        let ids = query.split('"').nth(1).expect("the ids").split('|');
        let value = if is_age(query) { "2" } else { "7" };
        let series: Vec<String> = ids.map(|id| series(id, value)).collect();
        (200, vector(&series.join(",")))
    })
    .await;
    let fleet: BTreeSet<InstanceId> = (0..450).map(|n| InstanceId::new(format!("i-{n:04}"))).collect();
    let boards = prometheus.boards(&fleet).await;
    assert_eq!(boards.len(), 450);
    assert!(boards.values().all(|count| count.known() == Some(&7)));
    assert_eq!(asked.lock().expect("no test panicked with it").len(), 9, "three queries for each 200");
}

#[tokio::test]
async fn nobody_to_ask_for_needs_no_query() {
    let (prometheus, asked) = answering(|_| (200, vector(""))).await;
    assert!(prometheus.boards(&BTreeSet::new()).await.is_empty());
    assert!(asked.lock().expect("no test panicked with it").is_empty());
}

#[tokio::test]
async fn vital_signs_need_both_numbers_and_are_as_old_as_the_older() {
    let (prometheus, _) = answering(|query| {
        let (a, b) = match (query.contains("app_errors_total"), is_age(query)) {
            (true, false) => ("3", "4"),
            (true, true) => ("2", "2"),
            (false, false) => ("1795301700.255", "NaN"),
            (false, true) => ("9.5", "1"),
        };
        (200, vector(&format!("{},{}", series("i-a", a), series("i-b", b))))
    })
    .await;
    let vitals = prometheus.vitals(&ids(&["i-a", "i-b", "i-c"])).await;
    let first = Vital { errors: 3, started_at_ms: 1_795_301_700_255 };
    assert_eq!(
        vitals[&InstanceId::new("i-a")],
        Reading::Known { value: first, age: Duration::from_millis(9_500) }
    );
    assert_eq!(
        vitals[&InstanceId::new("i-b")],
        Reading::Unknown(Why::Unusable("NaN is not a number".to_owned()))
    );
    assert_eq!(vitals[&InstanceId::new("i-c")], Reading::Unknown(Why::Missing));
}

#[tokio::test]
async fn a_base_url_may_have_a_path_of_its_own() {
    let route = post(|| async { vector(&series("i-a", "1")) });
    let base = stub::serve(Router::new().route("/prometheus/api/v1/query", route)).await;
    for path in ["prometheus", "prometheus/"] {
        let prometheus = prometheus_at(&base.join(path).expect("a URL"));
        let boards = prometheus.boards(&ids(&["i-a"])).await;
        assert_eq!(boards[&InstanceId::new("i-a")].known(), Some(&1));
    }
}
