//! Messages that several phases send.

use super::Board;
use super::conns::ConnId;
use super::effects::{Effect, Effects, Moment, Shut};
use super::phase::Offering;
use crate::auth::attach_token;
use crate::wire::{
    ClientId, Connect, Entry, Epoch, Go, Hello, Moved, Offer, Seq, ServerMessage, Snapshot, Update, Welcome,
};

pub(super) fn update(entry: Entry) -> ServerMessage {
    let Entry { seq, client, cseq, payload } = entry;
    ServerMessage::Update(Update { seq, client, cseq, payload })
}

/// `moved`, then the close that goes with it.
pub(super) fn send_away(conn: ConnId, connect: Option<&Connect>, fx: &mut Effects) {
    fx.send(conn, ServerMessage::Moved(Moved { connect: connect.cloned() }));
    fx.push(Effect::Close(conn, Shut::Moved));
}

impl Board {
    /// Closes one connection and forgets it.
    pub(super) fn shut(&mut self, now: Moment, conn: ConnId, shut: Shut, fx: &mut Effects) {
        fx.push(Effect::Close(conn, shut));
        self.leave(now, conn, fx);
    }

    /// Begins to serve a client that joined here.
    pub(super) fn welcome(&self, conn: ConnId, hello: &Hello, fx: &mut Effects) {
        fx.send(
            conn,
            ServerMessage::Welcome(Welcome {
                board: self.id.clone(),
                client: hello.client.clone(),
                epoch: self.epoch,
                seq: self.history.seq(),
                last_cseq: self.history.durable_cseq(&hello.client, self.durable),
                version: self.settings.version.clone(),
            }),
        );
        match hello.last_seq {
            Some(last_seq) if hello.epoch == Some(self.epoch) => self.catch_up(conn, last_seq, fx),
            // Under another epoch the client may have seen edits that died with their server.
            Some(_) | None if self.history.seq() > Seq::ZERO || hello.last_seq > Some(Seq::ZERO) => {
                self.send_snapshot(conn, fx);
            }
            Some(_) | None => {}
        }
    }

    /// Sends the edits after `from` one by one, or the whole content when they are many or forgotten.
    pub(super) fn catch_up(&self, conn: ConnId, from: Seq, fx: &mut Effects) {
        match self.history.after(from) {
            Some(missing) if missing.len() <= self.settings.limits.resume_updates => {
                for entry in missing {
                    fx.send(conn, update(entry.clone()));
                }
            }
            Some(_) | None => self.send_snapshot(conn, fx),
        }
    }

    pub(super) fn send_snapshot(&self, conn: ConnId, fx: &mut Effects) {
        let snapshot = Snapshot { seq: self.history.seq(), state: self.history.document().state() };
        fx.send(conn, ServerMessage::Snapshot(snapshot));
    }

    /// `go`, as of the end of the old server's updates.
    pub(super) fn go(&self, client: &ClientId, epoch: Epoch, seq: Seq) -> ServerMessage {
        ServerMessage::Go(Go { epoch, seq, last_cseq: self.history.durable_cseq(client, self.durable) })
    }

    pub(super) fn offer_message(&self, client: &ClientId, offer: &Offering) -> ServerMessage {
        ServerMessage::Offer(Offer {
            move_id: offer.move_id.clone(),
            connect: offer.connect.clone(),
            token: attach_token(&self.settings.key, &offer.move_id, &self.id, client),
            deadline_ms: offer.deadline_ms,
        })
    }
}
