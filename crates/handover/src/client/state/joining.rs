//! Getting to the server that owns the board: join, hop where a server says, come back after a loss.

use std::time::Duration;

use super::{Action, ClientState, Main, Stage, Target, Timer, Told};
use crate::client::outbox::WrongNumber;
use crate::client::state::SocketId;
use crate::wire::{CLOSE_OVERLOADED, CLOSE_REPLACED, ClientMessage, Connect, Hello, Seq, Welcome};

/// Hops from server to server that are believed before the client waits and begins again.
const HOPS: u32 = 5;

impl ClientState {
    /// Opens a socket to where the board should be.
    pub(super) fn join(&mut self) {
        if self.main != Main::None {
            return;
        }
        if self.is_standby_at_target() {
            self.keep_standby_as_left();
        }
        let target = std::mem::replace(&mut self.target, Target::FrontDoor);
        let socket = self.open(target);
        self.main = Main::Opening(socket);
        self.actions.push(Action::Set(Timer::Join, self.timing.join));
    }

    fn is_standby_at_target(&self) -> bool {
        self.standby.as_ref().is_some_and(|standby| self.target == Target::At(standby.connect.clone()))
    }

    /// A server keeps one connection of a client: whoever joins where his second socket leads has no use for that, but as
    /// the one that is open until the next one is.
    fn keep_standby_as_left(&mut self) {
        let Some(standby) = self.standby.as_mut() else { return };
        match std::mem::replace(&mut standby.stage, Stage::Waiting) {
            Stage::Attaching(socket) | Stage::Attached(socket) => {
                self.leave_left();
                self.left = Some(socket);
            }
            stage @ (Stage::Waiting | Stage::Opening(_)) => standby.stage = stage,
        }
        self.give_standby_up();
    }

    pub(super) fn leave_left(&mut self) {
        self.actions.extend(self.left.take().map(Action::Close));
    }

    pub(super) fn greet(&mut self, socket: SocketId) {
        self.leave_left();
        self.main = Main::Greeting(socket);
        let last_seq = self.view.last();
        let epoch = last_seq.map(|_| self.epoch);
        self.send(socket, ClientMessage::Hello(Hello { client: self.client.clone(), last_seq, epoch }));
    }

    pub(super) fn welcomed(&mut self, socket: SocketId, welcome: Welcome) {
        if self.main != Main::Greeting(socket) {
            return;
        }
        if welcome.epoch < self.epoch {
            // A server that lost the board and does not know it yet.
            self.actions.push(Action::Close(socket));
            self.join_failed();
            return;
        }
        self.actions.push(Action::Clear(Timer::Join));
        if welcome.epoch > self.epoch {
            // Whatever move was on, it began from an epoch that is over.
            self.give_standby_up();
        }
        self.view.went_back_to(welcome.seq);
        self.main = Main::Live(socket);
        self.listen();
        self.epoch = welcome.epoch;
        self.resuming = false;
        self.hops = 0;
        self.failures = 0;
        let again = self.joins;
        self.joins += 1;
        self.tell(Told::Joined { epoch: welcome.epoch, version: welcome.version, again });
        let news = self.outbox.begin(welcome.last_cseq);
        self.numbered(news, Told::Durable(welcome.last_cseq));
        if self.main == Main::Live(socket) {
            self.send_kept(socket);
        }
        // The content of a board that is behind what was seen comes by itself, unless it is empty.
        if welcome.seq == Seq::ZERO && self.view.has_gap() {
            self.resume();
        }
    }

    /// The server names another. The socket stays open until the next one is, so that there is no
    /// moment without one.
    pub(super) fn sent_away(&mut self, socket: SocketId, connect: Option<Connect>) {
        if self.is_joined() {
            self.tell(Told::SentAway);
        }
        self.actions.push(Action::Clear(Timer::Join));
        self.main = Main::None;
        self.leave_left();
        self.left = Some(socket);
        self.hops += 1;
        if self.hops > HOPS {
            self.hops = 0;
            self.join_failed();
            return;
        }
        self.target = connect.map_or(Target::FrontDoor, Target::At);
        // The board has moved there: whoever is on his way hears `go` when he has attached.
        self.join_or_wait(self.is_standby_at_target() && self.standby_socket().is_some());
    }

    /// The socket that takes edits is gone, or could not be opened.
    pub(super) fn lost(&mut self, code: Option<u16>) {
        if !self.is_joined() {
            self.join_failed();
            return;
        }
        self.tell(Told::Lost { code });
        self.main = Main::None;
        self.close_old();
        let crowded = code == Some(CLOSE_OVERLOADED) || code == Some(CLOSE_REPLACED);
        if crowded {
            self.join_failed();
        } else {
            let stage = self.standby.as_ref().map(|standby| standby.stage);
            self.join_or_wait(matches!(stage, Some(Stage::Attached(_))));
        }
    }

    /// Rule 5: the standby may get its `go` any moment; the front door is asked in parallel, a little later when the
    /// standby is ready for it.
    fn join_or_wait(&mut self, is_standby_ready: bool) {
        if is_standby_ready {
            self.actions.push(Action::Set(Timer::Rejoin, self.timing.standby_first));
        } else {
            self.join();
        }
    }

    pub(super) fn join_timed_out(&mut self) {
        if let Main::Opening(socket) | Main::Greeting(socket) = self.main {
            self.actions.push(Action::Close(socket));
            self.join_failed();
        }
    }

    /// Waits, longer each time, and begins again at the front door.
    fn join_failed(&mut self) {
        self.main = Main::None;
        self.target = Target::FrontDoor;
        let doubled = 2_u32.saturating_pow(self.failures);
        let wait: Duration = self.timing.rejoin_first.saturating_mul(doubled).min(self.timing.rejoin_last);
        self.failures = self.failures.saturating_add(1);
        self.actions.push(Action::Clear(Timer::Join));
        self.actions.push(Action::Set(Timer::Rejoin, wait));
    }

    pub(super) fn broken(&mut self, wrong: WrongNumber) {
        self.tell(Told::Broken(wrong));
        if let Some(socket) = self.main_socket() {
            self.actions.push(Action::Close(socket));
            self.join_failed();
        }
    }

    fn is_joined(&self) -> bool {
        matches!(self.main, Main::Live(_) | Main::Held(_))
    }
}
