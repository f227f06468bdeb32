//! Clients that come: by the front door (`hello`) or for a move (`attach`).

use super::Board;
use super::conns::{Conn, ConnId, Role, Speaks};
use super::effects::{Ask, Effect, Effects, Moment, Shut};
use super::phase::{ClosingStep, ClosingWhy, Offering, Phase, Serving};
use super::telling::send_away;
use crate::wire::{Attached, Cancel, ClientId, Hello, MoveId, Sealed, ServerMessage};

/// Who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newcomer {
    pub(crate) conn: ConnId,
    pub(crate) speaks: Speaks,
}

impl Board {
    pub(crate) fn join(&mut self, now: Moment, who: Newcomer, hello: Hello, fx: &mut Effects) {
        if self.conns.len() >= self.settings.limits.connections {
            fx.push(Effect::Close(who.conn, Shut::Overloaded));
            return;
        }
        self.keep_open_for_joiner();
        match &self.phase {
            Phase::Opening(_) | Phase::Closing(_) => {
                self.add(who, hello.client.clone(), Role::Waiting(hello), fx);
            }
            Phase::Serving(_) => self.join_served(who, &hello, fx),
            Phase::Sealed(_) => self.join_sealed(who, &hello, fx),
            Phase::Released(released) => send_away(who.conn, released.connect.as_ref(), fx),
            // The board is not here yet: ask where it is.
            Phase::Standby(_) if self.is_standby_idle() => {
                self.add(who, hello.client.clone(), Role::Waiting(hello), fx);
                self.ask(Ask::Row, fx);
            }
            Phase::Standby(_) | Phase::Gone => send_away(who.conn, None, fx),
            Phase::Absent(_) => {
                self.open(now, fx);
                self.add(who, hello.client.clone(), Role::Waiting(hello), fx);
            }
        }
    }

    /// A board that was about to close because it was empty need not, if its release has not begun.
    fn keep_open_for_joiner(&mut self) {
        let Phase::Closing(closing) = &self.phase else { return };
        if closing.why == ClosingWhy::Empty && closing.step == ClosingStep::Flushing {
            self.phase = Phase::Serving(Serving::default());
        }
    }

    fn join_served(&mut self, who: Newcomer, hello: &Hello, fx: &mut Effects) {
        self.add(who, hello.client.clone(), Role::Served, fx);
        self.welcome(who.conn, hello, fx);
        let Phase::Serving(serving) = &self.phase else { return };
        self.offer_newcomer(who, &hello.client, serving.offer.as_ref(), fx);
    }

    /// The seal ends in a moment; whoever comes now should be on the other side by then.
    fn join_sealed(&mut self, who: Newcomer, hello: &Hello, fx: &mut Effects) {
        self.add(who, hello.client.clone(), Role::Served, fx);
        self.welcome(who.conn, hello, fx);
        let sealed = Sealed { epoch: self.epoch, seq: self.history.seq() };
        fx.send(who.conn, ServerMessage::Sealed(sealed));
        let Phase::Sealed(sealing) = &self.phase else { return };
        self.offer_newcomer(who, &hello.client, sealing.offer.as_ref(), fx);
    }

    /// At once: behind the clients of other boards the turn might come when this board is long gone. People come at a
    /// pace of their own, and the new server lets them in at its.
    fn offer_newcomer(&self, who: Newcomer, client: &ClientId, offer: Option<&Offering>, fx: &mut Effects) {
        if let Some(offer) = offer.filter(|_| who.speaks == Speaks::Handover) {
            fx.send(who.conn, self.offer_message(client, offer));
        }
    }

    /// Whether the board is here by a move.
    pub(crate) fn is_switched(&self) -> bool {
        matches!(&self.phase, Phase::Serving(Serving { came_by: Some(_), .. }))
    }

    /// Whether the board is here by that move.
    pub(crate) fn came_by(&self, move_id: &MoveId) -> bool {
        matches!(&self.phase, Phase::Serving(serving) if serving.is_from(move_id))
    }

    /// A client came for a move; its token is right and it was admitted.
    pub(crate) fn attach(&mut self, who: Newcomer, client: ClientId, move_id: MoveId, fx: &mut Effects) {
        if self.conns.len() >= self.settings.limits.connections {
            fx.push(Effect::Close(who.conn, Shut::Overloaded));
            return;
        }
        match &self.phase {
            Phase::Standby(standby) if standby.move_id == move_id => {
                self.add(who, client, Role::Attached, fx);
                fx.send(who.conn, ServerMessage::Attached(Attached { move_id }));
            }
            Phase::Serving(Serving { came_by: Some(came_by), .. }) if came_by.move_id == move_id => {
                let told = came_by.seq;
                let late_go = self.go(&client, self.epoch, told);
                self.add(who, client.clone(), Role::Served, fx);
                fx.send(who.conn, ServerMessage::Attached(Attached { move_id }));
                fx.send(who.conn, late_go);
                self.catch_up(who.conn, told, fx);
                let Phase::Serving(serving) = &self.phase else { return };
                self.offer_newcomer(who, &client, serving.offer.as_ref(), fx);
            }
            Phase::Standby(_)
            | Phase::Serving(_)
            | Phase::Opening(_)
            | Phase::Sealed(_)
            | Phase::Closing(_)
            | Phase::Released(_)
            | Phase::Absent(_)
            | Phase::Gone => cancel(who.conn, move_id, fx),
        }
    }

    fn add(&mut self, who: Newcomer, client: ClientId, role: Role, fx: &mut Effects) {
        if let Some(replaced) = self.conns.add(who.conn, Conn { client, speaks: who.speaks, role }) {
            fx.push(Effect::Close(replaced, Shut::Replaced));
        }
        if let Phase::Serving(serving) = &mut self.phase {
            serving.idle_at = None;
        }
    }
}

/// The move is off, for this client.
pub(crate) fn cancel(conn: ConnId, move_id: MoveId, fx: &mut Effects) {
    fx.send(conn, ServerMessage::Cancel(Cancel { move_id }));
    fx.push(Effect::Close(conn, Shut::Normal));
}
