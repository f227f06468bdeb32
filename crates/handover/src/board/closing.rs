//! Closing a board: flush, give up ownership, forget. Because nobody is there, or because the server is
//! being emptied (level 0).

use std::task::Poll;
use std::time::Duration;

use super::Board;
use super::conns::Role;
use super::effects::{Ask, Effects, Moment};
use super::phase::{Closing, ClosingStep, ClosingWhy, Hold, Phase, Serving};
use super::telling::send_away;
use crate::store::{Release, StoreError};
use crate::wire::{Nack, ServerMessage};

const RELEASE_RETRY: Duration = Duration::from_millis(100);
/// After that the row keeps this server's name: whoever asks for the board is sent here, and it opens
/// again.
const MAX_RELEASES: u8 = 5;

impl Board {
    pub(super) fn begin_closing(&mut self, why: ClosingWhy, fx: &mut Effects) {
        self.phase = Phase::Closing(Closing { why, step: ClosingStep::Flushing, tries: 0 });
        if self.durable == self.history.seq() {
            self.release(fx);
        } else {
            self.write(fx);
        }
    }

    /// Level 0: gives the board up and sends its clients to the front door. Ready when that is done, or
    /// when it is not this server's to do.
    ///
    /// On its way out a board takes no edits. So it does not set out while the store is away: its people
    /// go on working, and it is tried again.
    pub(crate) fn drain(&mut self, fx: &mut Effects) -> Poll<()> {
        match &mut self.phase {
            Phase::Serving(serving) if self.writer.is_unanswered() || serving.hold != Hold::Firm => {
                Poll::Pending
            }
            Phase::Serving(_) => {
                self.begin_closing(ClosingWhy::Drained, fx);
                Poll::Pending
            }
            Phase::Closing(closing) => {
                closing.why = ClosingWhy::Drained;
                Poll::Pending
            }
            // A move or an opening is under way; it ends within its ttl.
            Phase::Opening(_) | Phase::Sealed(_) => Poll::Pending,
            Phase::Released(_) | Phase::Standby(_) | Phase::Absent(_) | Phase::Gone => Poll::Ready(()),
        }
    }

    /// The store does not take what has to be flushed. Whoever is here is served on, and asked for what is
    /// not durable: the edits that were passed over meanwhile are among it.
    pub(super) fn keep_open_unflushed(&mut self, fx: &mut Effects) {
        let Phase::Closing(closing) = &self.phase else { return };
        if closing.step != ClosingStep::Flushing || self.conns.is_empty() {
            return;
        }
        self.phase = Phase::Serving(Serving::default());
        let mut waiting = Vec::new();
        for (id, conn) in self.conns.iter_mut() {
            match std::mem::replace(&mut conn.role, Role::Served) {
                Role::Waiting(hello) => waiting.push((id, hello)),
                Role::Served | Role::Attached => {
                    let expected = self.history.durable_cseq(&conn.client, self.durable).next();
                    fx.send(id, ServerMessage::Nack(Nack { expected }));
                }
            }
        }
        for (id, hello) in waiting {
            self.welcome(id, &hello, fx);
        }
    }

    pub(super) fn release(&mut self, fx: &mut Effects) {
        let Phase::Closing(closing) = &mut self.phase else { return };
        closing.step = ClosingStep::Releasing;
        closing.tries = closing.tries.saturating_add(1);
        self.ask(Ask::Release { epoch: self.epoch }, fx);
    }

    pub(super) fn release_answered(
        &mut self,
        now: Moment,
        release: &Result<Release, StoreError>,
        fx: &mut Effects,
    ) {
        let Phase::Closing(closing) = &mut self.phase else { return };
        match release {
            Err(StoreError::Unavailable(_)) if closing.tries < MAX_RELEASES => {
                closing.step = ClosingStep::Retrying { at: now.after(RELEASE_RETRY) };
            }
            Ok(Release::Released | Release::Fenced(_))
            | Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => self.closed(now, fx),
        }
    }

    pub(super) fn retry_release(&mut self, now: Moment, fx: &mut Effects) {
        let is_due = matches!(&self.phase, Phase::Closing(closing)
            if matches!(closing.step, ClosingStep::Retrying { at } if at <= now));
        if is_due {
            self.release(fx);
        }
    }

    fn closed(&mut self, now: Moment, fx: &mut Effects) {
        let Phase::Closing(closing) = &self.phase else { return };
        match closing.why {
            ClosingWhy::Empty if !self.conns.is_empty() => self.open(now, fx),
            ClosingWhy::Empty | ClosingWhy::Drained => {
                for (conn, _) in self.conns.take() {
                    send_away(conn, None, fx);
                }
                self.vanish(fx);
            }
        }
    }
}
