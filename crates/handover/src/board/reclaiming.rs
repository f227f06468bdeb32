//! A board that is served here and that the table gives to nobody: this server was silent for so long that the
//! others freed its boards, and it lives. Nobody can have written since, so it goes on where it is, under the
//! next epoch, by the compare-and-set that anybody else would have to win.

use std::time::Duration;

use super::Board;
use super::effects::{Ask, Effect, Effects, Incident, Moment};
use super::phase::{Hold, Phase};
use crate::store::{Claim, Row, StoreError};
use crate::wire::{ServerMessage, Unsealed};

const RETRY: Duration = Duration::from_millis(100);

impl Board {
    /// The epoch is still the one under which this server owned it.
    pub(super) fn is_freed(&self, row: &Row) -> bool {
        row.epoch == self.epoch && row.owner.is_none()
    }

    /// A write found the board to be nobody's.
    pub(super) fn fenced_by_nobody(&mut self, now: Moment, row: &Row, fx: &mut Effects) {
        match &self.phase {
            Phase::Serving(_) => self.reclaim(fx),
            // What would happen at the end of the seal.
            Phase::Sealed(_) => self.reown(fx),
            // It was on its way to nobody; what was not durable its people send again.
            Phase::Closing(_)
            | Phase::Opening(_)
            | Phase::Released(_)
            | Phase::Standby(_)
            | Phase::Absent(_)
            | Phase::Gone => self.lost_ownership(now, row, fx),
        }
    }

    /// Edits are taken meanwhile, and none is written: the epoch is about to change.
    pub(super) fn reclaim(&mut self, fx: &mut Effects) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        if serving.hold == Hold::Reclaiming {
            return;
        }
        serving.hold = Hold::Reclaiming;
        self.writer.forget();
        self.ask(Ask::Claim { expect: self.epoch }, fx);
    }

    pub(super) fn retry_reclaim(&mut self, now: Moment, fx: &mut Effects) {
        let is_due = matches!(&self.phase, Phase::Serving(serving)
            if matches!(serving.hold, Hold::Retrying { at } if at <= now));
        if is_due {
            self.reclaim(fx);
        }
    }

    pub(super) fn reclaim_answered(
        &mut self,
        now: Moment,
        claim: Result<Claim, StoreError>,
        fx: &mut Effects,
    ) {
        let Phase::Serving(serving) = &mut self.phase else { return };
        match claim {
            Ok(Claim::Claimed { epoch, last_seq }) => {
                if last_seq < self.durable || last_seq > self.history.seq() {
                    return self.give_up(Incident::BrokenLog, fx);
                }
                serving.hold = Hold::Firm;
                self.epoch = epoch;
                self.made_durable(now, last_seq, fx);
                fx.push(Effect::Tell(ServerMessage::Unsealed(Unsealed { epoch })));
                self.write(fx);
            }
            Ok(Claim::Held(row)) => self.lost_ownership(now, &row, fx),
            Err(StoreError::Refused(_)) => self.give_up(Incident::ClaimRefused, fx),
            // Perhaps it was done: asked again from the same epoch it wins again.
            Err(StoreError::Unavailable(_)) => serving.hold = Hold::Retrying { at: now.after(RETRY) },
        }
    }

    /// Whether the epoch is not about to change by this server's own claim.
    pub(super) fn holds_firmly(&self) -> bool {
        matches!(&self.phase, Phase::Serving(serving) if serving.hold == Hold::Firm)
    }
}
