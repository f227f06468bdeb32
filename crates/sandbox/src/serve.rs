//! Serves a router over HTTP/1.1 as axum does, but for one thing: a handler may have its connection closed
//! instead of answered, so that its client cannot know what became of the request.

use std::convert::Infallible;
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
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
    let service = service_fn(move |request| answer(router.clone(), request));
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

async fn answer(router: Router, request: hyper::Request<Incoming>) -> Result<Response, CutOff> {
    let answered: Result<Response, Infallible> = router.oneshot(request).await;
    let Ok(response) = answered;
    match response.extensions().get::<Cut>() {
        Some(Cut) => Err(CutOff),
        None => Ok(response),
    }
}
