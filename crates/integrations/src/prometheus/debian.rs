//! The adapter against a real Prometheus, the one of the Debian package.
//!
//! It scrapes a sandbox's instances, which must give the same counts as the sandbox's own endpoint, and pages
//! that are as no page should be, each of which must be unknown with its reason.

use std::fmt::Write as _;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use segue_domain::reading::Why;
use segue_engine::ports::Clock as _;
use segue_engine::ports::Target;
use segue_engine::ports::contract::metrics;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::*;
use crate::contracts::{Rig, prometheus, three_boards};
use crate::stub;
use crate::system::SystemClock;

/// For a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// A page that is scraped: its job, its address and path, and the instance that it is said to be of.
struct Page {
    job: &'static str,
    address: String,
    path: &'static str,
    instance: String,
}

/// A Prometheus of its own, gone when it is dropped.
struct Server {
    _process: Child,
    url: Url,
    _folder: tempfile::TempDir,
}

/// `make clients` put it beside the compiled code.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let target = test.ancestors().nth(3).expect("tests lie in TARGET/PROFILE/deps");
    let program = target.join("clients/prometheus");
    assert!(program.exists(), "{} is missing: `make clients` installs it", program.display());
    program
}

impl Server {
    async fn scraping(targets: &[Page]) -> Self {
        Self::configured(&config(targets)).await
    }

    async fn configured(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("a file");
        // Free now; nobody else takes it in the moment that is left.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let process = Command::new(program())
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let url = Url::parse(&format!("http://{address}/")).expect("a URL");
        Self { _process: process, url, _folder: folder }
    }
}

fn config(targets: &[Page]) -> String {
    let mut text = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n".to_owned();
    for Page { job, address, path, instance } in targets {
        writeln!(
            text,
            "- {{job_name: {job}, metrics_path: {path}, static_configs: [{{targets: ['{address}'], \
             labels: {{instance_id: {instance}}}}}]}}"
        )
        .expect("a text takes everything");
    }
    text
}

/// Looks at an instance's boards until they are as they should be, and panics with what they are when they never
/// are.
async fn until(adapter: &Prometheus, instance: &str, is_so: impl Fn(&BoardCount) -> bool) {
    let (id, deadline) = (InstanceId::new(instance), Instant::now() + PATIENCE);
    loop {
        let mut answer = adapter.boards(&[id.clone()].into()).await;
        let reading = answer.remove(&id).expect("everyone asked is answered");
        if is_so(&reading) {
            return;
        }
        assert!(Instant::now() < deadline, "{instance} stays {reading:?}");
        tokio::time::sleep(LOOK).await;
    }
}

async fn serve(routes: Router) -> (SocketAddr, tokio::task::AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (address, tokio::spawn(axum::serve(listener, routes).into_future()).abort_handle())
}

#[tokio::test]
async fn a_real_prometheus_gives_the_counts_of_the_sandboxs_endpoint() {
    let mut rig = Rig::start().await;
    let at = rig.target(0);
    rig.open(&at, &["red", "green", "blue"]).await;
    let targets = [(0, "first"), (1, "second")].map(|(slot, job)| {
        let Target { address, instance, .. } = rig.target(slot);
        let address = format!("{address}:9000");
        Page { job, address, path: "/metrics", instance: instance.to_string() }
    });
    let real = Server::scraping(&targets).await;
    let sandboxs = Url::parse(&rig.sandbox.ready().prometheus).expect("a URL");
    let [real, sandboxs] = [&real.url, &sandboxs].map(|base| Arc::new(prometheus(base)));
    for adapter in [&real, &sandboxs] {
        let port: Arc<dyn BoardMetrics> = Arc::<Prometheus>::clone(adapter);
        metrics(port, three_boards(at.instance.clone())).await;
    }
    let empty = rig.target(1).instance;
    until(&real, empty.as_str(), |boards| boards.known() == Some(&0)).await;
    until(&sandboxs, empty.as_str(), |boards| boards.known() == Some(&0)).await;
    rig.end().await;
}

#[tokio::test]
async fn what_a_real_prometheus_cannot_say_is_unknown_with_its_reason() {
    let old_ms = SystemClock.now().as_ms() - 60_000;
    let pages = Router::new()
        .route("/good", get(|| async { "rtb_spaces_count 3\n" }))
        .route("/more", get(|| async { "rtb_spaces_count 5\n" }))
        .route("/nan", get(|| async { "rtb_spaces_count NaN\n" }))
        .route("/half", get(|| async { "rtb_spaces_count 2.5\n" }))
        .route("/old", get(move || async move { format!("rtb_spaces_count 3 {old_ms}\n") }));
    let (address, _pages) = serve(pages).await;
    let (stopping, stop) =
        serve(Router::new().route("/good", get(|| async { "rtb_spaces_count 7\n" }))).await;
    let target = |job, path, instance: &str| Page {
        job,
        address: address.to_string(),
        path,
        instance: instance.to_owned(),
    };
    let server = Server::scraping(&[
        target("good", "/good", "good"),
        target("nan", "/nan", "nan"),
        target("half", "/half", "half"),
        target("old", "/old", "old"),
        target("one", "/good", "twice"),
        target("two", "/more", "twice"),
        Page { address: stopping.to_string(), ..target("stopping", "/good", "stopped") },
    ])
    .await;
    let adapter = prometheus(&server.url);
    until(&adapter, "good", |boards| boards.known() == Some(&3)).await;
    let words = [
        ("nan", "NaN is not a number"),
        ("half", "2.5 is no count"),
        ("twice", "2 series for one instance, where one is expected"),
    ];
    for (instance, words) in words {
        until(&adapter, instance, |boards| boards.why() == Some(&Why::Unusable(words.to_owned()))).await;
    }
    until(&adapter, "old", |boards| matches!(boards.why(), Some(Why::Stale { .. }))).await;
    until(&adapter, "nobody", |boards| boards.why() == Some(&Why::Missing)).await;

    until(&adapter, "stopped", |boards| boards.known() == Some(&7)).await;
    stop.abort();
    let down = |why: &Why| matches!(why, Why::Unreachable(what) if what.contains("up is 0"));
    until(&adapter, "stopped", |boards| boards.why().is_some_and(down)).await;
    drop(server);
    until(&adapter, "good", |boards| matches!(boards.why(), Some(Why::Unreachable(_)))).await;
}

/// A store that a real Prometheus reads besides its own and cannot reach: it says what it has, with a warning.
#[tokio::test]
async fn a_real_prometheus_that_warns_makes_everything_unknown_with_its_words() {
    let pages = Router::new().route("/good", get(|| async { "rtb_spaces_count 3\n" }));
    let (address, _pages) = serve(pages).await;
    let page = Page { job: "good", address: address.to_string(), path: "/good", instance: "good".to_owned() };
    let nobody = stub::absent().await;
    let remote = format!("remote_read: [{{url: '{nobody}', read_recent: true}}]\n");
    let server = Server::configured(&(config(&[page]) + &remote)).await;
    let warned = |why: &Why| matches!(why, Why::Unusable(what) if what.contains("warning: remote_read"));
    until(&prometheus(&server.url), "good", |boards| boards.why().is_some_and(warned)).await;
}
