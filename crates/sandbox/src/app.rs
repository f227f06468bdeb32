//! The demo application: boards that keep what people put on them, over the handover library and the
//! sandbox's store.
//!
//! It is what an application that adopts the contract looks like, and small on purpose: a document, a
//! few routes, a metrics page. Everything that makes a move go unnoticed is in the library. It has no users
//! of its own and lets everybody onto every board.

mod document;
mod metrics;
mod page;
mod plant;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::serve::{Listener, ListenerExt as _};
use axum::{Json, Router};
use segue_handover::auth::Key;
use segue_handover::server::{Server, ServerConfig};
use segue_handover::wire::{BoardId, Connect, Formats, Level, Route, ServerId};
use tokio::net::TcpListener;
use url::Url;

use crate::ports;
use crate::sabotage::Sabotage;
use crate::store::client::StoreClient;

pub use document::Notes;

/// The most attaches that a server admits in a second, unless it is told otherwise.
pub(crate) const ATTACH_RATE_PER_S: NonZeroU32 = NonZeroU32::new(1_000).expect("it is not zero");
/// How long a board without clients stays open, unless a server is told otherwise.
pub(crate) const LINGER_MS: u64 = 1_000;

/// How the application is started. An instance gives it all of this in the environment.
#[derive(Clone, clap::Args)]
pub struct AppArgs {
    /// The id of the instance; the daemon addresses its calls to it.
    #[arg(long, env = "INSTANCE_ID")]
    pub instance_id: ServerId,
    /// The address to listen on.
    #[arg(long, env = "PRIVATE_IP", default_value = "127.0.0.1")]
    pub private_ip: IpAddr,
    /// The port for users.
    #[arg(long, env = "TRAFFIC_PORT", default_value_t = ports::TRAFFIC)]
    pub traffic_port: u16,
    /// The port for control calls and metrics.
    #[arg(long, env = "CONTROL_PORT", default_value_t = ports::PRIVATE)]
    pub control_port: u16,
    /// The route slot that leads here, when it is known from the start.
    #[arg(long, env = "ROUTE")]
    pub route: Option<Route>,
    /// The secret that the daemon signs with.
    #[arg(long, env = "HANDOVER_KEY", hide_env_values = true)]
    pub handover_key: String,
    /// The store that all servers share.
    #[arg(long, env = "STORE_ADDR")]
    pub store_addr: SocketAddr,
    /// The load balancer, as users see it.
    #[arg(long, env = "LB_URL")]
    pub lb_url: Url,
    /// Of other load balancers: the end of the routes that lead through each, and its URL, as `-2=http://…`.
    #[arg(long, env = "LB_URLS_BY_ROUTE", value_delimiter = ',', value_parser = parse_lb_of_routes)]
    pub lb_urls_by_route: Vec<(String, Url)>,
    /// The version that this program is taken for.
    #[arg(long, env = "VERSION", default_value = "1")]
    pub app_version: String,
    /// How much of the handover contract is offered, 0 to 3.
    #[arg(long, env = "APP_LEVEL", default_value = "2", value_parser = parse_level)]
    pub app_level: Level,
    /// The most attaches admitted per second.
    #[arg(long, env = "ATTACH_RATE_PER_S", default_value_t = ATTACH_RATE_PER_S)]
    pub attach_rate_per_s: NonZeroU32,
    /// How long a board without clients stays open.
    #[arg(long, env = "LINGER_MS", default_value_t = LINGER_MS)]
    pub linger_ms: u64,
    /// A fault that is planted on purpose.
    #[arg(long, env = "SABOTAGE", hide = true)]
    pub sabotage: Option<Sabotage>,
}

impl std::fmt::Debug for AppArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppArgs")
            .field("instance_id", &self.instance_id)
            .field("app_version", &self.app_version)
            .finish_non_exhaustive()
    }
}

fn parse_level(text: &str) -> Result<Level, String> {
    let number: u8 = text.parse().map_err(|error| format!("{error}"))?;
    Level::try_from(number).map_err(|error| error.to_string())
}

/// Runs until it is killed, or until one of its ports fails.
pub async fn run(args: AppArgs) -> anyhow::Result<()> {
    let traffic = listen(args.private_ip, args.traffic_port).await?;
    let control = listen(args.private_ip, args.control_port).await?;
    let store = plant::store(StoreClient::connect(args.store_addr), args.sabotage);
    let server = Server::start(config(&args)?, store);
    let started_at_s = jiff::Timestamp::now().as_second();
    let app = App { server, version: args.app_version.into(), instance: args.instance_id };
    let control_routes = metrics::router(app.server.clone(), started_at_s).merge(app.server.control_router());
    let control_routes = plant::counted(control_routes, app.server.clone(), args.sabotage);
    tokio::try_join!(serve(traffic, traffic_router(app)), serve(control, control_routes))?;
    Ok(())
}

async fn listen(address: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((address, port)).await.with_context(|| format!("cannot listen on {address}:{port}"))
}

async fn serve(listener: TcpListener, routes: Router) -> anyhow::Result<()> {
    // An edit is one small packet; it must not wait for a second one.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let address = listener.local_addr()?;
    axum::serve(listener, routes).await.with_context(|| format!("{address} stopped serving"))
}

fn config(args: &AppArgs) -> anyhow::Result<ServerConfig> {
    let key = Key::new(args.handover_key.as_bytes()).context("HANDOVER_KEY is no key")?;
    let new_document = Arc::new(|_: &BoardId| Notes::empty());
    let mut config = ServerConfig::new(args.instance_id.clone(), key, connect(&args.lb_url)?, new_document);
    config.version.clone_from(&args.app_version);
    config.formats = Formats { reads: vec!["notes-1".to_owned()], writes: "notes-1".to_owned() };
    config.level = args.app_level;
    config.route.clone_from(&args.route);
    for (end, url) in &args.lb_urls_by_route {
        config.connect_by_route.push((end.clone(), connect(url)?));
    }
    config.attach_rate_per_s = args.attach_rate_per_s;
    config.boards.linger = Duration::from_millis(args.linger_ms);
    Ok(config)
}

/// Where clients find a board on this server: through the load balancer, by its route slot.
fn connect(lb_url: &Url) -> anyhow::Result<Connect> {
    let scheme = if lb_url.scheme() == "https" { "wss" } else { "ws" };
    let host = lb_url.host_str().context("LB_URL has no host")?;
    let port = lb_url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let connect = format!("{scheme}://{host}{port}/board/{{board}}?srv={{route}}");
    Connect::parse(&connect).context("LB_URL leads nowhere")
}

pub(crate) fn parse_lb_of_routes(text: &str) -> Result<(String, Url), String> {
    let (end, url) = text.split_once('=').ok_or("it is not written END=URL")?;
    Ok((end.to_owned(), Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?))
}

#[derive(Debug, Clone)]
struct App {
    server: Server,
    version: Arc<str>,
    instance: ServerId,
}

fn traffic_router(app: App) -> Router {
    Router::new()
        .route("/", get(banner))
        .route("/health", get(health))
        .route("/version", get(version))
        .route("/board/{board}", get(board))
        .with_state(app)
}

async fn banner(State(app): State<App>) -> Html<String> {
    Html(page::banner(&app.version, &app.instance))
}

async fn health() -> &'static str {
    "ok\n"
}

async fn version(State(app): State<App>) -> Response {
    let answer = serde_json::json!({ "version": &*app.version, "instance": app.instance });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

async fn board(State(app): State<App>, Path(board): Path<String>, upgrade: WebSocketUpgrade) -> Response {
    match BoardId::parse(&board) {
        Ok(board) => app.server.upgrade(upgrade, board),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_led_through_the_load_balancer_by_the_route_slot() {
        let url = |text| Url::parse(text).unwrap();
        assert_eq!(
            connect(&url("http://127.0.0.1:4000")).unwrap().as_str(),
            "ws://127.0.0.1:4000/board/{board}?srv={route}"
        );
        assert_eq!(
            connect(&url("https://live.example.com/")).unwrap().as_str(),
            "wss://live.example.com/board/{board}?srv={route}"
        );
    }

    #[test]
    fn a_load_balancer_is_known_by_the_end_of_its_routes() {
        let url = Url::parse("http://127.0.0.1:4001").unwrap();
        assert_eq!(parse_lb_of_routes("-2=http://127.0.0.1:4001"), Ok(("-2".to_owned(), url)));
        assert!(parse_lb_of_routes("-2").is_err() && parse_lb_of_routes("-2=nowhere").is_err());
    }

    #[test]
    fn a_level_is_a_number_from_nought_to_three() {
        assert_eq!(parse_level("2"), Ok(Level::Warm));
        assert!(parse_level("4").is_err());
        assert!(parse_level("warm").is_err());
    }
}
