//! The client's rules as a pure state machine: what happened goes in, what to do comes out.
//!
//! No socket, no clock, no randomness, so that every order of events can be tried. The rules are
//! those of the contract, section "Client rules"; each is named where it is kept. The machine works
//! with at most three sockets: `main` takes the edits, `standby` waits for a move's `go`, `old` is
//! read to its end after a move.

mod joining;
mod moves;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod world;

use std::time::Duration;

use super::outbox::{Outbox, TooManyEdits, WrongNumber};
use super::timing::Timing;
use super::view::{Heard, View};
use crate::wire::{
    Ack, ClientId, ClientMessage, Connect, Cseq, Epoch, MoveId, Op, Payload, Resume, Seq, ServerMessage,
    Snapshot, Token, Update,
};

/// Names one socket for ever; numbers are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub(super) u64);

/// Where a socket leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Where anybody begins.
    FrontDoor,
    /// Where a server said.
    At(Connect),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Opened(SocketId),
    Message(SocketId, ServerMessage),
    /// The server is there, and says nothing by it: a ping.
    Alive(SocketId),
    /// Also: it could not be opened. `code` is what the server gave as its reason, if it did.
    Closed {
        socket: SocketId,
        code: Option<u16>,
    },
    /// A timer that was set ran out.
    Due(Timer),
    /// Go when everything is durable.
    Leave,
    /// Go now.
    LeaveNow,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Open {
        socket: SocketId,
        target: Target,
    },
    Send {
        socket: SocketId,
        message: ClientMessage,
    },
    /// With 1000. The socket is not spoken of again.
    Close(SocketId),
    /// Replaces a timer of the same name.
    Set(Timer, Duration),
    Clear(Timer),
    /// For whoever uses the client.
    Tell(Told),
}

/// What the user of the client hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Served by `version`. `again`: how often this was preceded by another join; after the first
    /// each is a reconnect that somebody was forced to.
    Joined { epoch: Epoch, version: String, again: u32 },
    /// All edits up to here are in the board.
    Applied(Cseq),
    /// All edits up to here are in the database.
    Durable(Cseq),
    /// The next edit of the board, in order.
    Update(Update),
    /// The whole board; the next update follows on it.
    Snapshot(Snapshot),
    /// The second socket waits at the new server.
    Attached(MoveId),
    /// Edits wait from here to `Switched` or `Unsealed`.
    Sealed(Epoch),
    /// Edits go to the new server from here on.
    Switched { move_id: MoveId, epoch: Epoch },
    /// Edits go to the same server again.
    Unsealed(Epoch),
    /// The second socket was given up; nothing else changes.
    MoveGivenUp(MoveId),
    /// The server named another; edits wait.
    SentAway,
    /// The connection that takes edits is gone; edits wait.
    Lost { code: Option<u16> },
    /// The server breaks the contract about edits. The client joins again; whoever sees this should
    /// not trust the server with data.
    Broken(WrongNumber),
    /// Nothing more will come. `unacknowledged`: edits that never became durable as far as known.
    Left { unacknowledged: usize },
}

/// What can run out. At most one of each name runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Join again.
    Rejoin,
    /// No `welcome` came.
    Join,
    /// No `go` and no `cancel` came.
    OfferDeadline,
    /// Try the second socket again.
    Reattach,
    /// The old socket was read for long enough.
    OldGrace,
    /// What was asked for by `resume` did not come.
    Resume,
    /// Look whether the server has said anything since the last look.
    Silence,
    /// Neither `go` nor `unsealed` came after `sealed`.
    Held,
}

/// The socket that takes edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Main {
    None,
    Opening(SocketId),
    /// `hello` is sent.
    Greeting(SocketId),
    Live(SocketId),
    /// Sealed: everything is as in `Live`, but edits wait.
    Held(SocketId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Between two attempts.
    Waiting,
    Opening(SocketId),
    /// `attach` is sent.
    Attaching(SocketId),
    Attached(SocketId),
}

/// The second socket of a move.
#[derive(Debug)]
struct Standby {
    move_id: MoveId,
    connect: Connect,
    token: Token,
    stage: Stage,
    failures: u32,
}

/// The socket that took edits before `go`; it is read until everything up to `until` was seen.
#[derive(Debug)]
struct Old {
    socket: SocketId,
    until: Seq,
}

/// How long the client is to be on its board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    Wanted,
    /// It leaves as soon as all its edits are durable.
    UntilDurable,
    Over,
}

/// See the module.
#[derive(Debug)]
pub struct ClientState {
    client: ClientId,
    timing: Timing,
    /// The highest epoch heard of; what speaks of a lower one is ignored (rule 1).
    epoch: Epoch,
    outbox: Outbox,
    view: View,
    main: Main,
    standby: Option<Standby>,
    old: Option<Old>,
    /// Sent away from it; it stays open until the next one is.
    left: Option<SocketId>,
    target: Target,
    last_move: Option<MoveId>,
    resuming: bool,
    /// The server of the main socket was heard since `Timer::Silence` was set.
    heard: bool,
    sockets: u64,
    joins: u32,
    failures: u32,
    hops: u32,
    stay: Stay,
    actions: Vec<Action>,
}

impl ClientState {
    /// A client that is not connected yet, and the first thing to do.
    pub fn start(client: ClientId, timing: Timing) -> (Self, Vec<Action>) {
        let mut state = Self {
            client,
            epoch: Epoch::ZERO,
            outbox: Outbox::new(timing.max_kept),
            timing,
            view: View::default(),
            main: Main::None,
            standby: None,
            old: None,
            left: None,
            target: Target::FrontDoor,
            last_move: None,
            resuming: false,
            heard: false,
            sockets: 0,
            joins: 0,
            failures: 0,
            hops: 0,
            stay: Stay::Wanted,
            actions: Vec::new(),
        };
        state.join();
        let actions = state.take();
        (state, actions)
    }

    /// Makes an edit. It goes out at once or waits, and is kept until it is durable.
    pub fn edit(&mut self, payload: Payload) -> Result<(Cseq, Vec<Action>), TooManyEdits> {
        let op = self.outbox.make(payload)?;
        let cseq = op.cseq;
        if let Main::Live(socket) = self.main {
            self.send(socket, ClientMessage::Op(op));
        }
        Ok((cseq, self.take()))
    }

    /// Edits that are not durable as far as is known.
    pub fn unacknowledged(&self) -> usize {
        self.outbox.len()
    }

    /// What happened → what to do.
    pub fn on(&mut self, event: Event) -> Vec<Action> {
        if self.stay == Stay::Over {
            return Vec::new();
        }
        match event {
            Event::Opened(socket) => self.opened(socket),
            Event::Message(socket, message) => self.message(socket, message),
            Event::Alive(socket) => self.heard |= self.main_socket() == Some(socket),
            Event::Closed { socket, code } => self.closed(socket, code),
            Event::Due(timer) => self.due(timer),
            Event::Leave => self.stay = Stay::UntilDurable,
            Event::LeaveNow => self.leave(),
        }
        if self.stay == Stay::UntilDurable && self.outbox.is_empty() {
            self.leave();
        }
        self.take()
    }

    fn opened(&mut self, socket: SocketId) {
        if self.main == Main::Opening(socket) {
            self.greet(socket);
        } else if self.standby_socket() == Some(socket) {
            self.attach(socket);
        }
    }

    fn message(&mut self, socket: SocketId, message: ServerMessage) {
        if self.main_socket() == Some(socket) {
            self.heard = true;
            self.on_main(socket, message);
        } else if self.standby_socket() == Some(socket) {
            self.on_standby(socket, message);
        } else if self.old.as_ref().is_some_and(|old| old.socket == socket) {
            self.on_old(message);
        }
    }

    fn closed(&mut self, socket: SocketId, code: Option<u16>) {
        if self.main_socket() == Some(socket) {
            self.lost(code);
        } else if self.standby_socket() == Some(socket) {
            self.standby_closed(code);
        } else if self.old.as_ref().is_some_and(|old| old.socket == socket) {
            self.old_ended();
        } else if self.left == Some(socket) {
            self.left = None;
        }
    }

    fn due(&mut self, timer: Timer) {
        match timer {
            Timer::Rejoin => self.join(),
            Timer::Join => self.join_timed_out(),
            Timer::OfferDeadline => self.give_standby_up(),
            Timer::Reattach => self.open_standby(),
            Timer::OldGrace => {
                self.actions.extend(self.old.as_ref().map(|old| Action::Close(old.socket)));
                self.old_ended();
            }
            Timer::Resume => {
                self.resuming = false;
                if self.view.has_gap() {
                    self.resume();
                }
            }
            Timer::Silence if self.heard => self.listen(),
            Timer::Silence => self.hang_up(),
            Timer::Held if matches!(self.main, Main::Held(_)) => self.hang_up(),
            Timer::Held => {}
        }
    }

    /// From now on the main socket's server has to say something from time to time.
    fn listen(&mut self) {
        self.heard = false;
        self.actions.push(Action::Set(Timer::Silence, self.timing.silence));
    }

    /// The socket that takes edits leads nowhere any more, though nobody closed it.
    fn hang_up(&mut self) {
        if let Main::Live(socket) | Main::Held(socket) = self.main {
            self.actions.push(Action::Close(socket));
            self.lost(None);
        }
    }

    fn on_main(&mut self, socket: SocketId, message: ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => self.welcomed(socket, welcome),
            ServerMessage::Update(update) => self.update(update),
            ServerMessage::Snapshot(snapshot) => self.snapshot(snapshot),
            ServerMessage::Ack(ack) => self.acknowledged(&ack),
            ServerMessage::Nack(nack) => self.gap(nack.expected),
            ServerMessage::Offer(offer) => self.offered(offer),
            ServerMessage::Sealed(sealed) => self.sealed(socket, &sealed),
            ServerMessage::Unsealed(unsealed) => self.unsealed(socket, unsealed.epoch),
            ServerMessage::Moved(moved) => self.sent_away(socket, moved.connect),
            // A repetition for a socket that has become the main one.
            ServerMessage::Attached(_) | ServerMessage::Go(_) | ServerMessage::Cancel(_) => {}
        }
    }

    /// Rule 3: updates are applied in order, whatever socket they come from.
    fn update(&mut self, update: Update) {
        match self.view.update(update) {
            Heard::Known => {}
            Heard::Next(update) => {
                self.tell(Told::Update(update));
                self.tell_ready();
            }
            // The old socket still owes what is missing.
            Heard::Early if self.old.is_some() => {}
            Heard::Early => self.resume(),
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        self.view.snapshot(snapshot.seq);
        self.tell(Told::Snapshot(snapshot));
        self.tell_ready();
    }

    fn tell_ready(&mut self) {
        while let Some(update) = self.view.ready() {
            self.tell(Told::Update(update));
        }
        if self.resuming && !self.view.has_gap() {
            self.resuming = false;
            self.actions.push(Action::Clear(Timer::Resume));
        }
        self.close_old_when_read();
    }

    /// Asks for what is missing, once at a time.
    fn resume(&mut self) {
        let (Main::Live(socket) | Main::Held(socket)) = self.main else { return };
        if !self.resuming {
            self.resuming = true;
            self.send(socket, ClientMessage::Resume(Resume { from: self.view.resume_from() }));
            self.actions.push(Action::Set(Timer::Resume, self.timing.resume));
        }
    }

    fn acknowledged(&mut self, ack: &Ack) {
        if ack.durable {
            let news = self.outbox.durable(ack.cseq);
            self.numbered(news, Told::Durable(ack.cseq));
        } else {
            let news = self.outbox.applied(ack.cseq);
            self.numbered(news, Told::Applied(ack.cseq));
        }
    }

    /// Tells what is news; a server that speaks of impossible numbers is left.
    fn numbered(&mut self, news: Result<bool, WrongNumber>, told: Told) {
        match news {
            Ok(true) => self.tell(told),
            Ok(false) => {}
            Err(wrong) => self.broken(wrong),
        }
    }

    /// A sealed board takes nothing, so its `nack` is answered by `go` or `unsealed`.
    fn gap(&mut self, expected: Cseq) {
        let Main::Live(socket) = self.main else { return };
        match self.outbox.gap(expected) {
            Ok(ops) => ops.into_iter().for_each(|op| self.send(socket, ClientMessage::Op(op))),
            Err(wrong) => self.broken(wrong),
        }
    }

    /// Rule 2: everything that is not durable, in order.
    fn send_kept(&mut self, socket: SocketId) {
        let send = |op: &Op| Action::Send { socket, message: ClientMessage::Op(op.clone()) };
        self.actions.extend(self.outbox.kept().map(send));
    }

    fn send(&mut self, socket: SocketId, message: ClientMessage) {
        self.actions.push(Action::Send { socket, message });
    }

    fn tell(&mut self, told: Told) {
        self.actions.push(Action::Tell(told));
    }

    fn open(&mut self, target: Target) -> SocketId {
        self.sockets += 1;
        let socket = SocketId(self.sockets);
        self.actions.push(Action::Open { socket, target });
        socket
    }

    fn main_socket(&self) -> Option<SocketId> {
        match self.main {
            Main::None => None,
            Main::Opening(socket) | Main::Greeting(socket) | Main::Live(socket) | Main::Held(socket) => {
                Some(socket)
            }
        }
    }

    fn standby_socket(&self) -> Option<SocketId> {
        match self.standby.as_ref()?.stage {
            Stage::Waiting => None,
            Stage::Opening(socket) | Stage::Attaching(socket) | Stage::Attached(socket) => Some(socket),
        }
    }

    fn leave(&mut self) {
        let old = self.old.take().map(|old| old.socket);
        let sockets = [self.main_socket(), self.standby_socket(), old, self.left];
        self.actions.extend(sockets.into_iter().flatten().map(Action::Close));
        self.tell(Told::Left { unacknowledged: self.outbox.len() });
        self.stay = Stay::Over;
    }

    fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}
