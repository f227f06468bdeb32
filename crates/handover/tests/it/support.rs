//! What the tests need: servers with their control clients, bare websockets, moves step by step.

mod gated_store;
mod moving;
mod peer;

use std::future::IntoFuture as _;
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
use segue_handover::document::Document;
use segue_handover::server::{Server, ServerConfig};
use segue_handover::store::BoardStore;
use segue_handover::wire::{
    BoardId, BoardState, ClientId, Connect, Entry, Generation, MoveId, Payload, ServerId, Welcome,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

pub(crate) use gated_store::GatedStore;
pub(crate) use moving::Moving;
pub(crate) use peer::{Peer, hello};

/// Long enough for a busy machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn board_id(name: &str) -> BoardId {
    BoardId::parse(name).expect("an id")
}

pub(crate) fn move_id(name: &str) -> MoveId {
    MoveId::parse(name).expect("an id")
}

pub(crate) fn client_id(name: &str) -> ClientId {
    ClientId::parse(name).expect("an id")
}

pub(crate) fn per_s(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).expect("not zero")
}

pub(crate) fn key() -> Key {
    Key::new("a key for these tests").expect("long enough")
}

#[derive(Default)]
struct Numbers(Vec<u64>);

impl Document for Numbers {
    fn apply(&mut self, entry: &Entry) {
        self.0.push(entry.seq.get());
    }

    fn state(&self) -> Payload {
        Payload::of(&self.0).expect("numbers are JSON")
    }

    fn size_bytes(&self) -> usize {
        self.0.len() * 8
    }
}

/// For clients that leave as soon as they are told.
pub(crate) fn config(id: &ServerId, connect: &Connect) -> ServerConfig {
    let new_document = Arc::new(|_: &BoardId| -> Box<dyn Document> { Box::new(Numbers::default()) });
    let mut config = ServerConfig::new(id.clone(), key(), connect.clone(), new_document);
    config.boards.grace = Duration::from_millis(300);
    config
}

/// A server on two ports of its own. Dropped, it is dead: its ports close, its work stops.
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) id: ServerId,
    pub(crate) control: ControlClient,
    pub(crate) control_url: url::Url,
    pub(crate) connect: Connect,
    tasks: Vec<AbortHandle>,
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Node {
    pub(crate) async fn start(name: &str, store: &Arc<GatedStore>) -> Self {
        Self::start_with(name, store, |_| {}).await
    }

    pub(crate) async fn start_with(
        name: &str,
        store: &Arc<GatedStore>,
        tweak: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let traffic = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let control = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let connect = format!("ws://{}/board/{{board}}", traffic.local_addr().expect("bound"));
        let connect = Connect::parse(&connect).expect("a connect");
        let id = ServerId::parse(name).expect("an id");
        let mut config = config(&id, &connect);
        tweak(&mut config);
        let shared: Arc<dyn BoardStore> = Arc::<GatedStore>::clone(store);
        let server = Server::start(config, shared);
        // Without waiting for the first heartbeat, so that nobody takes the server for dead.
        store.inner.heartbeat(&id, Some(&connect)).await.expect("memory does not fail");

        let routes = Router::new().route("/board/{board}", get(upgrade)).with_state(server.clone());
        let control_url = format!("http://{}", control.local_addr().expect("bound")).parse().expect("a URL");
        let tasks = vec![
            tokio::spawn(axum::serve(traffic.tap_io(at_once), routes).into_future()).abort_handle(),
            tokio::spawn(axum::serve(control, server.control_router()).into_future()).abort_handle(),
        ];
        let control = control_client(&control_url, &id, Generation(1));
        Self { server, id, control, control_url, connect, tasks }
    }

    pub(crate) fn connect_to(&self, board: &str) -> Connect {
        self.connect.for_board(&board_id(board))
    }

    pub(crate) async fn join(&self, board: &str, client: &str) -> Peer {
        let mut peer = Peer::open(&self.connect_to(board)).await;
        peer.say(&hello(client)).await;
        peer
    }

    /// Joins and waits for the welcome.
    pub(crate) async fn joined(&self, board: &str, client: &str) -> (Peer, Welcome) {
        let mut peer = self.join(board, client).await;
        let welcome = peer.welcome().await;
        (peer, welcome)
    }

    pub(crate) async fn state_of(&self, board: &str) -> Option<BoardState> {
        let page = self.control.boards(None, None).await.expect("a page");
        page.boards.into_iter().find(|row| row.board.as_str() == board).map(|row| row.state)
    }

    /// Waits until the board is in this state here.
    pub(crate) async fn until(&self, board: &str, wanted: Option<BoardState>) {
        eventually(async || self.state_of(board).await == wanted).await;
    }
}

/// An edit is one small packet; it must not wait for the next one.
fn at_once(stream: &mut TcpStream) {
    stream.set_nodelay(true).expect("the stream is open");
}

async fn upgrade(
    State(server): State<Server>,
    Path(board): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    server.upgrade(upgrade, board_id(&board))
}

pub(crate) fn control_client(url: &url::Url, server: &ServerId, generation: Generation) -> ControlClient {
    static TLS: Once = Once::new();
    TLS.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let http = reqwest::Client::builder().connect_timeout(PATIENCE).build().expect("a client");
    let target = ControlTarget { base_url: url.clone(), server: server.clone(), key: key(), generation };
    ControlClient::new(http, target, WallClock::system())
}

/// Asks again and again, without sleeping longer than a scheduler's turn.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("it comes about");
}

/// Every client's edits, in their order, each once; and the log without a hole.
pub(crate) fn assert_log_is_sound(log: &[Entry], clients: &[(&str, u64)]) {
    let seqs: Vec<u64> = log.iter().map(|entry| entry.seq.get()).collect();
    let expected: Vec<u64> = (1_u64..).take(log.len()).collect();
    assert_eq!(seqs, expected);
    for (name, edits) in clients {
        let made: Vec<u64> =
            log.iter().filter(|entry| entry.client.as_str() == *name).map(|entry| entry.cseq.get()).collect();
        assert_eq!(made, (1..=*edits).collect::<Vec<u64>>(), "edits of {name}");
    }
}
