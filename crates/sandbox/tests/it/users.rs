//! The simulated users over the store process and two servers of the handover library: what their records and
//! the boards' logs say after planned moves, and after a server that died.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use segue_handover::auth::Key;
use segue_handover::clock::WallClock;
use segue_handover::control::{ControlClient, ControlTarget};
use segue_handover::server::{Server, ServerConfig};
use segue_handover::store::{BoardStore as _, contract};
use segue_handover::wire::{
    ActivateRequest, BoardId, BoardRow, Connect, EndRequest, Generation, MoveId, OfferRequest, Outcome,
    PrepareRequest, PrepareState, SealRequest, ServerId,
};
use segue_sandbox::app::Notes;
use segue_sandbox::store::client::StoreClient;
use segue_sandbox::store::{Store, StoreArgs};
use segue_sandbox::users::{Crowd, CrowdConfig, Figures, Phase, Records, Recount, Report, Stored, Window};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The store process, as a task.
struct Database {
    address: SocketAddr,
    _folder: tempfile::TempDir,
    serving: AbortHandle,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Database {
    async fn start(liveness_ms: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("boards.log");
        let listen = "127.0.0.1:0".parse().expect("an address");
        let (latency_ms, abandoned_ms) = (1, 30_000);
        let args =
            StoreArgs { listen, file, latency_ms, liveness_ms, abandoned_ms, fsync: false, sabotage: None };
        let store = Store::open(&args).await.expect("a new file");
        let address = store.address();
        let serving =
            tokio::spawn(async move { store.serve().await.expect("the file works") }).abort_handle();
        Self { address, _folder: folder, serving }
    }

    fn client(&self) -> StoreClient {
        StoreClient::connect(self.address)
    }
}

/// One server of the application, on a runtime of its own. Dropped, it is dead: sockets close, heartbeats end.
struct Node {
    control: ControlClient,
    connect: Connect,
    runtime: Option<Runtime>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl Node {
    async fn start(name: &str, database: &Database) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let id = ServerId::parse(name).expect("an id");
        let serving = runtime.spawn(serve(id.clone(), database.address));
        let (connect, base_url) = serving.await.expect("it serves");
        // Without waiting for the first heartbeat, so that nobody takes the server for dead.
        database.client().heartbeat(&id, Some(&connect)).await.expect("the store is there");
        let target = ControlTarget { base_url, server: id, key: key(), generation: Generation(1) };
        let control = ControlClient::new(http(), target, WallClock::system());
        Self { control, connect, runtime: Some(runtime) }
    }

    async fn boards(&self) -> Vec<BoardRow> {
        let page = self.control.boards(None, None).await.expect("a page");
        assert!(page.next.is_none(), "these tests have few boards");
        page.boards
    }
}

fn key() -> Key {
    Key::new(b"a key for these tests").expect("long enough")
}

/// Serves on the current runtime, as long as that lives.
async fn serve(id: ServerId, store: SocketAddr) -> (Connect, url::Url) {
    let traffic = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let control = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let connect = format!("ws://{}/board/{{board}}", traffic.local_addr().expect("bound"));
    let connect = Connect::parse(&connect).expect("a connect");
    let control_url = format!("http://{}", control.local_addr().expect("bound"));
    let new_document = Arc::new(|_: &BoardId| Notes::empty());
    let mut config = ServerConfig::new(id, key(), connect.clone(), new_document);
    config.heartbeat_every = Duration::from_millis(50);
    let server = Server::start(config, Arc::new(StoreClient::connect(store)));
    let routes = Router::new().route("/board/{board}", get(upgrade)).with_state(server.clone());
    let traffic = traffic.tap_io(|socket| socket.set_nodelay(true).expect("a TCP socket"));
    tokio::spawn(axum::serve(traffic, routes).into_future());
    tokio::spawn(axum::serve(control, server.control_router()).into_future());
    (connect, control_url.parse().expect("a URL"))
}

async fn upgrade(
    State(server): State<Server>,
    Path(board): Path<BoardId>,
    upgrade: WebSocketUpgrade,
) -> Response {
    server.upgrade(upgrade, board)
}

fn http() -> reqwest::Client {
    static TLS: Once = Once::new();
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder().connect_timeout(PATIENCE).build().expect("a client")
}

/// Asks again and again until it is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while !is_so().await {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{what} does not come about"));
}

/// A whole planned move of one board: prepare, offer, wait for attaches, seal, activate, end.
async fn carry(old: &Node, new: &Node, row: &BoardRow) {
    let board = row.board.clone();
    let move_id = MoveId::parse(&format!("m-{board}-{}", row.epoch)).expect("an id");
    let prepare = PrepareRequest {
        move_id: move_id.clone(),
        board: board.clone(),
        from_epoch: row.epoch,
        ttl_ms: 60_000,
        attach_rate_per_s: None,
    };
    eventually("the standby", async || {
        new.control.prepare(&prepare).await.expect("prepared").state == PrepareState::Standby
    })
    .await;
    let connect = new.control.prepare(&prepare).await.expect("prepared").connect;
    let rate_per_s = NonZeroU32::new(1_000).expect("not zero");
    let (m, b) = (move_id.clone(), board.clone());
    let offer = OfferRequest { move_id: m, board: b, connect, rate_per_s, deadline_ms: 15_000 };
    old.control.offer(&offer).await.expect("offered");
    eventually("every attach", async || {
        let waiting = new.control.prepare(&prepare).await.expect("prepared").attached;
        let clients = old.boards().await.iter().find(|row| row.board == board).map_or(0, |row| row.clients);
        waiting >= clients
    })
    .await;
    let standby_seq = Some(new.control.prepare(&prepare).await.expect("prepared").seq);
    let (m, b) = (move_id.clone(), board.clone());
    let seal = SealRequest { move_id: m, board: b, epoch: row.epoch, seal_ttl_ms: 5_000, standby_seq };
    let sealed = old.control.seal(&seal).await.expect("sealed");
    let activate = ActivateRequest {
        move_id: move_id.clone(),
        board: board.clone(),
        from_epoch: row.epoch,
        final_seq: Some(sealed.final_seq),
        delta: sealed.delta,
        digest: sealed.digest,
        force: false,
    };
    new.control.activate(&activate).await.expect("activated");
    let end = EndRequest { move_id, board, outcome: Outcome::Release };
    old.control.end(&end).await.expect("released");
    new.control.end(&end).await.expect("ended");
}

fn crowd(front_door: &Node) -> CrowdConfig {
    CrowdConfig {
        // Boards that open and empty belong to the demo; here every board that is counted is moved.
        openings_per_s: 0.0,
        edits_per_s: 10.0,
        ..CrowdConfig::demo(front_door.connect.clone(), 10, 40, 10.0, 7)
    }
}

async fn edited(crowd: &Crowd) {
    eventually("edits", async || crowd.live().edits_per_s > 50.0).await;
}

async fn recounted(records: &Records, database: &Database) -> Recount {
    let stored = Stored::fetch(&database.client()).await.expect("the store is there");
    Recount::of(records, &stored)
}

fn figures(records: &Records) -> Figures {
    let before_us = records.span(Phase::Before).expect("marked");
    let during_us = records.span(Phase::Release).expect("marked");
    Figures::of(records, &Window { before_us, during_us })
}

#[tokio::test]
async fn the_store_process_keeps_the_contract_of_stores() {
    let database = Database::start(3_000).await;
    contract::check(&database.client()).await.expect("every promise");
}

#[tokio::test]
async fn planned_moves_lose_nothing_and_leave_nobody_without_a_socket() {
    let database = Database::start(3_000).await;
    let (blue, green) = (Node::start("blue", &database).await, Node::start("green", &database).await);
    let mut crowd = Crowd::start(crowd(&blue)).expect("a crowd");
    crowd.settled(PATIENCE).await.expect("everybody is served");
    crowd.mark(Phase::Before);
    edited(&crowd).await;
    crowd.mark(Phase::Release);
    let alive = blue.boards().await;
    assert!(alive.len() >= 10, "{} boards", alive.len());
    // Two stay where they are: whoever is on them feels what moves cost those who are not moved.
    let (staying, moving) = alive.split_at(2);
    let (last, first) = moving.split_last().expect("eight boards or more");
    for row in first {
        carry(&blue, &green, row).await;
    }
    let edits = async || {
        let rows = blue.boards().await;
        rows.iter().filter(|row| staying.iter().any(|one| one.board == row.board)).map(|row| row.seq.0).sum()
    };
    let before: u64 = edits().await;
    eventually("edits of those who stay", async || edits().await >= before + 10).await;
    carry(&blue, &green, last).await;
    eventually("only those who stay", async || blue.boards().await.len() == staying.len()).await;
    edited(&crowd).await;
    crowd.mark(Phase::After);
    let records = crowd.finish().await.expect("the crowd is there");

    let recount = recounted(&records, &database).await;
    let figures = figures(&records);
    let mut report = Report::of_users(&figures, &recount);
    report.boards.alive_on_blue_at_close = u64::try_from(moving.len()).expect("few");
    // There is no release here, and nobody who asks the servers how fast they admit.
    let is_of_users = |one: &String| !one.contains("the release") && !one.contains("attaches");
    let broken: Vec<String> = report.failures().into_iter().filter(is_of_users).collect();
    assert_eq!(broken, Vec::<String>::new(), "{report}\n{:?}", recount.examples);
    assert_eq!(report.edits.sent, report.edits.stored);
    assert!(report.clients.moved >= 20, "{report}");
    assert!(figures.stall.count >= 20, "{figures:?}");
    assert!(figures.control_stall.count >= 10, "{figures:?}");
    assert!(figures.latency_during.count > 0, "{figures:?}");
}

#[tokio::test]
async fn a_server_that_dies_costs_reconnects_and_no_edit() {
    let database = Database::start(400).await;
    let (blue, green) = (Node::start("blue", &database).await, Node::start("green", &database).await);
    let mut crowd = Crowd::start(crowd(&blue)).expect("a crowd");
    crowd.settled(PATIENCE).await.expect("everybody is served");
    crowd.mark(Phase::Before);
    crowd.mark(Phase::Release);
    for row in blue.boards().await.iter().take(5) {
        carry(&blue, &green, row).await;
    }
    edited(&crowd).await;
    drop(green);
    eventually("reconnects", async || crowd.live().reconnects >= 5).await;
    edited(&crowd).await;
    let quiet = crowd.quiet().await.expect("the crowd is there");
    assert!(
        quiet.users.iter().all(|user| user.unacknowledged() == 0),
        "everything is durable when all is quiet"
    );
    crowd.resume().await.expect("the crowd is there");
    edited(&crowd).await;
    let records = crowd.finish().await.expect("the crowd is there");

    let recount = recounted(&records, &database).await;
    let counts = recount.counts;
    let broken = (counts.lost, counts.duplicated, counts.out_of_order);
    assert_eq!(broken, (0, 0, 0), "{:?}", recount.examples);
    assert!(counts.sent > 0 && counts.sent == counts.acknowledged);
    assert!(figures(&records).clients.reconnects_forced >= 5);
}
