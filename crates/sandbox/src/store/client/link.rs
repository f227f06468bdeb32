//! The connection behind [`super::StoreClient`]: sends, matches answers by id, connects again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::store::wire::{MAX_IN_FLIGHT, Refusal, Request, Response, ResponseFrame, codec};

/// The first wait before connecting again; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LAST_WAIT: Duration = Duration::from_millis(500);

/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

type Answer = Result<Response, Refusal>;
type Socket = Framed<TcpStream, LengthDelimitedCodec>;

/// A request, ready to be sent, and who waits for its answer.
#[derive(Debug)]
pub(super) struct Call {
    request: String,
    answer: oneshot::Sender<Answer>,
}

impl Call {
    pub(super) fn new(request: &Request, answer: oneshot::Sender<Answer>) -> Self {
        let request = serde_json::to_string(request).expect("requests are plain JSON");
        Self { request, answer }
    }

    /// The length of its frame, with room for the id.
    pub(super) fn bytes(&self) -> usize {
        self.request.len() + 64
    }

    fn frame(&self, id: u64) -> Bytes {
        format!("{{\"id\":{id},\"request\":{}}}", self.request).into()
    }
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    #[error("a frame is not an answer")]
    Answer(#[from] serde_json::Error),
    #[error("the store closed the connection")]
    Closed,
}

/// Serves calls until nobody can make one any more.
pub(super) async fn run(address: SocketAddr, mut calls: mpsc::Receiver<Call>) {
    let mut pending = BTreeMap::new();
    let mut next_id = 0;
    let mut wait = FIRST_WAIT;
    loop {
        match connect(address).await {
            Ok(socket) => {
                wait = FIRST_WAIT;
                match exchange(socket, &mut calls, &mut pending, &mut next_id).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%address, %error, "lost the store"),
                }
            }
            Err(error) => tracing::debug!(%address, %error, "the store is not there"),
        }
        if calls.is_closed() && calls.is_empty() {
            return;
        }
        tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        wait = (wait * 2).min(LAST_WAIT);
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<Socket> {
    let connecting = TcpStream::connect(address);
    let socket = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
    socket.set_nodelay(true)?;
    Ok(Framed::new(socket, codec()))
}

/// One connection's life: first what the last one left unanswered, then new calls and answers.
async fn exchange(
    socket: Socket,
    calls: &mut mpsc::Receiver<Call>,
    pending: &mut BTreeMap<u64, Call>,
    next_id: &mut u64,
) -> Result<(), Broken> {
    let (mut out, mut answers) = socket.split();
    pending.retain(|_, call: &mut Call| !call.answer.is_closed());
    for (id, call) in pending.iter() {
        out.feed(call.frame(*id)).await?;
    }
    out.flush().await?;
    let mut group = Vec::new();
    loop {
        let room = MAX_IN_FLIGHT.saturating_sub(pending.len());
        tokio::select! {
            count = calls.recv_many(&mut group, room), if room > 0 => {
                if count == 0 {
                    return Ok(());
                }
                // All are pending before the first is sent: what fails to go out goes out later.
                let first = *next_id + 1;
                for call in group.drain(..) {
                    *next_id += 1;
                    pending.insert(*next_id, call);
                }
                for (id, call) in pending.range(first..) {
                    out.feed(call.frame(*id)).await?;
                }
                out.flush().await?;
            }
            frame = answers.next() => match frame {
                Some(frame) => answered(&frame?, pending)?,
                None => return Err(Broken::Closed),
            },
        }
    }
}

fn answered(frame: &BytesMut, pending: &mut BTreeMap<u64, Call>) -> Result<(), Broken> {
    let ResponseFrame { id, response } = serde_json::from_slice(frame)?;
    if let Some(call) = pending.remove(&id) {
        // Its caller may have stopped waiting.
        drop(call.answer.send(response));
    }
    Ok(())
}
