//! The websockets of one client, polled together: opening, open, and nothing in between.
//!
//! A socket that is closed by us is handed to a small task that waits, for a bounded time, until the
//! server has closed its side.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::state::SocketId;
use crate::wire::{SUBPROTOCOL, ServerMessage};

/// How long a connect and its handshake may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the server has to answer our close.
const CLOSE: Duration = Duration::from_secs(1);

/// Per socket; an idle one costs little more (128 KiB would be the library's own default).
const READ_BUFFER_BYTES: usize = 4 << 10;

/// What may wait to be written before the socket counts as broken.
const WRITE_BUFFER_BYTES: usize = 4 << 20;

/// The longest message that is read; a snapshot is a whole board.
const MESSAGE_BYTES: usize = 64 << 20;

type Stream = WebSocketStream<TcpStream>;

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("the address is no ws:// URL with a host")]
    Address,
    #[error("no connection")]
    Tcp(#[from] std::io::Error),
    #[error("no websocket")]
    Handshake(#[from] tungstenite::Error),
    #[error("no connection within {} s", CONNECT.as_secs())]
    Late,
}

type Opening = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

enum Stage {
    Opening(Opening),
    Open { stream: Box<Stream>, unflushed: bool, code: Option<u16> },
}

/// What a socket has to tell.
#[derive(Debug)]
pub(super) enum Heard {
    Opened(SocketId),
    Message(SocketId, ServerMessage),
    /// The server sent a ping.
    Alive(SocketId),
    /// `was_open`: it did not fail while it was being opened.
    Closed {
        socket: SocketId,
        code: Option<u16>,
        was_open: bool,
    },
}

/// See the module.
#[derive(Default)]
pub(super) struct Sockets {
    /// Two or three at the most.
    sockets: Vec<(SocketId, Stage)>,
    /// Closed while being written to; told at the next poll.
    broken: VecDeque<SocketId>,
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sockets.iter().map(|(socket, _)| socket)).finish()
    }
}

impl Sockets {
    pub(super) fn open(&mut self, socket: SocketId, url: Option<Url>) {
        let opening = async {
            match tokio::time::timeout(CONNECT, connect(url.ok_or(ConnectError::Address)?)).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectError::Late),
            }
        };
        self.sockets.push((socket, Stage::Opening(Box::pin(opening))));
    }

    /// Takes a frame; it goes out at the next poll.
    pub(super) fn send(&mut self, socket: SocketId, text: String) {
        let Some((_, Stage::Open { stream, unflushed, .. })) =
            self.sockets.iter_mut().find(|(other, _)| *other == socket)
        else {
            return;
        };
        *unflushed = true;
        if let Err(error) = stream.start_send_unpin(Message::text(text)) {
            tracing::debug!(?socket, %error, "a websocket takes no more");
            if !self.broken.contains(&socket) {
                self.broken.push_back(socket);
            }
        }
    }

    /// Closes with 1000. Says whether the socket was open.
    pub(super) fn close(&mut self, socket: SocketId) -> bool {
        let Some(place) = self.sockets.iter().position(|(other, _)| *other == socket) else {
            return false;
        };
        match self.sockets.swap_remove(place).1 {
            Stage::Opening(_) => false,
            Stage::Open { stream, .. } => {
                tokio::spawn(tokio::time::timeout(CLOSE, close(*stream)));
                true
            }
        }
    }

    /// Flushes what was sent and says what happened next on any socket.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        while let Some(socket) = self.broken.pop_front() {
            let place = self.sockets.iter().position(|(other, _)| *other == socket);
            // Without a place it was closed by us since, and nobody asks any more.
            if let Some(place) = place {
                self.sockets.swap_remove(place);
                return Poll::Ready(Heard::Closed { socket, code: None, was_open: true });
            }
        }
        for place in 0..self.sockets.len() {
            let Some((socket, stage)) = self.sockets.get_mut(place) else { break };
            let socket = *socket;
            let heard = match stage {
                Stage::Opening(opening) => match opening.as_mut().poll(cx) {
                    Poll::Pending => continue,
                    Poll::Ready(Ok(stream)) => {
                        *stage = Stage::Open { stream: Box::new(stream), unflushed: false, code: None };
                        return Poll::Ready(Heard::Opened(socket));
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(?socket, %error, "a websocket could not be opened");
                        Heard::Closed { socket, code: None, was_open: false }
                    }
                },
                Stage::Open { stream, unflushed, code } => {
                    match poll_open(socket, stream, unflushed, code, cx) {
                        Poll::Pending => continue,
                        Poll::Ready(heard) => heard,
                    }
                }
            };
            if matches!(heard, Heard::Closed { .. }) {
                self.sockets.swap_remove(place);
            }
            return Poll::Ready(heard);
        }
        Poll::Pending
    }
}

fn poll_open(
    socket: SocketId,
    stream: &mut Stream,
    unflushed: &mut bool,
    code: &mut Option<u16>,
    cx: &mut Context<'_>,
) -> Poll<Heard> {
    let closed = |code| Poll::Ready(Heard::Closed { socket, code, was_open: true });
    if *unflushed {
        match stream.poll_flush_unpin(cx) {
            Poll::Ready(Ok(())) => *unflushed = false,
            Poll::Ready(Err(_)) => return closed(*code),
            Poll::Pending => {}
        }
    }
    loop {
        match stream.poll_next_unpin(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(Message::Text(text)))) => match ServerMessage::parse(&text) {
                Ok(message) => return Poll::Ready(Heard::Message(socket, message)),
                Err(error) => {
                    tracing::warn!(?socket, %error, "the server said something that is no message");
                    return closed(None);
                }
            },
            Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                *code = frame.map(|frame| u16::from(frame.code));
            }
            // The library answers it by itself.
            Poll::Ready(Some(Ok(Message::Ping(_)))) => return Poll::Ready(Heard::Alive(socket)),
            Poll::Ready(Some(Ok(Message::Binary(_) | Message::Pong(_) | Message::Frame(_)))) => {}
            Poll::Ready(Some(Err(_)) | None) => return closed(*code),
        }
    }
}

async fn connect(url: Url) -> Result<Stream, ConnectError> {
    let host = url.host_str().filter(|_| url.scheme() == "ws").ok_or(ConnectError::Address)?;
    let port = url.port_or_known_default().ok_or(ConnectError::Address)?;
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    let mut request = url.as_str().into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let (stream, _response) = client_async_with_config(request, tcp, Some(config)).await?;
    Ok(stream)
}

async fn close(mut stream: Stream) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    if stream.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = stream.next().await {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sockets with one that is open, and what it leads to.
    #[expect(clippy::result_large_err, reason = "what the library wants to be called with")]
    async fn open() -> (Sockets, SocketId, Stream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap()).parse().unwrap();
        let accept = async {
            let (stream, _) = listener.accept().await.unwrap();
            let echo = |_: &_, mut response: tungstenite::handshake::server::Response| {
                let protocol = HeaderValue::from_static(SUBPROTOCOL);
                response.headers_mut().insert("sec-websocket-protocol", protocol);
                Ok(response)
            };
            tokio_tungstenite::accept_hdr_async(stream, echo).await.unwrap()
        };
        let (mut sockets, socket) = (Sockets::default(), SocketId(1));
        sockets.open(socket, Some(url));
        let (opened, peer) = tokio::join!(std::future::poll_fn(|cx| sockets.poll(cx)), accept);
        assert!(matches!(opened, Heard::Opened(opened) if opened == socket));
        (sockets, socket, peer)
    }

    /// Everything that there is to tell now.
    fn told(sockets: &mut Sockets) -> Vec<Heard> {
        let mut told = Vec::new();
        while let Poll::Ready(heard) = sockets.poll(&mut Context::from_waker(std::task::Waker::noop())) {
            told.push(heard);
        }
        told
    }

    #[tokio::test]
    async fn a_ping_is_a_sign_of_life() {
        let (mut sockets, socket, mut peer) = open().await;
        peer.send(Message::Ping(Vec::new().into())).await.unwrap();
        let heard = std::future::poll_fn(|cx| sockets.poll(cx)).await;
        assert!(matches!(heard, Heard::Alive(alive) if alive == socket));
    }

    #[tokio::test]
    async fn a_socket_that_breaks_under_several_frames_is_told_closed_once() {
        let (mut sockets, socket, _peer) = open().await;
        // Each is more than may wait.
        for _ in 0..3 {
            sockets.send(socket, "x".repeat(WRITE_BUFFER_BYTES + 1));
        }
        let told = told(&mut sockets);
        assert!(matches!(told[..], [Heard::Closed { was_open: true, .. }]), "{told:?}");
    }

    #[tokio::test]
    async fn a_socket_that_broke_and_was_closed_since_is_not_told_again() {
        let (mut sockets, socket, _peer) = open().await;
        sockets.send(socket, "x".repeat(WRITE_BUFFER_BYTES + 1));
        assert!(sockets.close(socket), "it counts as open until it is told");
        assert_eq!(told(&mut sockets).len(), 0);
    }
}
