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
            self.broken.push_back(socket);
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
        if let Some(socket) = self.broken.pop_front() {
            self.sockets.retain(|(other, _)| *other != socket);
            return Poll::Ready(Heard::Closed { socket, code: None, was_open: true });
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
