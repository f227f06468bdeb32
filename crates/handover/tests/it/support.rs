//! Two kinds of helpers: a server with its control client, and a websocket that says and hears exactly
//! what a test wants.

use std::future::IntoFuture as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use segue_handover::auth::Key;
use segue_handover::clock::WallClock;
use segue_handover::control::{ControlClient, ControlTarget};
use segue_handover::document::Document;
use segue_handover::server::{Server, ServerConfig};
use segue_handover::store::memory::MemoryStore;
use segue_handover::store::{Append, BoardStore, Claim, Page, Release, Row, StoreError};
use segue_handover::wire::{
    ActivateAnswer, ActivateRequest, Attach, BoardId, BoardState, ClientId, ClientMessage, Connect, Cseq,
    EndAnswer, EndRequest, Entry, Epoch, Generation, Go, Hello, MoveId, Offer, OfferAnswer, OfferRequest, Op,
    Outcome, OwnersPage, Payload, PrepareAnswer, PrepareRequest, PrepareState, SUBPROTOCOL, SealAnswer,
    SealRequest, Sealed, Seq, ServerId, ServerMessage, Welcome,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

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

/// The memory store behind two gates: claims and appends wait while theirs is shut.
#[derive(Default)]
pub(crate) struct GatedStore {
    pub(crate) inner: MemoryStore,
    pub(crate) claims: Gate,
    pub(crate) appends: Gate,
}

pub(crate) struct Gate {
    shut: watch::Sender<bool>,
    waiting: watch::Sender<u32>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { shut: watch::Sender::new(false), waiting: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Until `number` calls wait.
    pub(crate) async fn wait_for_waiting(&self, number: u32) {
        let mut waiting = self.waiting.subscribe();
        let arrived = waiting.wait_for(|waiting| *waiting >= number);
        tokio::time::timeout(PATIENCE, arrived).await.expect("they come").expect("the gate is there");
    }

    async fn pass(&self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let mut shut = self.shut.subscribe();
        shut.wait_for(|shut| !shut).await.expect("the gate is there");
        self.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[async_trait]
impl BoardStore for GatedStore {
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError> {
        self.inner.row(board).await
    }

    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError> {
        self.claims.pass().await;
        self.inner.claim(board, expect, server).await
    }

    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError> {
        self.inner.load(board, after).await
    }

    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError> {
        self.appends.pass().await;
        self.inner.append(board, epoch, entries).await
    }

    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError> {
        self.inner.release(board, epoch, server).await
    }

    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError> {
        self.inner.owners(server, cursor, limit).await
    }

    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError> {
        self.inner.heartbeat(server, connect).await
    }
}

/// A server on two ports of its own. Dropped, it is dead: its ports close, its work stops.
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) id: ServerId,
    pub(crate) control: ControlClient,
    pub(crate) control_url: url::Url,
    pub(crate) connect: String,
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
        let id = ServerId::parse(name).expect("an id");
        let new_document = Arc::new(|_: &BoardId| -> Box<dyn Document> { Box::new(Numbers::default()) });
        let mut config = ServerConfig::new(id.clone(), key(), connect.clone(), new_document);
        config.boards.grace = Duration::from_millis(300);
        tweak(&mut config);
        let shared: Arc<dyn BoardStore> = Arc::<GatedStore>::clone(store);
        let server = Server::start(config, shared);
        // Without waiting for the first heartbeat, so that nobody takes the server for dead.
        let published = Connect::parse(&connect).expect("a connect");
        store.inner.heartbeat(&id, Some(&published)).await.expect("memory does not fail");

        let routes = Router::new().route("/board/{board}", get(upgrade)).with_state(server.clone());
        let control_url = format!("http://{}", control.local_addr().expect("bound")).parse().expect("a URL");
        let tasks = vec![
            tokio::spawn(axum::serve(traffic, routes).into_future()).abort_handle(),
            tokio::spawn(axum::serve(control, server.control_router()).into_future()).abort_handle(),
        ];
        let control = control_client(&control_url, &id, Generation(1));
        Self { server, id, control, control_url, connect, tasks }
    }

    pub(crate) fn connect_to(&self, board: &str) -> Connect {
        Connect::parse(&self.connect).expect("a connect").for_board(&board_id(board))
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

pub(crate) fn hello(client: &str) -> ClientMessage {
    ClientMessage::Hello(Hello { client: client_id(client), last_seq: None, epoch: None })
}

/// A websocket client without any rules of its own.
pub(crate) struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Peer {
    pub(crate) async fn open(connect: &Connect) -> Self {
        let mut request = connect.as_str().into_client_request().expect("a URL");
        let protocol = SUBPROTOCOL.parse().expect("a header value");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        Self { socket: connect_async(request).await.expect("connects").0 }
    }

    pub(crate) async fn open_plain(connect: &Connect) -> Self {
        Self { socket: connect_async(connect.as_str()).await.expect("connects").0 }
    }

    /// A second socket for a move.
    pub(crate) async fn attach(offer: &Offer, client: &str) -> Self {
        let mut peer = Self::open(&offer.connect).await;
        peer.say(&ClientMessage::Attach(Attach {
            move_id: offer.move_id.clone(),
            token: offer.token.clone(),
            client: client_id(client),
            last_seq: None,
        }))
        .await;
        peer
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.socket.send(Message::text(message.to_text())).await.expect("sends");
    }

    pub(crate) async fn op(&mut self, cseq: u64) {
        let payload = Payload::of(&cseq).expect("a number is JSON");
        self.say(&ClientMessage::Op(Op { cseq: Cseq(cseq), payload })).await;
    }

    async fn frame(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("something is said").expect("the socket is open").expect("the socket works")
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        loop {
            match self.frame().await {
                Message::Text(text) => return ServerMessage::parse(text.as_str()).expect("a message"),
                Message::Ping(_) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The close that is next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Ping(_) => {}
                other => panic!("{other:?} instead of a close"),
            }
        }
    }

    /// The first message that fits; others are passed over.
    pub(crate) async fn until<T>(&mut self, fits: impl Fn(ServerMessage) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.hear().await) {
                return found;
            }
        }
    }

    pub(crate) async fn welcome(&mut self) -> Welcome {
        self.until(|message| if let ServerMessage::Welcome(welcome) = message { Some(welcome) } else { None })
            .await
    }

    pub(crate) async fn offer(&mut self) -> Offer {
        self.until(|message| if let ServerMessage::Offer(offer) = message { Some(offer) } else { None }).await
    }

    pub(crate) async fn sealed(&mut self) -> Sealed {
        self.until(|message| if let ServerMessage::Sealed(sealed) = message { Some(sealed) } else { None })
            .await
    }

    pub(crate) async fn go(&mut self) -> Go {
        self.until(|message| if let ServerMessage::Go(go) = message { Some(go) } else { None }).await
    }

    /// Until the client's edit is durable.
    pub(crate) async fn durable(&mut self, cseq: u64) {
        self.until(|message| match message {
            ServerMessage::Ack(ack) if ack.durable && ack.cseq >= Cseq(cseq) => Some(()),
            _ => None,
        })
        .await;
    }

    /// Makes an edit and waits until it is durable.
    pub(crate) async fn edit(&mut self, cseq: u64) {
        self.op(cseq).await;
        self.durable(cseq).await;
    }

    /// `moved`, then the close that goes with it; says where to.
    pub(crate) async fn moved(&mut self) -> Option<Connect> {
        let connect =
            self.until(
                |message| if let ServerMessage::Moved(moved) = message { Some(moved.connect) } else { None },
            );
        let connect = connect.await;
        assert_eq!(self.close_code().await, segue_handover::wire::CLOSE_MOVED);
        connect
    }

    pub(crate) async fn leave(mut self) {
        match self.socket.close(None).await {
            Ok(()) | Err(tungstenite::Error::ConnectionClosed) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// One board's move, asked step by step.
pub(crate) struct Moving<'a> {
    pub(crate) name: &'a str,
    pub(crate) board: &'a str,
    pub(crate) from_epoch: u64,
    pub(crate) seal_ttl_ms: u64,
}

impl<'a> Moving<'a> {
    pub(crate) fn new(name: &'a str, board: &'a str, from_epoch: u64) -> Self {
        Self { name, board, from_epoch, seal_ttl_ms: 5_000 }
    }

    pub(crate) fn prepare_request(&self) -> PrepareRequest {
        PrepareRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            from_epoch: Epoch(self.from_epoch),
            ttl_ms: 60_000,
            attach_rate_per_s: None,
        }
    }

    /// Prepares and waits until the standby is ready.
    pub(crate) async fn prepare(&self, new: &Node) -> PrepareAnswer {
        loop {
            let answer = new.control.prepare(&self.prepare_request()).await.expect("prepares");
            if answer.state != PrepareState::Loading {
                return answer;
            }
        }
    }

    pub(crate) async fn wait_attached(&self, new: &Node, wanted: u32) {
        let request = self.prepare_request();
        eventually(async || new.control.prepare(&request).await.expect("prepares").attached >= wanted).await;
    }

    pub(crate) fn offer_request(&self, connect: &Connect) -> OfferRequest {
        OfferRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            connect: connect.clone(),
            rate_per_s: per_s(1_000),
            deadline_ms: 15_000,
        }
    }

    pub(crate) async fn offer(&self, old: &Node, connect: &Connect) -> OfferAnswer {
        old.control.offer(&self.offer_request(connect)).await.expect("offers")
    }

    pub(crate) fn seal_request(&self, standby_seq: Option<Seq>) -> SealRequest {
        SealRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            epoch: Epoch(self.from_epoch),
            seal_ttl_ms: self.seal_ttl_ms,
            standby_seq,
        }
    }

    pub(crate) async fn seal(&self, old: &Node, standby_seq: Option<Seq>) -> SealAnswer {
        old.control.seal(&self.seal_request(standby_seq)).await.expect("seals")
    }

    pub(crate) fn activate_request(&self, seal: SealAnswer) -> ActivateRequest {
        ActivateRequest {
            move_id: move_id(self.name),
            board: board_id(self.board),
            from_epoch: Epoch(self.from_epoch),
            final_seq: Some(seal.final_seq),
            delta: seal.delta,
            digest: seal.digest,
            force: false,
        }
    }

    pub(crate) async fn activate(&self, new: &Node, seal: SealAnswer) -> ActivateAnswer {
        new.control.activate(&self.activate_request(seal)).await.expect("activates")
    }

    pub(crate) async fn end(&self, node: &Node, outcome: Outcome) -> EndAnswer {
        let request = EndRequest { move_id: move_id(self.name), board: board_id(self.board), outcome };
        node.control.end(&request).await.expect("ends")
    }

    /// The whole way, for as many clients as attach by themselves.
    pub(crate) async fn run(&self, old: &Node, new: &Node) {
        let prepared = self.prepare(new).await;
        let offered = self.offer(old, &prepared.connect).await;
        self.wait_attached(new, offered.offered).await;
        let seal = self.seal(old, Some(prepared.seq)).await;
        let activated = self.activate(new, seal).await;
        assert_eq!(activated.epoch, Epoch(self.from_epoch + 1));
        self.end(old, Outcome::Release).await;
        self.end(new, Outcome::Release).await;
    }
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
