//! The smallest application that an instance can run: says who it is, echoes websockets, has a health to
//! change and one metric.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One application, and the status that its health check answers with.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    name: Arc<str>,
    health: Arc<AtomicU16>,
}

impl Echo {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), health: Arc::new(AtomicU16::new(200)) }
    }

    /// Serves both ports until the future is dropped.
    pub(crate) async fn serve(self, address: Ipv4Addr) -> std::io::Result<()> {
        let traffic = TcpListener::bind((address, 8080)).await?;
        let private = TcpListener::bind((address, 9000)).await?;
        let (traffic_routes, private_routes) = (self.traffic(), Self::private());
        tokio::select! {
            ended = axum::serve(traffic, traffic_routes).into_future() => ended,
            ended = axum::serve(private, private_routes).into_future() => ended,
        }
    }

    fn traffic(self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/health/{status}", post(set_health))
            .route("/ws", get(upgrade))
            .route("/who", get(who).post(who))
            .with_state(self)
    }

    fn private() -> Router {
        Router::new()
            .route("/metrics", get(|| async { "rtb_spaces_count 3\napp_errors_total{kind=\"x\"} 0.5\n" }))
    }
}

async fn health(State(echo): State<Echo>) -> StatusCode {
    StatusCode::from_u16(echo.health.load(Ordering::Relaxed)).unwrap_or(StatusCode::OK)
}

async fn set_health(State(echo): State<Echo>, Path(status): Path<u16>) {
    echo.health.store(status, Ordering::Relaxed);
}

async fn who(State(echo): State<Echo>, headers: HeaderMap, body: String) -> Json<Value> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Json(json!({"name": *echo.name, "forwarded_for": header("x-forwarded-for"), "body": body}))
}

async fn upgrade(State(echo): State<Echo>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve_socket(echo, socket))
}

async fn serve_socket(echo: Echo, mut socket: WebSocket) {
    if socket.send(Message::text(&*echo.name)).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let echoed = match message {
            Message::Text(_) | Message::Binary(_) => socket.send(message).await,
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => return,
        };
        if echoed.is_err() {
            return;
        }
    }
}
