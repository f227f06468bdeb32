//! One websocket connection: its first message, then a loop between the client and its board.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::lookup::NoBoard;
use super::paced::{Haste, QueueFull};
use super::slot::{Link, Out, Slot};
use super::{Inner, Server};
use crate::auth::is_attach_token;
use crate::board::{Board, ConnId, Effects, Newcomer, Shut, Speaks};
use crate::wire::{
    Attach, BoardId, CLOSE_MOVED, CLOSE_OVERLOADED, CLOSE_PROTOCOL, CLOSE_REPLACED, Cancel, ClientMessage,
    Hello, MoveId, SUBPROTOCOL, ServerMessage,
};

/// Messages written before the socket is flushed.
const WRITE_BATCH: usize = 64;
/// How long a client may take to answer a close.
const CLOSE_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

const CLOSE_NORMAL: u16 = 1000;

/// Why a connection ends, from this side.
enum End {
    /// The client is gone; there is nobody to tell.
    Gone,
    Close(u16, &'static str),
}

impl Server {
    /// Takes a websocket upgrade for a board. Who may join is the application's decision and was made
    /// before. The route that leads here is the application's own.
    pub fn upgrade(&self, upgrade: WebSocketUpgrade, board: BoardId) -> Response {
        let limits = self.0.config.sockets;
        let server = Arc::clone(&self.0);
        upgrade
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(limits.read_buffer_bytes)
            .max_message_size(limits.message_bytes)
            .max_frame_size(limits.message_bytes)
            .protocols([SUBPROTOCOL])
            .on_upgrade(move |socket| async move { serve(server, socket, board).await })
            .into_response()
    }
}

async fn serve(server: Arc<Inner>, mut socket: WebSocket, board: BoardId) {
    let is_handover = socket.protocol().is_some_and(|protocol| protocol.as_bytes() == SUBPROTOCOL.as_bytes());
    let speaks = if is_handover { Speaks::Handover } else { Speaks::Plain };
    let who = Newcomer { conn: server.next_conn(), speaks };
    let (link, mut queue) = mpsc::channel(server.config.sockets.queue.get());
    let end = match arrive(&server, &mut socket, who, link, &board).await {
        Ok(slot) => {
            let end = converse(&server, &mut socket, &slot, who.conn, &mut queue).await;
            slot.leave(who.conn);
            end
        }
        Err(end) => end,
    };
    drop(server);
    match end {
        End::Gone => {}
        End::Close(code, reason) => close(&mut socket, code, reason).await,
    }
}

/// Hears the first message and brings the client to its board.
async fn arrive(
    server: &Arc<Inner>,
    socket: &mut WebSocket,
    who: Newcomer,
    link: Link,
    board: &BoardId,
) -> Result<Arc<Slot>, End> {
    let first = tokio::time::timeout(server.config.sockets.first_message, next_text(socket));
    let Ok(first) = first.await else { return Err(End::Close(CLOSE_PROTOCOL, "no first message")) };
    match ClientMessage::parse(first?.as_str()) {
        Ok(ClientMessage::Hello(hello)) => join(server, who, link, board, &hello),
        Ok(ClientMessage::Attach(attach)) => self::attach(server, socket, who, link, board, attach).await,
        Ok(ClientMessage::Op(_) | ClientMessage::Resume(_)) | Err(_) => {
            server.health.count_error();
            Err(End::Close(CLOSE_PROTOCOL, "begin with hello or attach"))
        }
    }
}

fn join(
    server: &Arc<Inner>,
    who: Newcomer,
    link: Link,
    board: &BoardId,
    hello: &Hello,
) -> Result<Arc<Slot>, End> {
    let event = |board: &mut Board, now, fx: &mut Effects| board.join(now, who, hello.clone(), fx);
    match server.on_board(Some(&(who.conn, link)), || server.slot_or_full(board), event) {
        Ok((slot, ())) => Ok(slot),
        Err(NoBoard::Full) => Err(End::Close(CLOSE_OVERLOADED, "as many boards as there may be")),
        Err(NoBoard::Unknown | NoBoard::Unsettled) => {
            Err(End::Close(CLOSE_OVERLOADED, "the board does not settle"))
        }
        Err(NoBoard::Stopping) => Err(End::Gone),
    }
}

/// Whose board has been switched waits with held edits, and is soon sent away: he goes first.
async fn turn(server: &Arc<Inner>, board: &BoardId, move_id: &MoveId) -> Result<(), QueueFull> {
    let Ok(slot) = server.slot(board) else { return server.admission.admit(Haste::None).await };
    tokio::select! {
        biased;
        () = slot.switched(move_id) => {}
        turn = server.admission.admit(Haste::None) => return turn,
    }
    server.admission.admit(Haste::First).await
}

async fn attach(
    server: &Arc<Inner>,
    socket: &mut WebSocket,
    who: Newcomer,
    link: Link,
    board: &BoardId,
    attach: Attach,
) -> Result<Arc<Slot>, End> {
    let Attach { move_id, token, client, last_seq: _ } = attach;
    if !is_attach_token(&server.settings.key, &move_id, board, &client, &token) {
        server.health.count_error();
        return Err(End::Close(CLOSE_PROTOCOL, "the token does not fit"));
    }
    tokio::select! {
        turn = turn(server, board, &move_id) => {
            if turn.is_err() {
                return Err(End::Close(CLOSE_OVERLOADED, "too many attaches wait"));
            }
        }
        // Nothing is to be said before `attached`.
        said = next_text(socket) => {
            said?;
            return Err(End::Close(CLOSE_PROTOCOL, "nothing may be said before attached"));
        }
    }
    let event = |board: &mut Board, _, fx: &mut Effects| {
        board.attach(who, client.clone(), move_id.clone(), fx);
    };
    match server.on_board(Some(&(who.conn, link)), || server.slot(board), event) {
        Ok((slot, ())) => return Ok(slot),
        Err(NoBoard::Stopping) => return Err(End::Gone),
        // Nothing is known of the move here: it was called off, or this server was started anew.
        Err(NoBoard::Unknown | NoBoard::Full | NoBoard::Unsettled) => {}
    }
    let cancel = ServerMessage::Cancel(Cancel { move_id });
    match socket.send(Message::text(cancel.to_text())).await {
        Ok(()) => Err(End::Close(CLOSE_NORMAL, "")),
        Err(_gone) => Err(End::Gone),
    }
}

/// Between client and board until one of them ends it.
async fn converse(
    server: &Inner,
    socket: &mut WebSocket,
    slot: &Arc<Slot>,
    conn: ConnId,
    queue: &mut mpsc::Receiver<Out>,
) -> End {
    let limits = server.config.sockets;
    let mut heard_at = Instant::now();
    let mut ping_at = heard_at + limits.ping_every;
    loop {
        tokio::select! {
            message = socket.recv() => {
                heard_at = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => match ClientMessage::parse(text.as_str()) {
                        Ok(ClientMessage::Op(op)) => {
                            slot.apply(|board, now, fx| board.op(now, conn, op, fx));
                        },
                        Ok(ClientMessage::Resume(resume)) => {
                            slot.apply(|board, _, fx| board.resume(conn, resume.from, fx));
                        }
                        Ok(ClientMessage::Hello(_) | ClientMessage::Attach(_)) | Err(_) => {
                            server.health.count_error();
                            return End::Close(CLOSE_PROTOCOL, "not a message for this moment");
                        }
                    },
                    Some(Ok(Message::Binary(_))) => return End::Close(CLOSE_PROTOCOL, "text frames only"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                }
            }
            out = queue.recv() => {
                let write = write_batch(socket, queue, out);
                match tokio::time::timeout(limits.write, write).await {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(end))) => return end,
                    Ok(Err(_)) | Err(_) => return End::Gone,
                }
            }
            () = tokio::time::sleep_until(ping_at) => {
                if heard_at.elapsed() >= limits.silent_for {
                    return End::Gone;
                }
                ping_at = Instant::now() + limits.ping_every;
                let ping = socket.send(Message::Ping(axum::body::Bytes::new()));
                if !matches!(tokio::time::timeout(limits.write, ping).await, Ok(Ok(()))) {
                    return End::Gone;
                }
            }
        }
    }
}

/// Writes what is queued, flushes once. What is taken from the queue is written: the rest stays there.
async fn write_batch(
    socket: &mut WebSocket,
    queue: &mut mpsc::Receiver<Out>,
    first: Option<Out>,
) -> Result<Option<End>, axum::Error> {
    let mut next = first;
    for room in (0..WRITE_BATCH).rev() {
        match next {
            Some(Out::Text(text)) => socket.feed(Message::Text(text)).await?,
            Some(Out::Close(shut)) => {
                let (code, reason) = close_code(shut);
                return Ok(Some(End::Close(code, reason)));
            }
            // The board let go of this connection because its queue was full.
            None => return Ok(Some(End::Close(CLOSE_OVERLOADED, "too slow"))),
        }
        if room == 0 {
            break;
        }
        match queue.try_recv() {
            Ok(out) => next = Some(out),
            Err(mpsc::error::TryRecvError::Empty) => break,
            Err(mpsc::error::TryRecvError::Disconnected) => next = None,
        }
    }
    socket.flush().await?;
    Ok(None)
}

fn close_code(shut: Shut) -> (u16, &'static str) {
    match shut {
        Shut::Normal => (CLOSE_NORMAL, ""),
        Shut::Moved => (CLOSE_MOVED, "moved"),
        Shut::Replaced => (CLOSE_REPLACED, "another connection of this client took over"),
        Shut::Overloaded => (CLOSE_OVERLOADED, "overloaded"),
    }
}

/// Says why, then waits a moment for the client to hear it.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let farewell = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whoever does not answer is dropped.
    drop(tokio::time::timeout(CLOSE_WAIT, farewell).await);
}

/// The next text frame, past pings.
async fn next_text(socket: &mut WebSocket) -> Result<Utf8Bytes, End> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::Close(CLOSE_PROTOCOL, "text frames only")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        }
    }
}
