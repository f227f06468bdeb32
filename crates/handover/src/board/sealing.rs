//! The old server's side: offer, seal, and taking the board back.

use std::task::Poll;
use std::time::Duration;

use super::conns::{ConnId, Speaks};
use super::effects::{Ask, Effect, Effects, Incident, Moment};
use super::phase::{Hold, Offering, Phase, SealStep, Sealing, Serving};
use super::{Board, coming_or_going, from_ms, only_drains, unknown_board};
use crate::store::{Claim, StoreError};
use crate::wire::{
    Entry, Level, MoveId, OfferAnswer, OfferRequest, Problem, ProblemCode, SealAnswer, SealRequest, Sealed,
    Seq, ServerMessage, Unsealed,
};

/// A delta with more payload than this is not sent: the new server reads the database instead.
const MAX_DELTA_BYTES: usize = 1024 * 1024;
const REOWN_RETRY: Duration = Duration::from_millis(100);

impl Board {
    /// `POST offer`: tells the clients, at the shell's pace. Repeated it renews the deadline, for them as well.
    pub(crate) fn offer(
        &mut self,
        now: Moment,
        request: &OfferRequest,
        fx: &mut Effects,
    ) -> Result<OfferAnswer, Problem> {
        if self.settings.level < Level::Attach {
            return Err(only_drains());
        }
        match &self.phase {
            Phase::Serving(Serving { offer: None, .. }) => Ok(self.tell_offer(now, request, None, fx)),
            Phase::Serving(Serving { offer: Some(offer), .. }) if offer.move_id == request.move_id => {
                let answer = offer.answer.clone();
                Ok(self.tell_offer(now, request, Some(answer), fx))
            }
            Phase::Sealed(Sealing { offer: Some(offer), .. }) if offer.move_id == request.move_id => {
                Ok(offer.answer.clone())
            }
            Phase::Serving(_) => Err(self.other_move()),
            Phase::Sealed(_) | Phase::Standby(_) | Phase::Released(_) => {
                Err(self.wrong_state("offer comes before the seal"))
            }
            Phase::Opening(_) | Phase::Closing(_) => Err(coming_or_going()),
            Phase::Absent(_) | Phase::Gone => Err(unknown_board()),
        }
    }

    /// `answered`: what was answered the first time.
    fn tell_offer(
        &mut self,
        now: Moment,
        request: &OfferRequest,
        answered: Option<OfferAnswer>,
        fx: &mut Effects,
    ) -> OfferAnswer {
        let mut offer = Offering {
            move_id: request.move_id.clone(),
            connect: request.connect.clone(),
            deadline_ms: request.deadline_ms,
            until: now.after(from_ms(request.deadline_ms)),
            answer: OfferAnswer { offered: 0, unsupported: 0 },
        };
        for (conn, info) in self.conns.served() {
            match info.speaks {
                Speaks::Handover => {
                    offer.answer.offered += 1;
                    let message = self.offer_message(&info.client, &offer);
                    fx.push(Effect::Offer { conn, move_id: offer.move_id.clone(), message });
                }
                Speaks::Plain => offer.answer.unsupported += 1,
            }
        }
        offer.answer = answered.unwrap_or(offer.answer);
        let answer = offer.answer.clone();
        if let Phase::Serving(serving) = &mut self.phase {
            serving.offer = Some(offer);
        }
        answer
    }

    /// Whether an offer that was queued should still be sent: until its client is gone or sent away. A board may be
    /// switched without the late ones, and the new server serves whoever attaches after that.
    pub(crate) fn offer_stands(&self, conn: ConnId, move_id: &MoveId) -> bool {
        if self.conns.get(conn).is_none() {
            return false;
        }
        match &self.phase {
            Phase::Serving(Serving { offer, .. }) | Phase::Sealed(Sealing { offer, .. }) => {
                offer.as_ref().is_some_and(|offer| offer.move_id == *move_id)
            }
            Phase::Released(released) => released.move_id.as_ref() == Some(move_id),
            Phase::Opening(_) | Phase::Closing(_) | Phase::Standby(_) | Phase::Absent(_) | Phase::Gone => {
                false
            }
        }
    }

    /// `POST seal`. From here on no edit is applied. `Pending` while the application's level, or the
    /// size of what is not durable, asks for a flush first.
    pub(crate) fn seal(
        &mut self,
        now: Moment,
        request: &SealRequest,
        fx: &mut Effects,
    ) -> Poll<Result<SealAnswer, Problem>> {
        match self.check_seal(request) {
            Ok(()) => {}
            Err(problem) => return Poll::Ready(Err(problem)),
        }
        if let Phase::Serving(serving) = &mut self.phase {
            let offer = serving.offer.take();
            self.phase = Phase::Sealed(Sealing {
                move_id: request.move_id.clone(),
                offer,
                standby_seq: request.standby_seq,
                step: SealStep::Holding { until: now.after(from_ms(request.seal_ttl_ms)) },
                answer: None,
            });
            let sealed = Sealed { epoch: self.epoch, seq: self.history.seq() };
            fx.push(Effect::Tell(ServerMessage::Sealed(sealed)));
        }
        match self.seal_answer() {
            Some(answer) => Poll::Ready(Ok(answer)),
            None => Poll::Pending,
        }
    }

    fn check_seal(&self, request: &SealRequest) -> Result<(), Problem> {
        if self.settings.level < Level::Attach {
            return Err(only_drains());
        }
        match &self.phase {
            // Being taken back: its epoch is about to change.
            Phase::Serving(serving) if serving.hold != Hold::Firm => return Err(coming_or_going()),
            Phase::Serving(Serving { offer: Some(offer), .. }) if offer.move_id != request.move_id => {
                return Err(self.other_move());
            }
            Phase::Sealed(sealing) if sealing.move_id != request.move_id => return Err(self.other_move()),
            Phase::Serving(_) | Phase::Sealed(_) => {}
            Phase::Released(_) | Phase::Standby(_) => return Err(self.wrong_state("seal is for the owner")),
            Phase::Opening(_) | Phase::Closing(_) => return Err(coming_or_going()),
            Phase::Absent(_) | Phase::Gone => return Err(unknown_board()),
        }
        if request.epoch == self.epoch {
            return Ok(());
        }
        let detail = format!("asked for epoch {}, it is {}", request.epoch, self.epoch);
        Err(Problem::new(ProblemCode::WrongEpoch, detail).with_holder(self.own_holder()))
    }

    fn seal_answer(&mut self) -> Option<SealAnswer> {
        let Phase::Sealed(sealing) = &self.phase else { return None };
        if sealing.answer.is_some() {
            return sealing.answer.clone();
        }
        let delta = if self.settings.level >= Level::Warm { self.delta(sealing.standby_seq) } else { None };
        let final_seq = self.history.seq();
        if delta.is_none() && self.durable < final_seq {
            return None;
        }
        let answer = SealAnswer { final_seq, delta, digest: Some(self.history.digest()) };
        if let Phase::Sealed(sealing) = &mut self.phase {
            sealing.answer = Some(answer.clone());
        }
        Some(answer)
    }

    /// What the new server may lack: everything after its standby, or at least what is not durable.
    fn delta(&self, standby_seq: Option<Seq>) -> Option<Vec<Entry>> {
        let after = |seq: Seq| {
            let entries: Vec<Entry> = self.history.after(seq)?.cloned().collect();
            let bytes: usize = entries.iter().map(|entry| entry.payload.as_json().len()).sum();
            (bytes <= MAX_DELTA_BYTES).then_some(entries)
        };
        // What is not durable must be in it, even if the standby claims to have read further.
        let since_standby = standby_seq.and_then(|standby_seq| after(standby_seq.min(self.durable)));
        since_standby.or_else(|| after(self.durable))
    }

    /// The seal is over without a release: take the board back by the same compare-and-set that the new
    /// server would have to win.
    pub(super) fn reown(&mut self, fx: &mut Effects) {
        let Phase::Sealed(sealing) = &mut self.phase else { return };
        if sealing.step == SealStep::Reowning {
            return;
        }
        sealing.step = SealStep::Reowning;
        self.writer.forget();
        self.ask(Ask::Claim { expect: self.epoch }, fx);
    }

    pub(super) fn reown_answered(&mut self, now: Moment, claim: Result<Claim, StoreError>, fx: &mut Effects) {
        let Phase::Sealed(sealing) = &mut self.phase else { return };
        match claim {
            Ok(Claim::Claimed { epoch, last_seq }) => {
                if last_seq < self.durable || last_seq > self.history.seq() {
                    return self.give_up(Incident::BrokenLog, fx);
                }
                self.epoch = epoch;
                self.phase = Phase::Serving(Serving::default());
                self.made_durable(now, last_seq, fx);
                fx.push(Effect::Tell(ServerMessage::Unsealed(Unsealed { epoch })));
                self.idle_if_empty(self.lingered(now));
                self.write(fx);
            }
            Ok(Claim::Held(row)) => {
                let move_id = Some(sealing.move_id.clone());
                let offered = sealing.offered();
                let connect = self.connect_of(&row).or(offered);
                self.let_go(move_id, connect, now.after(self.settings.limits.grace), fx);
            }
            Err(StoreError::Refused(_)) => self.give_up(Incident::ClaimRefused, fx),
            Err(StoreError::Unavailable(_)) => {
                sealing.step = SealStep::Retrying { at: now.after(REOWN_RETRY) };
            }
        }
    }
}
