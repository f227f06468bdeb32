//! What the shell does for a board, without sockets and tasks.

use futures_util::FutureExt as _;

use super::wires::{Down, ENDED, Up};
use super::{World, connect_of, the_board};
use crate::auth::is_attach_token;
use crate::board::joining::cancel;
use crate::board::settings::Settings;
use crate::board::testing::settings;
use crate::board::{
    Answer, Ask, Board, BoardLimits, ConnId, Doors, Effect, Effects, Moment, Newcomer, Shut, Speaks, Ticket,
};
use crate::store::{Append, BoardStore, StoreError};
use crate::wire::{
    BoardState, CLOSE_MOVED, CLOSE_OVERLOADED, CLOSE_REPLACED, ClientMessage, Entry, Epoch, Level, MoveId,
    ServerId, ServerMessage,
};

use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::board::tests) struct Server {
    pub(super) id: ServerId,
    pub(super) settings: Arc<Settings>,
    pub(super) board: Option<Board>,
    pub(super) requests: Vec<Request>,
    /// Told at their pace, that is, whenever the world likes.
    pub(super) offers: VecDeque<PendingOffer>,
    /// How many boards there were here, one after the other.
    boards: u32,
}

/// An offer that waits for its turn.
#[derive(Debug)]
pub(super) struct PendingOffer {
    by: u32,
    conn: ConnId,
    move_id: MoveId,
    message: ServerMessage,
}

/// Something the store was asked and has not answered.
#[derive(Debug)]
pub(super) struct Request {
    /// Which of the boards asked: another one must not hear the answer.
    by: u32,
    ticket: Ticket,
    what: What,
}

#[derive(Debug)]
enum What {
    Ask(Ask),
    Write(Epoch, Vec<Entry>),
}

impl Server {
    pub(super) fn new(number: usize, level: Level) -> Self {
        let id = ServerId::parse(&format!("s{number}")).expect("an id");
        // Small, so that snapshots, long deltas and reading at activation happen.
        let limits =
            BoardLimits { recent_edits: 4, resume_updates: 3, write_edits: 3, ..BoardLimits::default() };
        let settings = settings(id.as_str(), level, limits);
        let (requests, offers) = (Vec::new(), VecDeque::new());
        Self { id, settings, board: None, requests, offers, boards: 0 }
    }
}

impl World {
    /// Something happens to the board of a server, if it has one.
    pub(super) fn apply<R>(
        &mut self,
        server: usize,
        event: impl FnOnce(&mut Board, Moment, &mut Effects) -> R,
    ) -> Option<R> {
        let mut effects = Effects::default();
        let result = event(self.servers[server].board.as_mut()?, self.now, &mut effects);
        for effect in effects {
            self.carry_out_effect(server, effect);
        }
        Some(result)
    }

    fn carry_out_effect(&mut self, server: usize, effect: Effect) {
        match effect {
            Effect::Send(conn, message) => self.push_down(server, conn, Down::Say(message)),
            Effect::Tell(message) => {
                let served: Vec<ConnId> = self.servers[server]
                    .board
                    .as_ref()
                    .map(|board| board.served().collect())
                    .unwrap_or_default();
                for conn in served {
                    self.push_down(server, conn, Down::Say(message.clone()));
                }
            }
            Effect::Offer { conn, move_id, message } => {
                let server = &mut self.servers[server];
                server.offers.push_back(PendingOffer { by: server.boards, conn, move_id, message });
            }
            Effect::Close(conn, shut) => self.close(server, conn, shut),
            Effect::Ask { ticket, ask } => self.request(server, ticket, What::Ask(ask)),
            Effect::Write { ticket, epoch, entries } => {
                self.request(server, ticket, What::Write(epoch, entries));
            }
            Effect::Forget => self.servers[server].board = None,
            Effect::Durable(_) | Effect::Loaded(_) | Effect::Report(_) => {}
        }
    }

    fn request(&mut self, server: usize, ticket: Ticket, what: What) {
        let server = &mut self.servers[server];
        server.requests.push(Request { by: server.boards, ticket, what });
    }

    /// The one that waits longest, if it still makes sense.
    pub(super) fn offer_next(&mut self, server: usize) {
        let here = &mut self.servers[server];
        let Some(PendingOffer { by, conn, move_id, message }) = here.offers.pop_front() else { return };
        let Some(board) = here.board.as_ref().filter(|_| by == here.boards) else { return };
        if board.offer_stands(conn, &move_id) {
            self.told_late += u32::from(board.state() != Some(BoardState::Offered));
            self.push_down(server, conn, Down::Say(message));
        }
    }

    fn push_down(&mut self, server: usize, conn: ConnId, down: Down) {
        if let Some(wire) = self.wires.iter_mut().find(|wire| wire.server == server && wire.conn == conn) {
            wire.down.push_back(down);
        }
    }

    fn close(&mut self, server: usize, conn: ConnId, shut: Shut) {
        let code = match shut {
            Shut::Normal => 1000,
            Shut::Moved => CLOSE_MOVED,
            Shut::Replaced => CLOSE_REPLACED,
            Shut::Overloaded => CLOSE_OVERLOADED,
        };
        self.push_down(server, conn, Down::Closed(code));
        for wire in &mut self.wires {
            if wire.server == server && wire.conn == conn {
                wire.conn = ENDED;
                wire.up.clear();
            }
        }
    }

    pub(super) fn deliver_up(&mut self, wire: usize) {
        let Some(up) = self.wires[wire].up.pop_front() else { return };
        let (server, conn) = (self.wires[wire].server, self.wires[wire].conn);
        if conn == ENDED {
            return;
        }
        match up {
            Up::Bye => {
                self.wires[wire].conn = ENDED;
                self.apply(server, |board, now, fx| board.leave(now, conn, fx));
            }
            Up::Say(message) if self.wires[wire].has_arrived => match message {
                ClientMessage::Op(op) => {
                    self.apply(server, |board, now, fx| board.op(now, conn, op, fx));
                }
                ClientMessage::Resume(resume) => {
                    self.apply(server, |board, _, fx| board.resume(conn, resume.from, fx));
                }
                ClientMessage::Hello(_) | ClientMessage::Attach(_) => panic!("a second first message"),
            },
            Up::Say(message) => {
                self.wires[wire].has_arrived = true;
                self.arrive(server, Newcomer { conn, speaks: Speaks::Handover }, message);
            }
        }
    }

    fn arrive(&mut self, server: usize, who: Newcomer, first: ClientMessage) {
        match first {
            ClientMessage::Hello(hello) => {
                self.have_board(server);
                let state = self.servers[server].board.as_ref().and_then(Board::state);
                self.joined_offered += u32::from(state == Some(BoardState::Offered));
                let arrival = self.apply(server, |board, now, fx| board.join(now, who, hello, fx));
                assert!(arrival.is_some(), "a board that is gone is not in the list");
            }
            ClientMessage::Attach(attach) => {
                let key = &self.servers[server].settings.key;
                assert!(is_attach_token(key, &attach.move_id, &the_board(), &attach.client, &attach.token));
                let move_id = attach.move_id.clone();
                let arrival =
                    self.apply(server, |board, _, fx| board.attach(who, attach.client, move_id, fx));
                if arrival.is_none() {
                    let mut effects = Effects::default();
                    cancel(who.conn, attach.move_id, &mut effects);
                    effects.into_iter().for_each(|effect| self.carry_out_effect(server, effect));
                }
            }
            ClientMessage::Op(_) | ClientMessage::Resume(_) => panic!("not a first message"),
        }
    }

    pub(super) fn have_board(&mut self, server: usize) {
        if self.servers[server].board.is_none() {
            let settings = Arc::clone(&self.servers[server].settings);
            self.servers[server].board = Some(Board::absent(settings, the_board(), self.now));
            self.servers[server].boards += 1;
        }
    }

    pub(super) fn wake(&mut self, server: usize) {
        self.apply(server, |board, now, fx| board.wake(now, Doors::Open, fx));
    }

    /// The store does what it was asked, and says so.
    pub(super) fn answer(&mut self, server: usize, at: usize) {
        let request = self.servers[server].requests.remove(at);
        let (board, id) = (the_board(), self.servers[server].id.clone());
        let store = &self.store;
        match &request.what {
            What::Ask(ask) => {
                let answer = match ask {
                    Ask::Row => Answer::Row(at_once(store.row(&board))),
                    Ask::Claim { expect } => Answer::Claim(at_once(store.claim(&board, *expect, &id))),
                    Ask::Load { after } => Answer::Page(at_once(store.load(&board, *after))),
                    Ask::Release { epoch } => Answer::Release(at_once(store.release(&board, *epoch, &id))),
                };
                self.hear_answer(server, &request, answer);
            }
            What::Write(epoch, entries) => {
                let result = at_once(store.append(&board, *epoch, entries));
                self.hear_written(server, &request, result);
            }
        }
    }

    /// The store does it, and nobody hears so.
    pub(super) fn lose_answer(&mut self, server: usize, at: usize) {
        let (board, id) = (the_board(), self.servers[server].id.clone());
        match &self.servers[server].requests[at].what {
            What::Ask(Ask::Claim { expect }) => drop(at_once(self.store.claim(&board, *expect, &id))),
            What::Ask(Ask::Release { epoch }) => drop(at_once(self.store.release(&board, *epoch, &id))),
            What::Ask(Ask::Row | Ask::Load { .. }) => {}
            What::Write(epoch, entries) => drop(at_once(self.store.append(&board, *epoch, entries))),
        }
        self.fail_request(server, at);
    }

    /// The store does nothing.
    pub(super) fn fail_request(&mut self, server: usize, at: usize) {
        fn lost<T>() -> Result<T, StoreError> {
            Err(StoreError::Unavailable("in this world".to_owned()))
        }
        let request = self.servers[server].requests.remove(at);
        match &request.what {
            What::Ask(Ask::Row) => self.hear_answer(server, &request, Answer::Row(lost())),
            What::Ask(Ask::Claim { .. }) => self.hear_answer(server, &request, Answer::Claim(lost())),
            What::Ask(Ask::Load { .. }) => self.hear_answer(server, &request, Answer::Page(lost())),
            What::Ask(Ask::Release { .. }) => self.hear_answer(server, &request, Answer::Release(lost())),
            What::Write(..) => self.hear_written(server, &request, lost()),
        }
    }

    fn hear_answer(&mut self, server: usize, request: &Request, answer: Answer) {
        if request.by == self.servers[server].boards {
            let ticket = request.ticket;
            self.apply(server, |board, now, fx| board.answered(now, ticket, answer, Doors::Open, fx));
        }
    }

    fn hear_written(&mut self, server: usize, request: &Request, result: Result<Append, StoreError>) {
        if request.by == self.servers[server].boards {
            let ticket = request.ticket;
            self.apply(server, |board, now, fx| board.written(now, ticket, result, fx));
        }
    }

    /// The process dies, with everything that it had not sent; another one takes its place at once.
    pub(super) fn crash(&mut self, server: usize) {
        self.servers[server].board = None;
        self.servers[server].requests.clear();
        self.servers[server].offers.clear();
        for wire in self.wires.iter_mut().filter(|wire| wire.server == server && wire.conn != ENDED) {
            wire.conn = ENDED;
            wire.up.clear();
            wire.down.push_back(Down::Closed(1006));
        }
    }

    /// Rightly or wrongly, the others take it for dead.
    pub(super) fn suspect(&mut self, server: usize) {
        self.store.bury(&self.servers[server].id);
    }

    /// The others give what the dead have to nobody.
    pub(super) fn free(&mut self) {
        at_once(self.store.release_dead(1)).expect("memory answers");
    }

    pub(super) fn heartbeat(&mut self, server: usize) {
        let connect = connect_of(server);
        drop(at_once(self.store.heartbeat(&self.servers[server].id, Some(&connect))));
    }
}

fn at_once<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    answer.now_or_never().expect("memory does not wait")
}
