//! One client on one board: the state machine with real sockets and a real clock.
//!
//! A session does no work of its own; whoever owns it polls [`Session::next`], and a thousand of them
//! share one runtime without a task or a channel each.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::outbox::TooManyEdits;
use super::presence::Presence;
use super::sockets::{Heard, Sockets};
use super::state::{Action, ClientState, Event, Target, Told};
use super::timers::Timers;
use super::timing::Timing;
use crate::wire::{BoardId, ClientId, Connect, Cseq, Payload};

/// Where a board is found by those who know nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A websocket URL in which `{board}` stands for the board.
    pub front_door: Connect,
    pub board: BoardId,
}

impl Address {
    fn url(&self, target: &Target) -> Option<Url> {
        let connect = match target {
            Target::FrontDoor => &self.front_door,
            Target::At(connect) => connect,
        };
        Url::parse(&connect.as_str().replace("{board}", self.board.as_str())).ok()
    }
}

/// See the module. Dropping it closes its sockets without a word.
#[derive(Debug)]
pub struct Session {
    address: Address,
    state: ClientState,
    sockets: Sockets,
    timers: Timers,
    presence: Presence,
    told: VecDeque<Told>,
}

impl Session {
    /// A client that begins to join when it is first polled. `client` has never made an edit before,
    /// or makes none before it has joined: only then do its numbers go on where they ended.
    pub fn connect(address: Address, client: ClientId, timing: Timing) -> Self {
        let (state, actions) = ClientState::start(client, timing);
        let mut session = Self {
            address,
            state,
            sockets: Sockets::default(),
            timers: Timers::new(),
            presence: Presence::default(),
            told: VecDeque::new(),
        };
        session.carry_out(actions);
        session
    }

    /// Makes an edit; it is sent when the session is polled, or as soon as it may be.
    pub fn edit(&mut self, payload: Payload) -> Result<Cseq, TooManyEdits> {
        let (cseq, actions) = self.state.edit(payload)?;
        self.carry_out(actions);
        Ok(cseq)
    }

    /// What happened next. After `Told::Left` nothing more comes. Safe to drop and call again.
    pub async fn next(&mut self) -> Told {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Goes as soon as everything is durable; `Told::Left` says that it is done.
    pub fn leave(&mut self) {
        let actions = self.state.on(Event::Leave);
        self.carry_out(actions);
    }

    /// Waits until everything is durable, at most `patience` long, and goes. Says how many edits
    /// are not durable as far as is known. What else is told meanwhile goes to `heard`.
    pub async fn leave_within(&mut self, patience: Duration, mut heard: impl FnMut(Told)) -> usize {
        self.leave();
        let deadline = Instant::now() + patience;
        loop {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Told::Left { unacknowledged }) => return unacknowledged,
                Ok(told) => heard(told),
                Err(_) => {
                    let actions = self.state.on(Event::LeaveNow);
                    self.carry_out(actions);
                }
            }
        }
    }

    /// The time without an open socket.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Edits that are not durable as far as is known.
    pub fn unacknowledged(&self) -> usize {
        self.state.unacknowledged()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Told> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Poll::Ready(told);
            }
            let event = match self.sockets.poll(cx) {
                Poll::Ready(heard) => self.seen(heard),
                Poll::Pending => match self.timers.poll(cx) {
                    Poll::Ready(timer) => Event::Due(timer),
                    Poll::Pending => return Poll::Pending,
                },
            };
            let actions = self.state.on(event);
            self.carry_out(actions);
        }
    }

    fn seen(&mut self, heard: Heard) -> Event {
        match heard {
            Heard::Opened(socket) => {
                self.presence.opened(Instant::now());
                Event::Opened(socket)
            }
            Heard::Message(socket, message) => Event::Message(socket, message),
            Heard::Alive(socket) => Event::Alive(socket),
            Heard::Closed { socket, code, was_open } => {
                if was_open {
                    self.presence.closed(Instant::now());
                }
                Event::Closed { socket, code }
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Open { socket, target } => self.sockets.open(socket, self.address.url(&target)),
                Action::Send { socket, message } => self.sockets.send(socket, message.to_text()),
                Action::Close(socket) => {
                    if self.sockets.close(socket) {
                        self.presence.closed(Instant::now());
                    }
                }
                Action::Set(timer, after) => self.timers.set(timer, after),
                Action::Clear(timer) => self.timers.clear(timer),
                Action::Tell(told) => {
                    if matches!(told, Told::Joined { .. }) {
                        self.presence.served();
                    } else if matches!(told, Told::Left { .. }) {
                        self.presence.left();
                    }
                    self.told.push_back(told);
                }
            }
        }
    }
}
