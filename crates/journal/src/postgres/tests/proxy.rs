//! A network between a store and its server that can be cut exactly around a commit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// `COMMIT` as a simple query (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// What a server says after it has committed.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// What happens to the next commit; once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    No,
    /// The server never sees it.
    Before,
    /// The server commits; its answer is lost with the connection.
    After,
    /// It arrives when whoever sent it has given up.
    Late,
}

const CUTS: [Cut; 4] = [Cut::No, Cut::Before, Cut::After, Cut::Late];

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    next: Arc<AtomicU8>,
    /// Ends the connections that there are, and tells neither side.
    silence: Arc<Notify>,
    /// A late commit has arrived.
    pub(super) arrived: Arc<Notify>,
}

impl Proxy {
    pub(super) async fn before(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let (next, arrived) = (Arc::new(AtomicU8::new(0)), Arc::new(Notify::new()));
        let silence = Arc::new(Notify::new());
        let (cuts, tell, silent) = (Arc::clone(&next), Arc::clone(&arrived), Arc::clone(&silence));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server =
                    TcpStream::connect(("127.0.0.1", server_port)).await.expect("the server listens");
                let (cuts, tell, silent) = (Arc::clone(&cuts), Arc::clone(&tell), Arc::clone(&silent));
                tokio::spawn(async move {
                    let mut carried = std::pin::pin!(carry(client, server, cuts, tell));
                    tokio::select! {
                        () = &mut carried => {}
                        // Both ends stay open, and hear nothing more.
                        () = silent.notified() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, next, silence, arrived }
    }

    /// As a firewall does that has forgotten its connections: those that there are carry nothing from now on.
    pub(super) fn fall_silent(&self) {
        self.silence.notify_waiters();
    }

    /// Of the next commit of any connection.
    pub(super) fn cut(&self, cut: Cut) {
        let place = CUTS.iter().position(|known| *known == cut).expect("it is in the list");
        self.next.store(u8::try_from(place).expect("a short list"), Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, server: TcpStream, next: Arc<AtomicU8>, arrived: Arc<Notify>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut buffer, mut answer) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = from_client.read(&mut buffer) => {
                let Ok(1..) = read else { return };
                let said = buffer[..read.unwrap_or(0)].to_vec();
                if said.ends_with(COMMIT) {
                    match CUTS[usize::from(next.swap(0, Ordering::SeqCst))] {
                        Cut::No => {}
                        Cut::Before => return,
                        Cut::After => return swallow(&said, &mut to_server, &mut from_server).await,
                        Cut::Late => {
                            // Nothing more comes from who has closed.
                            while matches!(from_client.read(&mut buffer).await, Ok(1..)) {}
                            swallow(&said, &mut to_server, &mut from_server).await;
                            return arrived.notify_one();
                        }
                    }
                }
                if to_server.write_all(&said).await.is_err() { return }
            }
            read = from_server.read(&mut answer) => {
                let Ok(1..) = read else { return };
                if to_client.write_all(&answer[..read.unwrap_or(0)]).await.is_err() { return }
            }
        }
    }
}

/// Brings a commit to the server, and its answer to nobody.
async fn swallow(commit: &[u8], to_server: &mut OwnedWriteHalf, from_server: &mut OwnedReadHalf) {
    to_server.write_all(commit).await.expect("the server is there");
    let mut answer = vec![0; 1024];
    let count = from_server.read(&mut answer).await.expect("the server answers");
    assert!(answer[..count].starts_with(COMMITTED), "the server did not commit: {:?}", &answer[..count]);
}
