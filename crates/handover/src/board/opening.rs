//! Opening a board because a client asked for it: look at the row, claim, read. Also the one place where
//! answers of the store find the phase that waits for them.

use super::Board;
use super::effects::{Ask, Doors, Effect, Effects, Incident, Moment, Shut, Ticket};
use super::history::OutOfOrder;
use super::phase::{Opening, OpeningStep, Phase, StandbyStep};
use super::telling::send_away;
use crate::store::{Claim, Liveness, Page, Release, Row, StoreError};
use crate::wire::{Connect, Entry, Epoch, Seq};

/// An answer of the store to an [`Ask`].
#[derive(Debug)]
pub(crate) enum Answer {
    Row(Result<Row, StoreError>),
    Claim(Result<Claim, StoreError>),
    Page(Result<Page, StoreError>),
    Release(Result<Release, StoreError>),
}

/// Whose a board is, from the point of view of a server that was asked for it.
enum Ownership {
    /// Nobody's, or a dead server's, or this server's from before a restart.
    Free,
    Elsewhere(Option<Connect>),
}

impl Board {
    /// How often a row is read again after a lost claim.
    const MAX_TRIES: u8 = 3;

    /// A client asks for a board that is not here, or was on its way out: look whose it is.
    pub(super) fn open(&mut self, now: Moment, fx: &mut Effects) {
        self.history = self.settings.empty_history(&self.id);
        self.durable = Seq::ZERO;
        self.writer.forget();
        self.phase = Phase::Opening(Opening { began: now, step: OpeningStep::Looking, tries: 0 });
        self.ask(Ask::Row, fx);
    }

    pub(crate) fn answered(
        &mut self,
        now: Moment,
        ticket: Ticket,
        answer: Answer,
        doors: Doors,
        fx: &mut Effects,
    ) {
        if !self.is_awaited(ticket) {
            return;
        }
        match answer {
            Answer::Row(row) if self.is_standby_looking() => self.standby_row_answered(now, row, fx),
            Answer::Row(row) => self.row_answered(now, row, doors, fx),
            Answer::Claim(claim) => match &self.phase {
                Phase::Opening(_) => self.opening_claim_answered(now, claim, doors, fx),
                Phase::Sealed(_) => self.reown_answered(now, claim, fx),
                Phase::Standby(_) => self.activation_claim_answered(now, claim, fx),
                Phase::Serving(_) => self.reclaim_answered(now, claim, fx),
                Phase::Closing(_) | Phase::Released(_) | Phase::Absent(_) | Phase::Gone => {}
            },
            Answer::Page(page) => match &self.phase {
                Phase::Opening(_) => self.opening_page_answered(now, page, fx),
                Phase::Standby(_) => self.standby_page_answered(now, page, fx),
                Phase::Serving(_)
                | Phase::Sealed(_)
                | Phase::Closing(_)
                | Phase::Released(_)
                | Phase::Absent(_)
                | Phase::Gone => {}
            },
            Answer::Release(release) => self.release_answered(now, &release, fx),
        }
    }

    fn row_answered(&mut self, now: Moment, row: Result<Row, StoreError>, doors: Doors, fx: &mut Effects) {
        let row = match row {
            Ok(row) => row,
            // Either way those who wait ask again, later each time.
            Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => {
                return self.turn_waiting_away(Shut::Overloaded, fx);
            }
        };
        let (ownership, is_freed) = (self.ownership(&row), self.is_freed(&row));
        match (&mut self.phase, ownership) {
            (Phase::Opening(_) | Phase::Standby(_), Ownership::Elsewhere(connect)) => {
                self.send_waiting_to(connect.as_ref(), fx);
            }
            (Phase::Opening(_), Ownership::Free) if doors == Doors::Closed => self.send_waiting_to(None, fx),
            (Phase::Opening(opening), Ownership::Free) => {
                opening.step = OpeningStep::Claiming;
                opening.tries = opening.tries.saturating_add(1);
                self.ask(Ask::Claim { expect: row.epoch }, fx);
            }
            // The owner is gone and a client asks for the board: what a client's join does to any board.
            (Phase::Standby(_), Ownership::Free) => self.activate_for_joiners(now, row.epoch, fx),
            // Somebody else claimed it since, and this server had nothing to write that would have told.
            (Phase::Serving(_), _) if row.epoch > self.epoch => self.lost_ownership(now, &row, fx),
            // This server was taken for dead, and nobody came: it goes on.
            (Phase::Serving(_), _) if is_freed => self.reclaim(fx),
            (
                Phase::Serving(_)
                | Phase::Sealed(_)
                | Phase::Closing(_)
                | Phase::Released(_)
                | Phase::Absent(_)
                | Phase::Gone,
                Ownership::Free | Ownership::Elsewhere(_),
            ) => {}
        }
    }

    fn opening_claim_answered(
        &mut self,
        now: Moment,
        claim: Result<Claim, StoreError>,
        doors: Doors,
        fx: &mut Effects,
    ) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        match claim {
            Ok(Claim::Claimed { epoch, last_seq }) => {
                opening.step = OpeningStep::Reading { epoch, last_seq };
                if self.history.seq() == last_seq {
                    self.opened(now, epoch, last_seq, fx);
                } else {
                    self.ask(Ask::Load { after: self.history.seq() }, fx);
                }
            }
            Ok(Claim::Held(row)) if opening.tries < Self::MAX_TRIES => {
                self.row_answered(now, Ok(row), doors, fx);
            }
            Ok(Claim::Held(_)) => self.send_waiting_to(None, fx),
            Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => {
                self.turn_waiting_away(Shut::Overloaded, fx);
            }
        }
    }

    fn opening_page_answered(&mut self, now: Moment, page: Result<Page, StoreError>, fx: &mut Effects) {
        let Phase::Opening(Opening { step: OpeningStep::Reading { epoch, last_seq }, .. }) = self.phase
        else {
            return;
        };
        let Ok(page) = page else { return self.turn_waiting_away(Shut::Overloaded, fx) };
        let before = self.history.seq();
        let is_sound = self.replay(page.entries).is_ok();
        let reached = self.history.seq();
        if !is_sound || reached > last_seq || reached == before {
            fx.push(Effect::Report(Incident::BrokenLog));
            return self.turn_waiting_away(Shut::Overloaded, fx);
        }
        self.history.trim(reached);
        if reached == last_seq {
            self.opened(now, epoch, last_seq, fx);
        } else {
            self.ask(Ask::Load { after: reached }, fx);
        }
    }

    fn opened(&mut self, now: Moment, epoch: Epoch, last_seq: Seq, fx: &mut Effects) {
        if let Phase::Opening(opening) = &self.phase {
            fx.push(Effect::Loaded(now.since(opening.began)));
        }
        self.serve(now, epoch, last_seq, None, fx);
    }

    /// The ownership table does not seem to give this board to this server: look at its row.
    pub(crate) fn doubt(&mut self, fx: &mut Effects) {
        if self.holds_firmly() && self.asked.is_none() {
            self.ask(Ask::Row, fx);
        }
    }

    /// Whether this server takes itself for the owner, and under which epoch.
    pub(crate) fn believes_to_own(&self) -> Option<Epoch> {
        matches!(self.phase, Phase::Serving(_)).then_some(self.epoch)
    }

    fn ownership(&self, row: &Row) -> Ownership {
        match &row.owner {
            Some(owner) if owner.liveness == Liveness::Alive && owner.server != self.settings.server => {
                Ownership::Elsewhere(self.connect_of(row))
            }
            Some(_) | None => Ownership::Free,
        }
    }

    /// Where the owner of a row is found; `None` when it is this server or has not said.
    pub(super) fn connect_of(&self, row: &Row) -> Option<Connect> {
        let owner = row.owner.as_ref().filter(|owner| owner.server != self.settings.server)?;
        owner.connect.as_ref().map(|connect| connect.for_board(&self.id))
    }

    /// Sends those away who wait for the board to open.
    pub(super) fn send_waiting_to(&mut self, connect: Option<&Connect>, fx: &mut Effects) {
        for conn in self.conns.take_waiting() {
            send_away(conn, connect, fx);
        }
        self.vanish_if_opening(fx);
    }

    fn turn_waiting_away(&mut self, shut: Shut, fx: &mut Effects) {
        for conn in self.conns.take_waiting() {
            fx.push(Effect::Close(conn, shut));
        }
        self.vanish_if_opening(fx);
    }

    fn vanish_if_opening(&mut self, fx: &mut Effects) {
        if matches!(self.phase, Phase::Opening(_)) {
            self.vanish(fx);
        }
    }

    /// Puts entries from the database or from a delta behind what is there.
    pub(super) fn replay(&mut self, entries: Vec<Entry>) -> Result<(), OutOfOrder> {
        entries.into_iter().try_for_each(|entry| self.history.replay(entry))
    }

    fn is_standby_looking(&self) -> bool {
        matches!(&self.phase, Phase::Standby(standby) if matches!(standby.step, StandbyStep::Looking))
    }

    /// Whether the store is not being asked anything for a standby.
    pub(super) fn is_standby_idle(&self) -> bool {
        let is_ready =
            matches!(&self.phase, Phase::Standby(standby) if matches!(standby.step, StandbyStep::Ready));
        is_ready && self.asked.is_none()
    }
}
