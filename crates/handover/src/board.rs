//! One board on one server, as a state machine without input or output.
//!
//! Everything that happens to a board is a method: a client joins, an edit comes, a control call is made,
//! the store answers, time passes. A method changes the board and says in [`Effects`] what the shell
//! has to do: send, close, ask the store, wake again. No method waits, reads a clock or takes a lock, so
//! every order of events can be tried in a test.
//!
//! ```text
//! by a client's join    Opening → Serving → Closing → Gone
//! as the old server     Serving (offered) → Sealed → Released → Gone      Sealed → Serving by its own claim
//!                       Serving, freed by the others → Serving by its own claim
//! as the new server     Standby → Serving                                 Standby → Absent → Gone
//! ```
//!
//! Control calls that need the store answer `Pending` at first. They are idempotent by their move, so
//! the shell simply makes them again when the board has changed.

mod activating;
mod closing;
mod conns;
mod edits;
mod effects;
mod ending;
mod history;
mod joining;
mod opening;
mod phase;
mod preparing;
mod reclaiming;
mod releasing;
mod sealing;
mod serving;
mod settings;
mod telling;
mod timers;
mod writing;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::wire::{BoardId, BoardRow, BoardState, Epoch, Holder, MoveId, Problem, ProblemCode, Seq};

use conns::Conns;
use edits::EditRate;
use history::History;
use phase::{Absent, Phase, StandbyStep};
use writing::Writer;

pub(crate) use conns::{ConnId, Speaks};
pub(crate) use effects::{Ask, Doors, Effect, Effects, Incident, Moment, Shut, Ticket};
pub(crate) use joining::Newcomer;
pub(crate) use opening::Answer;
pub(crate) use preparing::PrepareHere;
pub use settings::BoardLimits;
pub(crate) use settings::Settings;

/// One board on this server.
#[derive(Debug)]
pub(crate) struct Board {
    settings: Arc<Settings>,
    id: BoardId,
    phase: Phase,
    /// Under which this server owns the board, or last did.
    epoch: Epoch,
    history: History,
    /// Everything up to here is in the database.
    durable: Seq,
    writer: Writer,
    conns: Conns,
    rate: EditRate,
    /// The one question to the store that waits for its answer (writes have their own).
    asked: Option<Ticket>,
    last_ticket: Ticket,
}

/// What a board counts for in the server's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) boards: u64,
    pub(crate) standbys: u64,
    pub(crate) clients: u64,
    pub(crate) attached: u64,
}

impl Board {
    /// A board that was not known here. What comes next says what it becomes; if nothing does, it goes
    /// when it is woken.
    pub(crate) fn absent(settings: Arc<Settings>, id: BoardId, now: Moment) -> Self {
        let phase = Phase::Absent(Absent { failed: None, forget_at: now });
        let history = settings.empty_history(&id);
        Self {
            settings,
            id,
            phase,
            epoch: Epoch::ZERO,
            history,
            durable: Seq::ZERO,
            writer: Writer::default(),
            conns: Conns::default(),
            rate: EditRate::default(),
            asked: None,
            last_ticket: Ticket::default(),
        }
    }

    /// Whether it is over with this object: whoever finds it looks the board up again.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// Connections to which what happens on the board is told.
    pub(crate) fn served(&self) -> impl Iterator<Item = ConnId> {
        self.conns.served().map(|(conn, _)| conn)
    }

    /// The row of `GET boards`; `None` for what is only remembered.
    pub(crate) fn row(&self, now: Moment) -> Option<BoardRow> {
        let (clients, attached) = self.conns.counts();
        Some(BoardRow {
            board: self.id.clone(),
            epoch: self.shown_epoch(),
            state: self.state()?,
            clients,
            unsupported: self.conns.plain(),
            attached,
            bytes: self.history.size_bytes(),
            ops_per_s: self.rate.per_s(now),
            seq: self.history.seq(),
            move_id: self.move_id().cloned(),
        })
    }

    /// A board that may be owned counts as owned: nobody may turn off a server on a guess.
    pub(crate) fn counts(&self) -> Counts {
        let (clients, attached) = self.conns.counts();
        let (clients, attached) = (u64::from(clients), u64::from(attached));
        match &self.phase {
            Phase::Opening(_) | Phase::Serving(_) | Phase::Sealed(_) | Phase::Closing(_) => {
                Counts { boards: 1, standbys: 0, clients, attached }
            }
            Phase::Standby(standby) => match standby.step {
                StandbyStep::Looking
                | StandbyStep::Reading
                | StandbyStep::Ready
                | StandbyStep::Filling(_) => Counts { boards: 0, standbys: 1, clients, attached },
                StandbyStep::Claiming(_)
                | StandbyStep::Backoff(..)
                | StandbyStep::CatchingUp(_)
                | StandbyStep::Rereading(..) => Counts { boards: 1, standbys: 1, clients, attached },
            },
            Phase::Released(_) | Phase::Absent(_) | Phase::Gone => {
                Counts { clients, attached, ..Counts::default() }
            }
        }
    }

    fn state(&self) -> Option<BoardState> {
        match &self.phase {
            Phase::Opening(_) => Some(BoardState::Opening),
            Phase::Serving(serving) if serving.offer.is_some() => Some(BoardState::Offered),
            Phase::Serving(_) => Some(BoardState::Active),
            Phase::Sealed(_) => Some(BoardState::Sealed),
            Phase::Closing(_) => Some(BoardState::Closing),
            Phase::Released(_) => Some(BoardState::Released),
            Phase::Standby(standby) => match standby.step {
                StandbyStep::Looking | StandbyStep::Reading => Some(BoardState::Loading),
                StandbyStep::Ready
                | StandbyStep::Filling(_)
                | StandbyStep::Claiming(_)
                | StandbyStep::Backoff(..)
                | StandbyStep::CatchingUp(_)
                | StandbyStep::Rereading(..) => Some(BoardState::Standby),
            },
            Phase::Absent(_) | Phase::Gone => None,
        }
    }

    fn shown_epoch(&self) -> Epoch {
        match &self.phase {
            Phase::Standby(standby) => standby.from_epoch,
            Phase::Opening(_)
            | Phase::Serving(_)
            | Phase::Sealed(_)
            | Phase::Closing(_)
            | Phase::Released(_)
            | Phase::Absent(_)
            | Phase::Gone => self.epoch,
        }
    }

    /// The move the board is in, or came here by.
    fn move_id(&self) -> Option<&MoveId> {
        match &self.phase {
            Phase::Serving(serving) => {
                let offer = serving.offer.as_ref().map(|offer| &offer.move_id);
                offer.or(serving.came_by.as_ref().map(|came| &came.move_id))
            }
            Phase::Sealed(sealing) => Some(&sealing.move_id),
            Phase::Standby(standby) => Some(&standby.move_id),
            Phase::Absent(absent) => absent.failed.as_ref().map(|failed| &failed.move_id),
            Phase::Released(released) => released.move_id.as_ref(),
            Phase::Opening(_) | Phase::Closing(_) | Phase::Gone => None,
        }
    }

    /// Puts a question to the store. Any earlier one is forgotten: its answer will not be listened to.
    fn ask(&mut self, ask: Ask, fx: &mut Effects) {
        let ticket = self.new_ticket();
        self.asked = Some(ticket);
        fx.push(Effect::Ask { ticket, ask });
    }

    fn new_ticket(&mut self) -> Ticket {
        self.last_ticket = self.last_ticket.next();
        self.last_ticket
    }

    /// Whether this is the answer that is being waited for; if so it is waited for no longer.
    fn is_awaited(&mut self, ticket: Ticket) -> bool {
        let is_awaited = self.asked == Some(ticket);
        if is_awaited {
            self.asked = None;
        }
        is_awaited
    }

    /// This server as the holder of the board.
    fn own_holder(&self) -> Holder {
        Holder { epoch: self.epoch, owner: Some(self.settings.server.clone()), connect: None }
    }

    fn held_here(&self) -> Problem {
        Problem::new(ProblemCode::Held, "this server owns the board").with_holder(self.own_holder())
    }

    fn other_move(&self) -> Problem {
        let detail = match self.move_id() {
            Some(move_id) => format!("the board is in move {move_id}"),
            None => "the board is in another move".to_owned(),
        };
        Problem::new(ProblemCode::OtherMove, detail)
    }

    fn wrong_state(&self, wanted: &str) -> Problem {
        let state =
            self.state().map_or_else(|| "over".to_owned(), |state| format!("{state:?}").to_lowercase());
        Problem::new(ProblemCode::WrongState, format!("{wanted}; the board is {state}"))
    }
}

/// Milliseconds from the wire, cut to something a clock can carry.
fn from_ms(ms: u64) -> Duration {
    /// A day: far above every sensible ttl.
    const MAX_MS: u64 = 24 * 60 * 60 * 1000;
    Duration::from_millis(ms.min(MAX_MS))
}

pub(crate) fn unknown_board() -> Problem {
    Problem::new(ProblemCode::UnknownBoard, "the board is neither owned nor prepared here")
}

/// Level 0 has no moves.
fn only_drains() -> Problem {
    Problem::new(ProblemCode::Unsupported, "this application only knows drain")
}

fn coming_or_going() -> Problem {
    Problem::new(ProblemCode::StillWorking, "the board is being opened or closed here")
}
