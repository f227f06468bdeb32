//! A planned move, seen by a client: a second socket, the seal, the switch, the old socket's end.

use std::time::Duration;

use super::{Action, ClientState, Main, Old, SocketId, Stage, Standby, Target, Timer, Told};
use crate::wire::{
    Attach, CLOSE_MOVED, CLOSE_PROTOCOL, ClientMessage, Epoch, Go, Offer, Sealed, ServerMessage,
};

impl ClientState {
    /// A second socket is opened; work goes on here. An offer that is repeated only renews the deadline.
    pub(super) fn offered(&mut self, offer: Offer) {
        let Offer { move_id, connect, token, deadline_ms } = offer;
        if self.last_move.as_ref() == Some(&move_id) {
            return;
        }
        // A move keeps its name when it gets another target.
        let is_known = |standby: &Standby| standby.move_id == move_id && standby.connect == connect;
        let known = self.standby.as_ref().is_some_and(is_known);
        if !known {
            self.give_standby_up();
        }
        let deadline = Duration::from_millis(deadline_ms).min(self.timing.longest_offer);
        self.actions.push(Action::Set(Timer::OfferDeadline, deadline));
        if known {
            return;
        }
        self.standby = Some(Standby { move_id, connect, token, stage: Stage::Waiting, failures: 0 });
        self.open_standby();
    }

    pub(super) fn open_standby(&mut self) {
        let Some(standby) = &self.standby else { return };
        if standby.stage == Stage::Waiting {
            let socket = self.open(Target::At(standby.connect.clone()));
            self.stage(Stage::Opening(socket));
        }
    }

    pub(super) fn attach(&mut self, socket: SocketId) {
        let Some(standby) = &self.standby else { return };
        let attach = Attach {
            move_id: standby.move_id.clone(),
            token: standby.token.clone(),
            client: self.client.clone(),
            last_seq: self.view.last(),
        };
        self.stage(Stage::Attaching(socket));
        self.send(socket, ClientMessage::Attach(attach));
    }

    fn stage(&mut self, stage: Stage) {
        if let Some(standby) = &mut self.standby {
            standby.stage = stage;
        }
    }

    pub(super) fn on_standby(&mut self, socket: SocketId, message: ServerMessage) {
        match message {
            ServerMessage::Attached(attached) => {
                self.stage(Stage::Attached(socket));
                self.tell(Told::Attached(attached.move_id));
            }
            ServerMessage::Go(go) => self.go(socket, &go),
            ServerMessage::Cancel(cancel) => {
                if self.standby.as_ref().is_some_and(|standby| standby.move_id == cancel.move_id) {
                    self.give_standby_up();
                }
            }
            ServerMessage::Moved(_) => self.give_standby_up(),
            // Nothing else is said to a client that is not served yet.
            ServerMessage::Welcome(_)
            | ServerMessage::Update(_)
            | ServerMessage::Snapshot(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Nack(_)
            | ServerMessage::Offer(_)
            | ServerMessage::Sealed(_)
            | ServerMessage::Unsealed(_) => {}
        }
    }

    /// A second socket that failed is tried again until the deadline; one that was refused is not.
    pub(super) fn standby_closed(&mut self, code: Option<u16>) {
        let Some(standby) = &mut self.standby else { return };
        standby.stage = Stage::Waiting;
        standby.failures += 1;
        let refused = code == Some(CLOSE_PROTOCOL) || code == Some(CLOSE_MOVED);
        if refused || standby.failures >= self.timing.attach_attempts {
            self.give_standby_up();
        } else {
            self.actions.push(Action::Set(Timer::Reattach, self.timing.reattach));
        }
    }

    /// Rule 4, `cancel`, or a move that is over: the second socket goes, the first stays as it is.
    pub(super) fn give_standby_up(&mut self) {
        if let Some(socket) = self.standby_socket() {
            self.actions.push(Action::Close(socket));
        }
        if let Some(standby) = self.standby.take() {
            self.actions.push(Action::Clear(Timer::OfferDeadline));
            self.actions.push(Action::Clear(Timer::Reattach));
            self.tell(Told::MoveGivenUp(standby.move_id));
        }
    }

    /// Rule 1: no more edits here. Held until `go` or `unsealed`.
    pub(super) fn sealed(&mut self, socket: SocketId, sealed: &Sealed) {
        if sealed.epoch >= self.epoch && self.main == Main::Live(socket) {
            self.epoch = sealed.epoch;
            self.main = Main::Held(socket);
            self.actions.push(Action::Set(Timer::Held, self.timing.held));
            self.tell(Told::Sealed(sealed.epoch));
        }
    }

    /// Rule 1: edits here again, under a higher epoch, and everything that is not acknowledged.
    pub(super) fn unsealed(&mut self, socket: SocketId, epoch: Epoch) {
        if epoch > self.epoch && matches!(self.main, Main::Live(_) | Main::Held(_)) {
            self.epoch = epoch;
            self.main = Main::Live(socket);
            self.actions.push(Action::Clear(Timer::Held));
            self.tell(Told::Unsealed(epoch));
            self.send_kept(socket);
        }
    }

    /// Rules 1 and 2: here from now on, whether or not `sealed` was heard: two sockets have no order
    /// between them.
    fn go(&mut self, socket: SocketId, go: &Go) {
        if go.epoch <= self.epoch {
            return;
        }
        let Some(standby) = self.standby.take() else { return };
        for timer in [Timer::OfferDeadline, Timer::Reattach, Timer::Rejoin, Timer::Join, Timer::Held] {
            self.actions.push(Action::Clear(timer));
        }
        self.listen();
        self.close_old();
        match std::mem::replace(&mut self.main, Main::Live(socket)) {
            Main::None => {}
            Main::Opening(other) | Main::Greeting(other) => self.actions.push(Action::Close(other)),
            Main::Live(other) | Main::Held(other) => {
                self.old = Some(Old { socket: other, until: go.seq });
                self.actions.push(Action::Set(Timer::OldGrace, self.timing.old_grace));
            }
        }
        self.leave_left();
        self.target = Target::FrontDoor;
        self.epoch = go.epoch;
        self.resuming = false;
        self.hops = 0;
        self.failures = 0;
        self.last_move = Some(standby.move_id.clone());
        self.view.went_back_to(go.seq);
        self.tell(Told::Switched { move_id: standby.move_id, epoch: go.epoch });
        let news = self.outbox.begin(go.last_cseq);
        self.numbered(news, Told::Durable(go.last_cseq));
        if self.main == Main::Live(socket) {
            self.send_kept(socket);
            self.seen_enough(go);
        }
    }

    /// What is missing comes over the old socket, if there is one; a view that is void does not.
    fn seen_enough(&mut self, go: &Go) {
        self.close_old_when_read();
        let owed = self.old.is_none() && !self.view.reaches(go.seq);
        if owed || self.view.has_gap() {
            self.resume();
        }
    }

    /// What the old server still says after `go`: the rest of its updates, and what is durable.
    pub(super) fn on_old(&mut self, message: ServerMessage) {
        let Some(Old { socket, until }) = self.old else { return };
        match message {
            ServerMessage::Update(update) if update.seq <= until => self.update(update),
            ServerMessage::Ack(ack) if ack.durable => self.acknowledged(&ack),
            ServerMessage::Unsealed(unsealed) if unsealed.epoch > self.epoch => {
                self.back_to(socket, unsealed.epoch);
            }
            // An update behind the end never reached the new server; the rest is not its to say now.
            ServerMessage::Update(_)
            | ServerMessage::Ack(_)
            | ServerMessage::Unsealed(_)
            | ServerMessage::Sealed(_)
            | ServerMessage::Welcome(_)
            | ServerMessage::Attached(_)
            | ServerMessage::Snapshot(_)
            | ServerMessage::Nack(_)
            | ServerMessage::Offer(_)
            | ServerMessage::Go(_)
            | ServerMessage::Cancel(_)
            | ServerMessage::Moved(_) => {}
        }
    }

    /// The old server took the board back from the new one.
    fn back_to(&mut self, socket: SocketId, epoch: Epoch) {
        self.old = None;
        self.actions.push(Action::Clear(Timer::OldGrace));
        if let Some(main) = self.main_socket() {
            self.actions.push(Action::Close(main));
        }
        self.main = Main::Live(socket);
        self.listen();
        self.epoch = epoch;
        self.resuming = false;
        self.tell(Told::Unsealed(epoch));
        self.send_kept(socket);
        self.resume();
    }

    /// Rule 2: the old socket is read until everything that it owes was seen.
    pub(super) fn close_old_when_read(&mut self) {
        if self.old.as_ref().is_some_and(|old| self.view.reaches(old.until)) {
            self.close_old();
        }
    }

    pub(super) fn close_old(&mut self) {
        if let Some(old) = self.old.take() {
            self.actions.push(Action::Close(old.socket));
            self.actions.push(Action::Clear(Timer::OldGrace));
        }
    }

    /// Nothing more comes from the old socket; what it still owed is asked of the new one.
    pub(super) fn old_ended(&mut self) {
        self.actions.push(Action::Clear(Timer::OldGrace));
        let Some(old) = self.old.take() else { return };
        if self.view.has_gap() || !self.view.reaches(old.until) {
            self.resume();
        }
    }
}
