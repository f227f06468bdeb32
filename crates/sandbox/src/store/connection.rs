//! One client's connection: frames in, requests to the writer, answers out, many in flight.
//!
//! It deliberately understands no request. A frame that is not one ends the connection.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::wire::{MAX_FRAME_BYTES, MAX_IN_FLIGHT, Refusal, RequestFrame, ResponseFrame, codec};
use super::writer::Asked;

/// Why a connection ended before its client closed it.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    #[error("a frame is not a request")]
    Request(#[from] serde_json::Error),
}

/// Serves one connection until either side ends it.
pub(super) async fn serve(socket: TcpStream, peer: SocketAddr, writer: mpsc::Sender<Asked>) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    let (read, write) = socket.into_split();
    let (answer, answers) = mpsc::channel(MAX_IN_FLIGHT);
    let in_flight = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let ended = tokio::select! {
        ended = take(FramedRead::new(read, codec()), &in_flight, writer, answer) => ended,
        ended = tell(FramedWrite::new(write, codec()), &in_flight, answers) => ended,
    };
    if let Err(error) = ended {
        tracing::warn!(%peer, %error, "a connection to the store broke");
    }
}

async fn take(
    mut frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    in_flight: &Semaphore,
    writer: mpsc::Sender<Asked>,
    answer: mpsc::Sender<ResponseFrame>,
) -> Result<(), Broken> {
    while let Some(frame) = frames.next().await {
        let frame: RequestFrame = serde_json::from_slice(&frame?)?;
        // Given back by `tell` when the answer is out; the semaphore is never closed.
        let Ok(permit) = in_flight.acquire().await else { return Ok(()) };
        permit.forget();
        if writer.send(Asked { frame, answer: answer.clone() }).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn tell(
    mut frames: FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>,
    in_flight: &Semaphore,
    mut answers: mpsc::Receiver<ResponseFrame>,
) -> Result<(), Broken> {
    let mut group = Vec::new();
    loop {
        let count = answers.recv_many(&mut group, MAX_IN_FLIGHT).await;
        if count == 0 {
            return Ok(());
        }
        for response in group.drain(..) {
            frames.feed(encode(&response)?).await?;
        }
        SinkExt::<Bytes>::flush(&mut frames).await?;
        in_flight.add_permits(count);
    }
}

fn encode(response: &ResponseFrame) -> Result<Bytes, serde_json::Error> {
    let id = response.id;
    let text = serde_json::to_vec(response)?;
    if text.len() <= MAX_FRAME_BYTES {
        return Ok(text.into());
    }
    let what = format!("{} bytes in one answer", text.len());
    let response = Err(Refusal::Full { what });
    serde_json::to_vec(&ResponseFrame { id, response }).map(Bytes::from)
}
