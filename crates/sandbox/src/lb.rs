//! The load balancer's data plane: HTTP/1.1 and websockets, as an Application Load Balancer routes them.
//!
//! Each request is routed on its own; a socket that was upgraded stays with its target whatever the weights
//! do. HTTP is hyper's work on both sides; after a 101 its buffers are given up and the two sockets are
//! spliced (`splice`), so that an idle websocket costs no buffer here. There is no TLS, no HTTP/2, no
//! stickiness, and no second try after a failed connect.

mod page;
mod proxy;
mod splice;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::Connections;
use crate::shared::Shared;

/// Read and write buffer of one HTTP connection, in bytes; hyper takes no less. Gone after an upgrade.
const HTTP_BUFFER: usize = 8 * 1024;

/// The load balancer's limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LbSettings {
    /// A socket without a byte in either direction for this long is closed; also the limit for a target's
    /// answer to begin.
    pub(crate) idle_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    /// Client connections at once; more wait in the kernel's queue.
    pub(crate) connections_max: usize,
}

/// What every connection works with.
#[derive(Debug)]
struct Lb {
    settings: LbSettings,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    /// Which of the load balancers it is, from 0.
    place: usize,
    port: u16,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Lb {
    /// Carries one connection on until it ends or the load balancer does.
    fn carry(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(connection));
    }
}

/// Serves the load balancer at a place until `stop`; then every connection is closed, and those of clients and
/// targets alike are gone when this returns.
pub(crate) async fn run(
    (place, listener): (usize, TcpListener),
    settings: LbSettings,
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    stop: CancellationToken,
) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let room = Arc::new(Semaphore::new(settings.connections_max));
    let tasks = TaskTracker::new();
    let lb = Arc::new(Lb { settings, shared, connections, place, port, tasks, stop });
    lb.stop.run_until_cancelled(accept(&lb, &listener, &room)).await;
    lb.tasks.close();
    lb.tasks.wait().await;
}

/// Takes clients as long as there is room for them.
async fn accept(lb: &Arc<Lb>, listener: &TcpListener, room: &Arc<Semaphore>) {
    // Nobody closes the semaphore, so there is always a permit to wait for.
    while let Ok(permit) = Arc::clone(room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => lb.carry(serve(Arc::clone(lb), stream, peer, Arc::new(permit))),
            Err(error) => {
                // Out of descriptors, most likely: give those that are open a moment to end.
                tracing::warn!(%error, "a client's connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// A place among the connections, held as long as anything of a connection lives.
type Permit = Arc<tokio::sync::OwnedSemaphorePermit>;

async fn serve(lb: Arc<Lb>, stream: TcpStream, peer: SocketAddr, permit: Permit) {
    let _delays = stream.set_nodelay(true);
    let idle = lb.settings.idle_timeout;
    let service =
        service_fn(move |request| proxy::answer(Arc::clone(&lb), peer, Arc::clone(&permit), request));
    let mut http = http1::Builder::new();
    http.max_buf_size(HTTP_BUFFER).timer(TokioTimer::new()).header_read_timeout(idle);
    let served = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client's connection ended early");
    }
}
