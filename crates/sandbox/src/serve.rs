//! Serves a router over HTTP/1.1 as axum does, but for two things: a handler may have its connection closed
//! instead of answered, so that its client cannot know what became of the request; and it is told at which address
//! the sandbox was called, where one listener stands for many machines.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;

/// The address that a connection was made to; every request carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CalledAt(SocketAddr);

impl CalledAt {
    /// Instances have addresses of version 4 only; at any other nobody is found.
    pub(crate) const fn address(self) -> Ipv4Addr {
        match self.0.ip() {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// Marks a response that is not to be sent.
#[derive(Debug, Clone, Copy)]
struct Cut;

/// Ends a connection where a response would be.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct CutOff;

/// In place of a response: the connection is closed without one.
pub(crate) fn cut() -> Response {
    let mut response = ().into_response();
    response.extensions_mut().insert(Cut);
    response
}

/// Serves until `stop`; then every connection ends with the request that it is at, and all are gone when this
/// returns.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_many(listener, router, CONNECTIONS_MAX, stop).await;
}

/// The same for more connections, or fewer.
pub(crate) async fn serve_many(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(connections_max));
    let tasks = TaskTracker::new();
    stop.run_until_cancelled(accept(&listener, &router, &room, &tasks, &stop)).await;
    tasks.close();
    tasks.wait().await;
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    room: &Arc<Semaphore>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    // Nobody closes the semaphore, so there is always a permit to wait for.
    while let Ok(permit) = Arc::clone(room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = connection(stream, router.clone(), stop.clone());
                tasks.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: give those that are open a moment to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _delays = stream.set_nodelay(true);
    // A connection that has no address any more is one that has ended.
    let Ok(called_at) = stream.local_addr().map(CalledAt) else { return };
    let service = service_fn(move |request| answer(router.clone(), called_at, request));
    let mut connection =
        std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    router: Router,
    called_at: CalledAt,
    mut request: hyper::Request<Incoming>,
) -> Result<Response, CutOff> {
    request.extensions_mut().insert(called_at);
    let answered: Result<Response, Infallible> = router.oneshot(request).await;
    let Ok(response) = answered;
    match response.extensions().get::<Cut>() {
        Some(Cut) => Err(CutOff),
        None => Ok(response),
    }
}
