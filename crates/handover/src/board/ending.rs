//! `end`: the daemon says how a move ended. Each side knows from its own state which side it is.

use std::task::Poll;

use super::Board;
use super::effects::{Effects, Moment};
use super::phase::{Phase, Sealing, Serving};
use crate::wire::{EndAnswer, EndRequest, MoveId, Outcome, Problem};

impl Board {
    /// `POST end`. `Pending` while the old server takes an aborted board back.
    pub(crate) fn end(
        &mut self,
        now: Moment,
        request: &EndRequest,
        fx: &mut Effects,
    ) -> Poll<Result<EndAnswer, Problem>> {
        match request.outcome {
            Outcome::Release => Poll::Ready(self.end_release(now, &request.move_id, fx)),
            Outcome::Abort => self.end_abort(now, &request.move_id, fx),
        }
    }

    fn end_release(&mut self, now: Moment, move_id: &MoveId, fx: &mut Effects) -> Result<EndAnswer, Problem> {
        match &self.phase {
            Phase::Sealed(sealing) if sealing.move_id == *move_id => {
                let connect = sealing.offered();
                let close_at = now.after(self.settings.limits.grace);
                self.let_go(Some(move_id.clone()), connect, close_at, fx);
                Ok(EndAnswer::Gone)
            }
            Phase::Sealed(_) => Err(self.other_move()),
            Phase::Serving(serving) if serving.is_from(move_id) => Ok(EndAnswer::Owned { epoch: self.epoch }),
            // Not sealed, or taken back since: the board is here, whatever the daemon thinks.
            Phase::Serving(_) => {
                Err(self.wrong_state("release comes after the seal").with_holder(self.own_holder()))
            }
            Phase::Standby(_) => Err(self.wrong_state("release comes after activate")),
            Phase::Opening(_) | Phase::Closing(_) | Phase::Released(_) | Phase::Absent(_) | Phase::Gone => {
                Ok(EndAnswer::Gone)
            }
        }
    }

    fn end_abort(
        &mut self,
        now: Moment,
        move_id: &MoveId,
        fx: &mut Effects,
    ) -> Poll<Result<EndAnswer, Problem>> {
        match &mut self.phase {
            Phase::Sealed(Sealing { move_id: sealed_for, .. }) if sealed_for == move_id => {
                self.reown(fx);
                Poll::Pending
            }
            Phase::Serving(serving) if serving.is_from(move_id) => {
                Poll::Ready(Err(self.wrong_state("the move was activated").with_holder(self.own_holder())))
            }
            Phase::Serving(serving) => {
                serving.offer.take_if(|offer| offer.move_id == *move_id);
                self.idle_if_empty(self.lingered(now));
                Poll::Ready(Ok(EndAnswer::Owned { epoch: self.epoch }))
            }
            Phase::Standby(standby) if standby.move_id == *move_id => {
                if standby.is_committing() {
                    return Poll::Pending;
                }
                self.abandon(move_id, fx);
                Poll::Ready(Ok(EndAnswer::Gone))
            }
            Phase::Standby(_) | Phase::Sealed(_) => Poll::Ready(Err(self.other_move())),
            Phase::Opening(_) | Phase::Closing(_) | Phase::Released(_) | Phase::Absent(_) | Phase::Gone => {
                Poll::Ready(Ok(EndAnswer::Gone))
            }
        }
    }
}

impl Serving {
    pub(super) fn is_from(&self, move_id: &MoveId) -> bool {
        self.came_by.as_ref().is_some_and(|came_by| came_by.move_id == *move_id)
    }
}
