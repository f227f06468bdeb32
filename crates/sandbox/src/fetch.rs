//! One bounded HTTP GET: for health checks and scrapes.
//!
//! A connection of its own each time, as the load balancer's health checks have; no redirects, no TLS.

use std::net::SocketAddrV4;
use std::time::Duration;

use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What to get, and within which limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch<'a> {
    pub(crate) address: SocketAddrV4,
    pub(crate) path: &'a str,
    pub(crate) agent: &'static str,
    /// For all of it: connect, head and body.
    pub(crate) timeout: Duration,
    pub(crate) body_max: usize,
}

/// Why nothing was got.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer in time")]
    Timeout,
    #[error("no connection, or no HTTP")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Gets the status and the body.
pub(crate) async fn fetch(what: Fetch<'_>) -> Result<(u16, Bytes), FetchError> {
    match tokio::time::timeout(what.timeout, get(what)).await {
        Ok(got) => got.map_err(FetchError::Connection),
        Err(_) => Err(FetchError::Timeout),
    }
}

async fn get(what: Fetch<'_>) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(what.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(what.path)
        .header(header::HOST, what.address.to_string())
        .header(header::USER_AGENT, what.agent)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), what.body_max).collect().await?;
        Ok((status, body.to_bytes()))
    };
    let mut exchange = std::pin::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        got = &mut exchange => got,
        // The connection ends before the exchange only when the body is complete or lost: the exchange knows.
        _ = &mut connection => exchange.await,
    }
}
