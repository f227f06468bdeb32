//! The monitoring server.

use serde_json::Value;

use crate::support::{Rig, config, until};

async fn ask(sandbox: &Rig, query: &str, time: Option<&str>) -> (u16, Value) {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("query", query).extend_pairs(time.map(|time| ("time", time)));
    let url = format!("{}/api/v1/query", sandbox.ready.prometheus);
    let sent = sandbox.http.post(url).body(form.finish()).send().await.expect("it answers");
    (sent.status().as_u16(), sent.json().await.expect("it is JSON"))
}

fn values(metric: &str, id: &str) -> String {
    format!("{metric}{{instance_id=~\"{id}\"}}")
}

#[tokio::test]
async fn a_metric_is_seen_with_its_age_until_its_instance_is_dead() {
    let sandbox = Rig::start(config(1)).await;
    let id = sandbox.ready.blue[0].to_string();
    let query = values("rtb_spaces_count", &id);
    until("a first scrape", || async {
        ask(&sandbox, &query, None).await.1["data"]["result"][0]["value"][1] == "3"
    })
    .await;
    let (status, answer) = ask(&sandbox, &query, None).await;
    assert_eq!(
        (status, &answer["status"], &answer["data"]["resultType"]),
        (200, &"success".into(), &"vector".into())
    );
    assert_eq!(answer["data"]["result"][0]["metric"]["instance_id"], *id);
    let age = format!("time() - timestamp({query})");
    let (_, answer) = ask(&sandbox, &age, None).await;
    let seconds: f64 =
        answer["data"]["result"][0]["value"][1].as_str().expect("a text").parse().expect("a number");
    assert!((0.0..20.0).contains(&seconds), "{seconds}");
    let up = values("up", &id);
    assert_eq!(ask(&sandbox, &up, None).await.1["data"]["result"][0]["value"][1], "1");
    sandbox.tasks.crash(&id);
    until("staleness", || async {
        ask(&sandbox, &query, None).await.1["data"]["result"] == Value::Array(vec![])
    })
    .await;
    let up = ask(&sandbox, &up, None).await.1;
    assert_eq!(up["data"]["result"], Value::Array(vec![]), "what is not there any more is not a target");
    sandbox.end().await;
}

#[tokio::test]
async fn the_evaluation_time_is_the_one_asked_for() {
    let sandbox = Rig::start(config(0)).await;
    let (status, answer) = ask(&sandbox, &values("up", "i-1"), Some("1700000000.25")).await;
    assert_eq!((status, &answer["data"]["result"]), (200, &Value::Array(vec![])));
    let (status, answer) = ask(&sandbox, &values("up", "i-1"), Some("yesterday")).await;
    assert_eq!((status, &answer["errorType"]), (400, &"bad_data".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn other_queries_are_refused_with_422() {
    let sandbox = Rig::start(config(0)).await;
    for other in ["sum(rtb_spaces_count)", "rtb_spaces_count or vector(0)", "max by (instance_id) (up)", "up"]
    {
        let (status, answer) = ask(&sandbox, other, None).await;
        assert_eq!((status, &answer["status"]), (422, &"error".into()), "{other}");
    }
    sandbox.end().await;
}
