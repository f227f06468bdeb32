//! The switch, on the new server: complete the history, win the compare-and-set, say `go`.
//!
//! Everything that can be refused is refused before the claim. After it nothing can fail any more: what
//! is not durable yet is in this server's memory, its clients still keep it, and it is written under the
//! new epoch while they already work.

use std::task::Poll;
use std::time::Duration;

use super::effects::{Ask, Effect, Effects, Incident, Moment};
use super::phase::{CameBy, Goal, Phase, Serving, StandbyStep, Won};
use super::{Board, unknown_board};
use crate::store::{Claim, Page, Row, StoreError};
use crate::wire::{ActivateAnswer, ActivateRequest, Epoch, Holder, Level, Problem, ProblemCode, Seq};

/// How long an activation is tried again while the store does not answer.
const CLAIM_PATIENCE: Duration = Duration::from_secs(2);
const CLAIM_RETRY: Duration = Duration::from_millis(50);

pub(super) fn broken_log() -> Problem {
    Problem::new(ProblemCode::Internal, "the board's log in the database is not contiguous")
}

/// The store did not help for as long as an activation may take, or says that it never will.
fn no_help(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(_) => {
            let detail = "the database did not answer while the board was being activated";
            Problem::new(ProblemCode::StoreUnavailable, detail)
        }
        StoreError::Refused(_) => Problem::new(ProblemCode::Internal, error.to_string()),
    }
}

impl Board {
    /// `POST activate`. `Pending` until the claim is decided.
    pub(crate) fn activate(
        &mut self,
        now: Moment,
        request: &ActivateRequest,
        fx: &mut Effects,
    ) -> Poll<Result<ActivateAnswer, Problem>> {
        if let Phase::Standby(standby) = &self.phase
            && standby.move_id == request.move_id
            && matches!(standby.step, StandbyStep::Ready)
        {
            let goal = match self.goal(now, standby.from_epoch, request) {
                Ok(goal) => goal,
                Err(problem) => return Poll::Ready(Err(problem)),
            };
            self.advance(now, goal, fx);
        }
        match &self.phase {
            Phase::Standby(standby) if standby.move_id == request.move_id => Poll::Pending,
            Phase::Standby(_) => Poll::Ready(Err(self.other_move())),
            Phase::Serving(Serving { came_by: Some(came_by), .. }) if came_by.move_id == request.move_id => {
                Poll::Ready(Ok(ActivateAnswer { epoch: came_by.epoch }))
            }
            Phase::Serving(_) | Phase::Sealed(_) => Poll::Ready(Err(self.held_here())),
            Phase::Absent(absent) => {
                let failure = absent.failure_of(&request.move_id).cloned();
                Poll::Ready(Err(failure.unwrap_or_else(unknown_board)))
            }
            Phase::Opening(_) | Phase::Closing(_) | Phase::Released(_) | Phase::Gone => {
                Poll::Ready(Err(unknown_board()))
            }
        }
    }

    fn goal(&self, now: Moment, from_epoch: Epoch, request: &ActivateRequest) -> Result<Goal, Problem> {
        if request.from_epoch != from_epoch {
            let detail = format!("prepared from epoch {from_epoch}, asked from {}", request.from_epoch);
            return Err(Problem::new(ProblemCode::WrongEpoch, detail));
        }
        if request.force && self.settings.level < Level::Failover {
            return Err(Problem::new(ProblemCode::Unsupported, "this application does not fail over"));
        }
        if request.final_seq.is_none() && !request.force {
            return Err(Problem::new(ProblemCode::BadRequest, "final_seq may be missing only with force"));
        }
        Ok(Goal {
            expect: from_epoch,
            final_seq: request.final_seq,
            delta: request.delta.clone().unwrap_or_default(),
            digest: request.digest.clone(),
            give_up_at: now.after(CLAIM_PATIENCE),
        })
    }

    /// A client asks for the board, and its owner is gone: like a forced activation.
    pub(super) fn activate_for_joiners(&mut self, now: Moment, expect: Epoch, fx: &mut Effects) {
        if self.is_standby_idle() {
            let give_up_at = now.after(CLAIM_PATIENCE);
            self.claim(Goal { expect, final_seq: None, delta: Vec::new(), digest: None, give_up_at }, fx);
        }
    }

    /// Reads what lies before the delta, then takes the delta in, then claims.
    fn advance(&mut self, now: Moment, goal: Goal, fx: &mut Effects) {
        let Some(final_seq) = goal.final_seq else { return self.claim(goal, fx) };
        let delta_begins = goal.delta.first().map_or(final_seq.next(), |entry| entry.seq);
        if self.history.seq().next() < delta_begins {
            let after = self.history.seq();
            self.set_step(StandbyStep::Filling(goal));
            self.ask(Ask::Load { after }, fx);
            return;
        }
        let standby_seq = self.history.seq();
        let lacking = goal.delta.iter().filter(|entry| entry.seq > standby_seq).cloned().collect();
        let is_sound = self.replay(lacking).is_ok();
        let reached = self.history.seq();
        if !is_sound || reached != final_seq {
            let detail = format!("sealed at {final_seq}, this server reaches {reached}");
            return self.lose(now, Problem::new(ProblemCode::Incomplete, detail).with_seq(reached), fx);
        }
        if goal.digest.as_ref().is_some_and(|digest| *digest != self.history.digest()) {
            let detail = format!("the edits up to {final_seq} are not the same on both servers");
            return self.lose(now, Problem::new(ProblemCode::DigestMismatch, detail), fx);
        }
        self.claim(goal, fx);
    }

    fn claim(&mut self, goal: Goal, fx: &mut Effects) {
        let expect = goal.expect;
        self.set_step(StandbyStep::Claiming(goal));
        self.ask(Ask::Claim { expect }, fx);
    }

    pub(super) fn set_step(&mut self, step: StandbyStep) {
        if let Phase::Standby(standby) = &mut self.phase {
            standby.step = step;
        }
    }

    /// Takes the goal out of the step, leaving `Ready` behind for whoever sets the next one.
    fn take_goal(&mut self) -> Option<Goal> {
        let Phase::Standby(standby) = &mut self.phase else { return None };
        match std::mem::replace(&mut standby.step, StandbyStep::Ready) {
            StandbyStep::Filling(goal) | StandbyStep::Claiming(goal) | StandbyStep::Backoff(goal, _) => {
                Some(goal)
            }
            other @ (StandbyStep::Looking
            | StandbyStep::Reading
            | StandbyStep::Ready
            | StandbyStep::CatchingUp(_)
            | StandbyStep::Rereading(..)) => {
                standby.step = other;
                None
            }
        }
    }

    pub(super) fn fill_answered(&mut self, now: Moment, page: Result<Page, StoreError>, fx: &mut Effects) {
        let Some(goal) = self.take_goal() else { return };
        let page = match page {
            Ok(page) => page,
            Err(error) => return self.retry_or_lose(now, goal, &error, fx),
        };
        let before = self.history.seq();
        let wanted = |seq: Seq| goal.final_seq.is_none_or(|final_seq| seq <= final_seq);
        let entries = page.entries.into_iter().filter(|entry| wanted(entry.seq)).collect();
        if self.replay(entries).is_err() {
            return self.lose(now, broken_log(), fx);
        }
        let reached = self.history.seq();
        if reached == before {
            let detail = format!("the database ends at {reached}, the delta begins later");
            return self.lose(now, Problem::new(ProblemCode::Incomplete, detail).with_seq(reached), fx);
        }
        self.history.trim(reached);
        self.advance(now, goal, fx);
    }

    pub(super) fn activation_claim_answered(
        &mut self,
        now: Moment,
        claim: Result<Claim, StoreError>,
        fx: &mut Effects,
    ) {
        let Some(goal) = self.take_goal() else { return };
        match claim {
            Ok(Claim::Claimed { epoch, last_seq }) => {
                let won = Won { epoch, last_seq, give_up_at: goal.give_up_at };
                if last_seq > self.history.seq() {
                    self.catch_up_with_log(won, fx);
                } else {
                    self.activated(now, won, fx);
                }
            }
            Ok(Claim::Held(row)) => self.lose(now, self.held_elsewhere(row), fx),
            Err(error) => self.retry_or_lose(now, goal, &error, fx),
        }
    }

    fn retry_or_lose(&mut self, now: Moment, goal: Goal, error: &StoreError, fx: &mut Effects) {
        match error {
            StoreError::Unavailable(_) if now < goal.give_up_at => {
                self.set_step(StandbyStep::Backoff(goal, now.after(CLAIM_RETRY)));
            }
            StoreError::Unavailable(_) | StoreError::Refused(_) => self.lose(now, no_help(error), fx),
        }
    }

    pub(super) fn retry_activation(&mut self, now: Moment, fx: &mut Effects) {
        let is_due = matches!(&self.phase, Phase::Standby(standby)
            if matches!(&standby.step, StandbyStep::Backoff(_, at) if *at <= now));
        if is_due && let Some(goal) = self.take_goal() {
            self.advance(now, goal, fx);
        }
        if let Phase::Standby(standby) = &self.phase
            && let StandbyStep::Rereading(won, at) = standby.step
            && at <= now
        {
            self.catch_up_with_log(won, fx);
        }
    }

    /// Reads what the log has behind the standby.
    fn catch_up_with_log(&mut self, won: Won, fx: &mut Effects) {
        self.set_step(StandbyStep::CatchingUp(won));
        self.ask(Ask::Load { after: self.history.seq() }, fx);
    }

    pub(super) fn catch_up_answered(
        &mut self,
        now: Moment,
        page: Result<Page, StoreError>,
        fx: &mut Effects,
    ) {
        let Phase::Standby(standby) = &self.phase else { return };
        let StandbyStep::CatchingUp(won) = standby.step else { return };
        // Owned and not read, in all of these: whoever joins next claims and reads the board afresh.
        let page = match page {
            Ok(page) => page,
            Err(StoreError::Unavailable(_)) if now < won.give_up_at => {
                return self.set_step(StandbyStep::Rereading(won, now.after(CLAIM_RETRY)));
            }
            Err(error) => return self.lose(now, no_help(&error), fx),
        };
        let before = self.history.seq();
        let is_sound = self.replay(page.entries).is_ok();
        let reached = self.history.seq();
        if !is_sound || reached == before || reached > won.last_seq {
            fx.push(Effect::Report(Incident::BrokenLog));
            return self.lose(now, broken_log(), fx);
        }
        self.history.trim(reached);
        if reached == won.last_seq {
            self.activated(now, won, fx);
        } else {
            self.catch_up_with_log(won, fx);
        }
    }

    fn activated(&mut self, now: Moment, won: Won, fx: &mut Effects) {
        let Phase::Standby(standby) = &self.phase else { return };
        let (move_id, epoch, seq) = (standby.move_id.clone(), won.epoch, self.history.seq());
        // Claimed for joiners from a later epoch, it is not the move that brought the board here.
        let is_by_move = epoch == standby.from_epoch.next();
        let came_by = is_by_move.then_some(CameBy { move_id, epoch, seq });
        self.serve(now, won.epoch, won.last_seq, came_by, fx);
    }

    fn held_elsewhere(&self, row: Row) -> Problem {
        Problem::new(ProblemCode::Held, "the compare-and-set was lost").with_holder(self.holder_of(row))
    }

    pub(super) fn holder_of(&self, row: Row) -> Holder {
        let connect = self.connect_of(&row);
        Holder { epoch: row.epoch, owner: row.owner.map(|owner| owner.server), connect }
    }
}
