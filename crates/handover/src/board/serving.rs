//! Beginning to serve a board, however it came here, and what happens when its clients leave.

use super::Board;
use super::conns::{ConnId, Role};
use super::effects::{Effects, Moment};
use super::phase::{CameBy, Phase, Serving};
use crate::wire::{Epoch, Seq};

impl Board {
    /// The board is this server's under `epoch`; the history is complete; everything up to `last_seq` is
    /// durable. Whoever waits is told, and what is not durable is written.
    pub(super) fn serve(
        &mut self,
        now: Moment,
        epoch: Epoch,
        last_seq: Seq,
        came_by: Option<CameBy>,
        fx: &mut Effects,
    ) {
        self.epoch = epoch;
        self.durable = last_seq;
        self.writer.forget();
        for seq in last_seq.get()..self.history.seq().get() {
            self.writer.arrived(Seq(seq).next(), now);
        }
        let linger = self.linger_after(came_by.as_ref());
        let told = came_by.as_ref().map_or(self.history.seq(), |came| came.seq);
        self.phase = Phase::Serving(Serving { came_by, ..Serving::default() });

        let mut arrivals = Vec::with_capacity(self.conns.len());
        for (id, conn) in self.conns.iter_mut() {
            let was = std::mem::replace(&mut conn.role, Role::Served);
            arrivals.push((id, conn.client.clone(), was));
        }
        for (id, client, was) in arrivals {
            match was {
                Role::Attached => fx.send(id, self.go(&client, epoch, told)),
                Role::Waiting(hello) => self.welcome(id, &hello, fx),
                Role::Served => {}
            }
        }
        self.idle_if_empty(now.after(linger));
        self.write(fx);
    }

    /// After a move the clients that did not attach are still to come.
    fn linger_after(&self, came_by: Option<&CameBy>) -> std::time::Duration {
        let limits = &self.settings.limits;
        match came_by {
            Some(_) => limits.linger + limits.grace * 2,
            None => limits.linger,
        }
    }

    /// When nobody is connected the board closes at `close_at`, unless a time was set before.
    pub(super) fn idle_if_empty(&mut self, close_at: Moment) {
        if let Phase::Serving(serving) = &mut self.phase
            && self.conns.is_empty()
        {
            serving.idle_at.get_or_insert(close_at);
        }
    }

    pub(super) fn lingered(&self, now: Moment) -> Moment {
        now.after(self.settings.limits.linger)
    }

    /// A connection is gone.
    pub(crate) fn leave(&mut self, now: Moment, conn: ConnId, fx: &mut Effects) {
        if self.conns.remove(conn).is_none() || !self.conns.is_empty() {
            return;
        }
        match &self.phase {
            Phase::Serving(_) => self.idle_if_empty(self.lingered(now)),
            Phase::Released(_) => self.vanish(fx),
            Phase::Opening(_)
            | Phase::Sealed(_)
            | Phase::Closing(_)
            | Phase::Standby(_)
            | Phase::Absent(_)
            | Phase::Gone => {}
        }
    }
}
