//! Edits from clients: placed in order exactly once, told to everybody, acknowledged.

use std::time::Duration;

use super::conns::{ConnId, Role};
use super::effects::{Effect, Effects, Incident, Moment, Shut};
use super::history::Placed;
use super::phase::Phase;
use super::{Board, telling};
use crate::wire::{Ack, Edit, Nack, Op, Seq, ServerMessage};

/// Edits per second, as a decaying average over the last seconds.
#[derive(Debug, Default)]
pub(super) struct EditRate {
    per_s: f64,
    at: Moment,
}

impl EditRate {
    const MEMORY: Duration = Duration::from_secs(5);

    fn count(&mut self, now: Moment) {
        self.per_s = self.per_s(now) + 1.0 / Self::MEMORY.as_secs_f64();
        self.at = now;
    }

    pub(super) fn per_s(&self, now: Moment) -> f64 {
        let age = now.since(self.at).as_secs_f64() / Self::MEMORY.as_secs_f64();
        self.per_s * (-age).exp()
    }
}

impl Board {
    /// An edit came. Only a served client of a board that takes edits is listened to: after a seal, and
    /// before a go, silence is the answer, and the client sends the edit again where the board goes on.
    pub(crate) fn op(&mut self, now: Moment, conn: ConnId, op: Op, fx: &mut Effects) {
        if !matches!(self.phase, Phase::Serving(_)) {
            return;
        }
        let Some(sender) = self.conns.get(conn).filter(|sender| sender.role == Role::Served) else { return };
        if self.undurable_edits() >= self.settings.limits.undurable_edits {
            fx.push(Effect::Report(Incident::TooManyUndurable));
            self.shut(now, conn, Shut::Overloaded, fx);
            return;
        }
        let edit = Edit { client: sender.client.clone(), cseq: op.cseq, payload: op.payload };
        match self.history.place(edit) {
            Placed::New(entry) => {
                self.rate.count(now);
                self.writer.arrived(entry.seq, now);
                let ack = Ack { cseq: entry.cseq, seq: entry.seq, durable: false };
                fx.push(Effect::Tell(telling::update(entry)));
                fx.send(conn, ServerMessage::Ack(ack));
                self.write(fx);
            }
            Placed::Known(last) => {
                let durable = last.seq <= self.durable;
                let known = if durable { last.cseq } else { op.cseq };
                fx.send(conn, ServerMessage::Ack(Ack { cseq: known, seq: last.seq, durable }));
            }
            Placed::Gap { expected } => fx.send(conn, ServerMessage::Nack(Nack { expected })),
        }
    }

    /// A client wants everything after `from` again. Who asks for all of it may have seen what never came
    /// to be: edits would not take that back, the whole board does.
    pub(crate) fn resume(&mut self, conn: ConnId, from: Seq, fx: &mut Effects) {
        if !self.conns.get(conn).is_some_and(|conn| conn.role == Role::Served) {
            return;
        }
        if from == Seq::ZERO {
            self.send_snapshot(conn, fx);
        } else {
            self.catch_up(conn, from, fx);
        }
    }

    fn undurable_edits(&self) -> usize {
        usize::try_from(self.history.seq().get().saturating_sub(self.durable.get())).unwrap_or(usize::MAX)
    }
}
