//! The new server's side before the switch: a standby that reads the board and waits.

use super::activating;
use super::effects::{Ask, Doors, Effect, Effects, Moment};
use super::joining::cancel;
use super::phase::{Absent, FailedMove, Phase, Serving, Standby, StandbyStep};
use super::telling::send_away;
use super::{Board, coming_or_going, from_ms, only_drains};
use crate::store::{Page, Row, StoreError};
use crate::wire::{
    Connect, Epoch, Level, MoveId, PrepareAnswer, PrepareRequest, PrepareState, Problem, ProblemCode, Seq,
};

use std::time::Duration;

/// How long a failed move is remembered, so that the same call gets the same answer.
const REMEMBER_FAILED: Duration = Duration::from_secs(10);

/// Everything a `prepare` needs to know about the server.
#[derive(Debug, Clone)]
pub(crate) struct PrepareHere {
    pub(crate) connect: Connect,
    pub(crate) doors: Doors,
}

impl Board {
    /// `POST prepare`. Repeated it renews the ttl and counts the attached.
    pub(crate) fn prepare(
        &mut self,
        now: Moment,
        request: &PrepareRequest,
        here: PrepareHere,
        fx: &mut Effects,
    ) -> Result<PrepareAnswer, Problem> {
        if self.settings.level < Level::Attach {
            return Err(only_drains());
        }
        if let Phase::Absent(absent) = &self.phase
            && let Some(failure) = absent.lasting_failure_of(&request.move_id)
        {
            return Err(failure.clone());
        }
        match &mut self.phase {
            Phase::Standby(standby) if standby.move_id == request.move_id => {
                standby.expires = now.after(from_ms(request.ttl_ms));
            }
            Phase::Serving(Serving { came_by: Some(came_by), .. }) if came_by.move_id == request.move_id => {}
            Phase::Standby(_) => return Err(self.other_move()),
            Phase::Serving(_) | Phase::Sealed(_) => return Err(self.held_here()),
            Phase::Opening(_) | Phase::Closing(_) | Phase::Gone => return Err(coming_or_going()),
            // Its clients are on their way after the board; they are not torn off for it to come back.
            Phase::Released(_) => {
                let detail = "clients of the board's last stay are still leaving";
                return Err(Problem::new(ProblemCode::StillWorking, detail));
            }
            Phase::Absent(_) if here.doors == Doors::Closed => {
                return Err(Problem::new(ProblemCode::WrongState, "this server is closed to new boards"));
            }
            Phase::Absent(_) => self.become_standby(now, request, fx),
        }
        Ok(self.prepare_answer(here.connect))
    }

    fn prepare_answer(&self, connect: Connect) -> PrepareAnswer {
        let state = match &self.phase {
            Phase::Standby(standby)
                if matches!(standby.step, StandbyStep::Looking | StandbyStep::Reading) =>
            {
                PrepareState::Loading
            }
            Phase::Serving(_) => PrepareState::Active,
            Phase::Standby(_)
            | Phase::Opening(_)
            | Phase::Sealed(_)
            | Phase::Closing(_)
            | Phase::Released(_)
            | Phase::Absent(_)
            | Phase::Gone => PrepareState::Standby,
        };
        let (served, attached) = self.conns.counts();
        let attached = if state == PrepareState::Active { served } else { attached };
        PrepareAnswer { state, seq: self.history.seq(), connect, attached }
    }

    fn become_standby(&mut self, now: Moment, request: &PrepareRequest, fx: &mut Effects) {
        self.history = self.settings.empty_history(&self.id);
        self.durable = Seq::ZERO;
        self.epoch = Epoch::ZERO;
        self.writer.forget();
        self.phase = Phase::Standby(Standby {
            move_id: request.move_id.clone(),
            from_epoch: request.from_epoch,
            expires: now.after(from_ms(request.ttl_ms)),
            began: now,
            step: StandbyStep::Looking,
        });
        self.ask(Ask::Row, fx);
    }

    /// The row was read, for the move itself.
    pub(super) fn standby_row_answered(
        &mut self,
        now: Moment,
        row: Result<Row, StoreError>,
        fx: &mut Effects,
    ) {
        let Phase::Standby(standby) = &mut self.phase else { return };
        let from_epoch = standby.from_epoch;
        match row {
            Ok(row) if row.epoch == from_epoch => {
                let is_warm = self.settings.level >= Level::Warm;
                standby.step = if is_warm { StandbyStep::Reading } else { StandbyStep::Ready };
                if is_warm {
                    self.ask(Ask::Load { after: Seq::ZERO }, fx);
                }
            }
            Ok(row) => {
                let detail = format!("the board is at epoch {}, not {from_epoch}", row.epoch);
                let problem = Problem::new(ProblemCode::WrongEpoch, detail).with_holder(self.holder_of(row));
                self.lose(now, problem, fx);
            }
            // Either way the daemon decides whether to ask again.
            Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => {
                let detail = "the ownership table could not be read";
                self.lose(now, Problem::new(ProblemCode::StoreUnavailable, detail), fx);
            }
        }
    }

    pub(super) fn standby_page_answered(
        &mut self,
        now: Moment,
        page: Result<Page, StoreError>,
        fx: &mut Effects,
    ) {
        let Phase::Standby(standby) = &mut self.phase else { return };
        let began = standby.began;
        match &standby.step {
            StandbyStep::Reading => {
                let Ok(page) = page else {
                    // Cold is worse than warm and still works: the rest is read at `activate`.
                    standby.step = StandbyStep::Ready;
                    return;
                };
                let (before, last_seq) = (self.history.seq(), page.last_seq);
                let is_sound = self.replay(page.entries).is_ok();
                let reached = self.history.seq();
                self.history.trim(reached);
                if !is_sound || (reached == before && reached < last_seq) {
                    return self.lose(now, activating::broken_log(), fx);
                }
                if reached < last_seq {
                    self.ask(Ask::Load { after: reached }, fx);
                } else {
                    fx.push(Effect::Loaded(now.since(began)));
                    self.set_step(StandbyStep::Ready);
                }
            }
            StandbyStep::Filling(_) => self.fill_answered(now, page, fx),
            StandbyStep::CatchingUp(_) => self.catch_up_answered(now, page, fx),
            StandbyStep::Looking
            | StandbyStep::Ready
            | StandbyStep::Claiming(_)
            | StandbyStep::Backoff(..)
            | StandbyStep::Rereading(..) => {}
        }
    }

    /// The move failed here: clients stay where they are, and the same call will get the same answer.
    pub(super) fn lose(&mut self, now: Moment, problem: Problem, fx: &mut Effects) {
        let Phase::Standby(standby) = &self.phase else { return };
        let move_id = standby.move_id.clone();
        self.dismiss(&move_id, fx);
        self.asked = None;
        self.history = self.settings.empty_history(&self.id);
        let failed = Some(FailedMove { move_id, problem });
        self.phase = Phase::Absent(Absent { failed, forget_at: now.after(REMEMBER_FAILED) });
    }

    /// The move was called off.
    pub(super) fn abandon(&mut self, move_id: &MoveId, fx: &mut Effects) {
        self.dismiss(move_id, fx);
        self.vanish(fx);
    }

    fn dismiss(&mut self, move_id: &MoveId, fx: &mut Effects) {
        for conn in self.conns.take_waiting() {
            send_away(conn, None, fx);
        }
        for (conn, _) in self.conns.take() {
            cancel(conn, move_id.clone(), fx);
        }
    }

    pub(super) fn expire_standby(&mut self, now: Moment, fx: &mut Effects) {
        let problem = Problem::new(ProblemCode::WrongState, "the standby's ttl ended without an activation");
        self.lose(now, problem, fx);
    }
}
