//! Making edits durable: one write in flight for each board, everything that came meanwhile in the next.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Board;
use super::conns::Role;
use super::effects::{Effect, Effects, Incident, Moment, Ticket};
use super::phase::{ClosingStep, Phase, SealStep};
use crate::store::{Append, Row, StoreError};
use crate::wire::{Ack, ClientId, Cseq, Entry, Seq, ServerMessage};

#[derive(Debug, Default)]
pub(super) struct Writer {
    step: WriterStep,
    /// The last write was not answered: the store is away.
    is_unanswered: bool,
    /// When the edits that are not durable yet came.
    arrivals: VecDeque<(Seq, Moment)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum WriterStep {
    #[default]
    Idle,
    Writing(Ticket),
    Backoff {
        until: Moment,
    },
}

impl Writer {
    const RETRY: Duration = Duration::from_millis(100);

    pub(super) fn arrived(&mut self, seq: Seq, now: Moment) {
        self.arrivals.push_back((seq, now));
    }

    /// Forgets the write in flight: its answer will not be listened to.
    pub(super) fn forget(&mut self) {
        self.step = WriterStep::Idle;
        self.is_unanswered = false;
    }

    /// Whether it is in doubt that what is written becomes durable soon.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered
    }

    pub(super) fn retry_at(&self) -> Option<Moment> {
        match self.step {
            WriterStep::Backoff { until } => Some(until),
            WriterStep::Idle | WriterStep::Writing(_) => None,
        }
    }

    fn durable_up_to(&mut self, seq: Seq, now: Moment) -> Vec<Duration> {
        let mut took = Vec::new();
        while let Some((_, arrived)) = self.arrivals.pop_front_if(|(arrived, _)| *arrived <= seq) {
            took.push(now.since(arrived));
        }
        took
    }
}

impl Board {
    /// Begins a write if there is something to write and none is under way.
    pub(super) fn write(&mut self, fx: &mut Effects) {
        if self.writer.step != WriterStep::Idle || !self.may_write() || self.durable >= self.history.seq() {
            return;
        }
        let entries = self.next_entries();
        if entries.is_empty() {
            self.give_up(Incident::BrokenLog, fx);
            return;
        }
        let ticket = self.new_ticket();
        self.writer.step = WriterStep::Writing(ticket);
        fx.push(Effect::Write { ticket, epoch: self.epoch, entries });
    }

    fn may_write(&self) -> bool {
        match &self.phase {
            Phase::Serving(_) => self.holds_firmly(),
            Phase::Closing(_) => true,
            // While the claim is under way the epoch is about to change.
            Phase::Sealed(sealing) => matches!(sealing.step, SealStep::Holding { .. }),
            Phase::Opening(_) | Phase::Released(_) | Phase::Standby(_) | Phase::Absent(_) | Phase::Gone => {
                false
            }
        }
    }

    /// What is next to be written, within the limits of one write; never empty unless edits are missing.
    fn next_entries(&self) -> Vec<Entry> {
        let Some(undurable) = self.history.after(self.durable) else { return Vec::new() };
        let limits = &self.settings.limits;
        let mut bytes = 0;
        let mut entries: Vec<Entry> = Vec::new();
        for entry in undurable.take(limits.write_edits) {
            bytes += entry.payload.as_json().len();
            if bytes > limits.write_bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    /// The store answered a write.
    pub(crate) fn written(
        &mut self,
        now: Moment,
        ticket: Ticket,
        result: Result<Append, StoreError>,
        fx: &mut Effects,
    ) {
        if self.writer.step != WriterStep::Writing(ticket) {
            return;
        }
        self.writer.step = WriterStep::Idle;
        self.writer.is_unanswered = matches!(result, Err(StoreError::Unavailable(_)));
        match result {
            // Out of place after an answer that was lost: the write had happened. Nobody else can have
            // written under this epoch.
            Ok(Append::Appended { last_seq } | Append::OutOfPlace { last_seq }) => {
                if last_seq <= self.durable || last_seq > self.history.seq() {
                    self.give_up(Incident::BrokenLog, fx);
                    return;
                }
                self.made_durable(now, last_seq, fx);
                self.write(fx);
                self.release_if_flushed(fx);
            }
            Ok(Append::Fenced(row)) if self.is_freed(&row) => self.fenced_by_nobody(now, &row, fx),
            Ok(Append::Fenced(row)) => self.lost_ownership(now, &row, fx),
            Err(StoreError::Refused(_)) => self.give_up(Incident::WriteRefused, fx),
            Err(StoreError::Unavailable(_)) => {
                fx.push(Effect::Report(Incident::WriteFailed));
                self.writer.step = WriterStep::Backoff { until: now.after(Writer::RETRY) };
                self.keep_open_unflushed(fx);
            }
        }
    }

    pub(super) fn retry_write(&mut self, now: Moment, fx: &mut Effects) {
        if self.writer.retry_at().is_some_and(|until| until <= now) {
            self.writer.step = WriterStep::Idle;
            self.write(fx);
        }
    }

    /// Everything up to `last_seq` is in the database: tells those who wrote it, once each.
    pub(super) fn made_durable(&mut self, now: Moment, last_seq: Seq, fx: &mut Effects) {
        let mut latest: HashMap<&ClientId, (Cseq, Seq)> = HashMap::new();
        for entry in self.history.after(self.durable).into_iter().flatten() {
            if entry.seq <= last_seq {
                latest.insert(&entry.client, (entry.cseq, entry.seq));
            }
        }
        for (client, (cseq, seq)) in latest {
            let Some(conn) = self.conns.of_client(client) else { continue };
            if self.conns.get(conn).is_some_and(|conn| conn.role == Role::Served) {
                fx.send(conn, ServerMessage::Ack(Ack { cseq, seq, durable: true }));
            }
        }
        self.durable = last_seq;
        let took = self.writer.durable_up_to(last_seq, now);
        if !took.is_empty() {
            fx.push(Effect::Durable(took));
        }
        self.history.trim(last_seq);
    }

    fn release_if_flushed(&mut self, fx: &mut Effects) {
        let is_flushing =
            matches!(&self.phase, Phase::Closing(closing) if closing.step == ClosingStep::Flushing);
        if is_flushing && self.durable == self.history.seq() {
            self.release(fx);
        }
    }

    /// Somebody else owns the board, whatever this server believed.
    pub(super) fn lost_ownership(&mut self, now: Moment, row: &Row, fx: &mut Effects) {
        let connect = self.connect_of(row);
        match &self.phase {
            // The move went through. Clients close by themselves when they have heard `go`.
            Phase::Sealed(sealing) => {
                let move_id = Some(sealing.move_id.clone());
                let connect = connect.or_else(|| sealing.offered());
                self.let_go(move_id, connect, now.after(self.settings.limits.grace), fx);
            }
            Phase::Serving(_) | Phase::Closing(_) => {
                fx.push(Effect::Report(Incident::LostOwnership));
                self.let_go(None, connect, now, fx);
                self.part(fx);
            }
            Phase::Opening(_) | Phase::Released(_) | Phase::Standby(_) | Phase::Absent(_) | Phase::Gone => {}
        }
    }
}
