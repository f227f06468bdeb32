//! One board with what surrounds it: its lock, its connections, its timer, its questions to the store.
//!
//! Effects are carried out under the board's lock, so that what clients are told keeps the order in which
//! it happened. Nothing waits under the lock: queues are bounded and never waited for, the store is asked
//! by a task of its own.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Inner;
use super::paced::{Haste, PendingOffer};
use crate::board::{Answer, Ask, Board, ConnId, Effect, Effects, Incident, Moment, Shut, Ticket};
use crate::store::StoreError;
use crate::wire::{BoardId, Entry, Epoch, MoveId, ServerMessage};

/// What a connection's task has to do.
#[derive(Debug)]
pub(super) enum Out {
    Text(Utf8Bytes),
    Close(Shut),
}

pub(super) type Link = mpsc::Sender<Out>;

#[derive(Debug)]
pub(crate) struct Slot {
    id: BoardId,
    server: Weak<Inner>,
    state: Mutex<State>,
    changed: Notify,
    /// The board has come here by a move.
    switched: Notify,
}

#[derive(Debug)]
struct State {
    board: Board,
    links: HashMap<ConnId, Link>,
    /// The wake-up that is set, and the task that sleeps until then.
    timer: Option<(Moment, AbortHandle)>,
}

/// What the effects of one event came to.
#[derive(Debug, Default)]
struct Done {
    /// Connections whose queue is full.
    slow: Vec<ConnId>,
    is_gone: bool,
}

impl Slot {
    pub(super) fn new(server: &Arc<Inner>, id: BoardId) -> Arc<Self> {
        let board = Board::absent(Arc::clone(&server.settings), id.clone(), server.now());
        let state = State { board, links: HashMap::new(), timer: None };
        Arc::new(Self {
            id,
            server: Arc::downgrade(server),
            state: Mutex::new(state),
            changed: Notify::new(),
            switched: Notify::new(),
        })
    }

    pub(super) fn id(&self) -> &BoardId {
        &self.id
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the board without touching it.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Board) -> R) -> R {
        look(&self.lock().board)
    }

    /// How many connections are spoken to.
    #[cfg(test)]
    pub(super) fn links(&self) -> usize {
        self.lock().links.len()
    }

    pub(super) fn send_text(&self, conn: ConnId, text: Utf8Bytes) {
        if let Some(link) = self.lock().links.get(&conn) {
            // A full queue is noticed by the next message of the board; an offer is not worth a client.
            drop(link.try_send(Out::Text(text)));
        }
    }

    /// A connection has ended: it is neither spoken to nor counted any more.
    pub(super) fn leave(self: &Arc<Self>, conn: ConnId) {
        self.lock().links.remove(&conn);
        self.apply(|board, now, fx| board.leave(now, conn, fx));
    }

    /// Something happens to the board. `None` when the server has stopped.
    pub(super) fn apply<R>(
        self: &Arc<Self>,
        event: impl FnOnce(&mut Board, Moment, &mut Effects) -> R,
    ) -> Option<R> {
        self.apply_linked(None, event)
    }

    /// Something happens to the board that brings a new connection.
    pub(super) fn apply_linked<R>(
        self: &Arc<Self>,
        link: Option<(ConnId, Link)>,
        event: impl FnOnce(&mut Board, Moment, &mut Effects) -> R,
    ) -> Option<R> {
        let (result, _) = self.happen(link, event)?;
        self.changed.notify_waiters();
        Some(result)
    }

    /// Says also how many effects there were.
    fn happen<R>(
        self: &Arc<Self>,
        link: Option<(ConnId, Link)>,
        event: impl FnOnce(&mut Board, Moment, &mut Effects) -> R,
    ) -> Option<(R, usize)> {
        let server = self.server.upgrade()?;
        let mut state = self.lock();
        state.links.extend(link);
        let now = server.now();
        let mut effects = Effects::default();
        let was_switched = state.board.is_switched();
        let result = event(&mut state.board, now, &mut effects);
        if state.board.is_switched() && !was_switched {
            self.switched.notify_waiters();
        }
        let effects_count = effects.len();
        let mut is_gone = false;
        loop {
            let done = self.carry_out(&server, &mut state, effects);
            is_gone |= done.is_gone;
            if done.slow.is_empty() {
                break;
            }
            effects = Effects::default();
            for conn in done.slow {
                // Without its link the connection's task ends, and closes.
                state.links.remove(&conn);
                state.board.leave(now, conn, &mut effects);
            }
        }
        self.set_timer(&mut state);
        drop(state);
        if is_gone {
            server.boards.remove(self);
        }
        Some((result, effects_count))
    }

    /// Until the board is here by that move.
    pub(super) async fn switched(&self, move_id: &MoveId) {
        loop {
            let switched = self.switched.notified();
            tokio::pin!(switched);
            // Registered before the look, so that no switch between the two is missed.
            switched.as_mut().enable();
            if self.look(|board| board.came_by(move_id)) {
                return;
            }
            switched.await;
        }
    }

    /// Makes the same idempotent call at every change of the board until it has an answer.
    pub(super) async fn settle<R>(
        self: &Arc<Self>,
        deadline: Instant,
        mut call: impl FnMut(&mut Board, Moment, &mut Effects) -> Poll<R>,
    ) -> Option<R> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the call, so that no change between the two is missed.
            changed.as_mut().enable();
            let (answer, effects) = self.happen(None, &mut call)?;
            // A call that only looked must not wake the others, or itself.
            if answer.is_ready() || effects > 0 {
                self.changed.notify_waiters();
            }
            match answer {
                Poll::Ready(answer) => return Some(answer),
                Poll::Pending => tokio::time::timeout_at(deadline, changed).await.ok()?,
            }
        }
    }

    fn carry_out(self: &Arc<Self>, server: &Arc<Inner>, state: &mut State, effects: Effects) -> Done {
        let mut done = Done::default();
        for effect in effects {
            match effect {
                Effect::Send(conn, message) => {
                    let text = Utf8Bytes::from(message.to_text());
                    push(state.links.get(&conn), conn, text, &mut done.slow);
                }
                Effect::Tell(message) => {
                    // Written once, shared by all.
                    let text = Utf8Bytes::from(message.to_text());
                    for conn in state.board.served() {
                        push(state.links.get(&conn), conn, text.clone(), &mut done.slow);
                    }
                }
                Effect::Offer { conn, move_id, message } => self.queue_offer(server, conn, move_id, &message),
                Effect::Close(conn, shut) => {
                    if let Some(link) = state.links.remove(&conn) {
                        // With a full queue the closed channel says the same, without the reason.
                        drop(link.try_send(Out::Close(shut)));
                    }
                }
                Effect::Ask { ticket, ask } => self.ask(server, ticket, ask),
                Effect::Write { ticket, epoch, entries } => self.write(server, ticket, epoch, entries),
                Effect::Durable(took) => server.health.edits_durable(&took, server.now()),
                Effect::Loaded(took) => server.health.board_loaded(took, server.now()),
                Effect::Report(incident) => self.report(server, incident),
                Effect::Forget => done.is_gone = true,
            }
        }
        done
    }

    fn queue_offer(self: &Arc<Self>, server: &Inner, conn: ConnId, move_id: MoveId, message: &ServerMessage) {
        let text = Utf8Bytes::from(message.to_text());
        let offer = PendingOffer { slot: Arc::downgrade(self), conn, move_id, text };
        if server.offers.enqueue(offer, Haste::None).is_err() {
            tracing::warn!(board = %self.id, "too many offers wait; this client will be moved at the end");
        }
    }

    fn ask(self: &Arc<Self>, server: &Arc<Inner>, ticket: Ticket, ask: Ask) {
        let (slot, server) = (Arc::clone(self), Arc::clone(server));
        tokio::spawn(async move {
            let (store, board, own) = (&server.store, slot.id(), &server.settings.server);
            let limit = server.config.store_timeout;
            let answer = match ask {
                Ask::Row => Answer::Row(bounded(limit, store.row(board)).await),
                Ask::Claim { expect } => Answer::Claim(bounded(limit, store.claim(board, expect, own)).await),
                Ask::Load { after } => Answer::Page(bounded(limit, store.load(board, after)).await),
                Ask::Release { epoch } => {
                    Answer::Release(bounded(limit, store.release(board, epoch, own)).await)
                }
            };
            let doors = server.lock_desk().doors();
            slot.apply(|board, now, fx| board.answered(now, ticket, answer, doors, fx));
        });
    }

    fn write(self: &Arc<Self>, server: &Arc<Inner>, ticket: Ticket, epoch: Epoch, entries: Vec<Entry>) {
        let (slot, server) = (Arc::clone(self), Arc::clone(server));
        tokio::spawn(async move {
            let append = server.store.append(slot.id(), epoch, &entries);
            let result = bounded(server.config.store_timeout, append).await;
            slot.apply(|board, now, fx| board.written(now, ticket, result, fx));
        });
    }

    fn report(&self, server: &Inner, incident: Incident) {
        server.health.count_error();
        let board = &self.id;
        match incident {
            Incident::LostOwnership => tracing::warn!(%board, "another server owns the board; stepping down"),
            Incident::BrokenLog => {
                tracing::error!(%board, "the store's log is broken; the board is given up");
            }
            Incident::WriteRefused => {
                tracing::error!(%board, "the store refuses a write for good; the board is given up");
            }
            Incident::ClaimRefused => {
                tracing::error!(%board, "the store refuses to give the board back; it is given up");
            }
            Incident::WriteFailed => tracing::warn!(%board, "a write to the store failed; it is tried again"),
            Incident::TooManyUndurable => tracing::warn!(%board, "too many edits wait for the store"),
        }
    }

    /// At most one wake-up is set: the earliest that was asked for, until the board wants none.
    fn set_timer(self: &Arc<Self>, state: &mut State) {
        let wanted = state.board.next_wake();
        if let Some((set, sleeping)) = &state.timer {
            if wanted.is_some_and(|wanted| *set <= wanted) {
                return;
            }
            sleeping.abort();
            state.timer = None;
        }
        let Some(at) = wanted else { return };
        let Some(began) = self.server.upgrade().map(|server| server.began) else { return };
        let slot = Arc::downgrade(self);
        let sleeping = tokio::spawn(async move {
            tokio::time::sleep_until(began + at.0).await;
            if let Some(slot) = slot.upgrade() {
                slot.woken(at);
            }
        });
        state.timer = Some((at, sleeping.abort_handle()));
    }

    fn woken(self: &Arc<Self>, set: Moment) {
        // Unless it is an earlier one by now, whose task this is not.
        self.lock().timer.take_if(|(at, _)| *at == set);
        let Some(doors) = self.server.upgrade().map(|server| server.lock_desk().doors()) else { return };
        self.apply(|board, now, fx| board.wake(now, doors, fx));
    }
}

fn push(link: Option<&Link>, conn: ConnId, text: Utf8Bytes, slow: &mut Vec<ConnId>) {
    let Some(link) = link else { return };
    match link.try_send(Out::Text(text)) {
        Err(TrySendError::Full(_)) => slow.push(conn),
        // Closed: its task is ending and will say so.
        Ok(()) | Err(TrySendError::Closed(_)) => {}
    }
}

async fn bounded<T>(
    limit: std::time::Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_elapsed) => Err(StoreError::Unavailable(format!("no answer within {} ms", limit.as_millis()))),
    }
}
