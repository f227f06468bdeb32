//! Requests and sockets through the load balancer.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Rig, config, until};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket; it and the instance that it is bound to.
pub(crate) async fn open(sandbox: &Rig, query: &str) -> (Socket, String) {
    let url = format!("{}/ws?{query}", sandbox.ready.load_balancer.replacen("http", "ws", 1));
    let (mut socket, _) = connect_async(url).await.expect("a target takes it");
    let name = next(&mut socket).await.expect("the instance says its name");
    (socket, name)
}

pub(crate) async fn next(socket: &mut Socket) -> Option<String> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => Some(text.to_string()),
        _ => None,
    }
}

async fn echoed(socket: &mut Socket, text: &str) -> bool {
    socket.send(Message::text(text)).await.is_ok() && next(socket).await.as_deref() == Some(text)
}

async fn who(sandbox: &Rig, query: &str) -> reqwest::Response {
    let url = format!("{}/who?{query}", sandbox.ready.load_balancer);
    sandbox.http.get(url).header("x-forwarded-for", "9.9.9.9").send().await.expect("it answers")
}

#[tokio::test]
async fn a_socket_stays_with_its_target_whatever_the_weights_do() {
    let sandbox = Rig::start(config(1)).await;
    let (mut socket, before) = open(&sandbox, "").await;
    assert_eq!(before, sandbox.ready.blue[0].to_string());
    let green = sandbox.launch("2", "1").await.remove(0);
    sandbox.until_state(&green, "running").await;
    sandbox.register(&sandbox.group("b"), &green).await;
    sandbox.until_health(&sandbox.group("b"), &green, "healthy").await;
    sandbox.weigh(&[("a", 0), ("b", 100)]).await;
    assert!(echoed(&mut socket, "still blue").await);
    let (mut other, after) = open(&sandbox, "").await;
    assert_eq!(after, green);
    assert!(echoed(&mut other, "now green").await);
    let live = sandbox.admin("connections").await;
    assert_eq!((live["total"].as_u64(), live["targets"].as_array().map(Vec::len)), (Some(2), Some(2)));
    drop((socket, other));
    until("the sockets to be gone", || async { sandbox.admin("connections").await["total"] == 0 }).await;
    sandbox.end().await;
}

#[tokio::test]
async fn a_slot_leads_to_its_instance_and_an_empty_one_to_nobody() {
    let sandbox = Rig::start(config(2)).await;
    for (slot, instance) in [("s01", 0), ("s02", 1)] {
        let (_socket, name) = open(&sandbox, &format!("board=b&srv={slot}")).await;
        assert_eq!(name, sandbox.ready.blue[instance].to_string());
    }
    assert_eq!(who(&sandbox, "srv=s03").await.status(), 503);
    sandbox.end().await;
}

#[tokio::test]
async fn requests_take_turns_and_carry_where_they_came_from() {
    let sandbox = Rig::start(config(2)).await;
    let mut names = BTreeSet::new();
    for _ in 0..4 {
        let body: serde_json::Value = who(&sandbox, "").await.json().await.expect("it is JSON");
        assert_eq!(body["forwarded_for"], "9.9.9.9, 127.0.0.1");
        names.insert(body["name"].to_string());
    }
    assert_eq!(names.len(), 2);
    let url = format!("{}/who", sandbox.ready.load_balancer);
    let large = "x".repeat(300_000);
    let echoed: serde_json::Value = sandbox
        .http
        .post(url)
        .body(large.clone())
        .send()
        .await
        .expect("it answers")
        .json()
        .await
        .expect("it is JSON");
    assert_eq!(echoed["body"].as_str().map(str::len), Some(large.len()));
    sandbox.end().await;
}

#[tokio::test]
async fn an_empty_group_is_503_and_a_dead_target_502_until_it_is_found_out() {
    let mut slow_checks = config(1);
    slow_checks.health.interval_ms = 60_000;
    let sandbox = Rig::start(slow_checks).await;
    sandbox.weigh(&[("a", 0), ("b", 1)]).await;
    let none = who(&sandbox, "").await;
    assert_eq!(none.status(), 503);
    assert!(none.text().await.expect("a page").contains("503 Service Temporarily Unavailable"));
    sandbox.weigh(&[("a", 1)]).await;
    let id = sandbox.ready.blue[0].to_string();
    sandbox.tasks.deafen(&id);
    until("502", || async { who(&sandbox, "").await.status() == 502 }).await;
    sandbox.end().await;
}

#[tokio::test]
async fn sockets_are_closed_when_the_deregistration_delay_ends() {
    let mut short = config(1);
    short.load_balancer.deregistration_delay_s = 1;
    let sandbox = Rig::start(short).await;
    let (mut socket, id) = open(&sandbox, "").await;
    let group = sandbox.group("a");
    let form = [("Action", "DeregisterTargets"), ("TargetGroupArn", &group), ("Targets.member.1.Id", &id)];
    sandbox.elb(&form).await;
    assert!(echoed(&mut socket, "draining").await);
    assert_eq!(who(&sandbox, "").await.status(), 503, "a draining target gets nothing new");
    let end = tokio::time::timeout(Duration::from_secs(10), next(&mut socket)).await;
    assert_eq!(end.expect("it ends after a second"), None);
    sandbox.end().await;
}

#[tokio::test]
async fn a_silent_socket_is_closed_after_the_idle_timeout() {
    let mut impatient = config(1);
    impatient.load_balancer.idle_timeout_s = 1;
    let sandbox = Rig::start(impatient).await;
    let (mut socket, _) = open(&sandbox, "").await;
    let end = tokio::time::timeout(Duration::from_secs(10), next(&mut socket)).await;
    assert_eq!(end.expect("it ends after a second"), None);
    sandbox.end().await;
}

#[tokio::test]
async fn a_hundred_sockets_echo_at_once() {
    let sandbox = Rig::start(config(2)).await;
    let opened = futures_util::future::join_all((0..100).map(|_| open(&sandbox, ""))).await;
    let mut sockets: Vec<_> = opened.into_iter().map(|(socket, _)| socket).collect();
    let live = sandbox.admin("connections").await;
    let per_target: Vec<_> = live["targets"].as_array().expect("a list").iter().map(|t| &t["live"]).collect();
    assert_eq!(per_target, [50, 50], "round robin");
    let texts: Vec<_> = (0..100).map(|n| format!("{n}-{}", "x".repeat(n * 300))).collect();
    let echoes = sockets.iter_mut().zip(&texts).map(|(socket, text)| echoed(socket, text));
    assert!(futures_util::future::join_all(echoes).await.into_iter().all(|ok| ok));
    sandbox.end().await;
}

#[tokio::test]
async fn every_socket_is_closed_when_the_sandbox_ends_even_when_no_place_is_left() {
    let mut full = config(1);
    full.load_balancer.connections_max = 1;
    let sandbox = Rig::start(full).await;
    // Its server's task lives on after the instance, so that only the load balancer can close it.
    let (mut socket, _) = open(&sandbox, "").await;
    assert!(echoed(&mut socket, "open").await);
    sandbox.end().await;
    assert!(!echoed(&mut socket, "after the end").await);
}
