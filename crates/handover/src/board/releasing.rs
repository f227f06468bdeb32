//! Letting a board go that is somebody else's, and giving one up that cannot be served.

use super::Board;
use super::effects::{Effect, Effects, Incident, Moment};
use super::phase::{Phase, Released};
use super::telling::send_away;
use crate::wire::{Connect, MoveId};

impl Board {
    /// The board is no longer this server's. Clients that heard `go` close by themselves; whoever is left
    /// at `close_at` is sent after it. Plain clients hear no `go`, and are sent at once.
    pub(super) fn let_go(
        &mut self,
        move_id: Option<MoveId>,
        connect: Option<Connect>,
        close_at: Moment,
        fx: &mut Effects,
    ) {
        self.asked = None;
        self.writer.forget();
        for conn in self.conns.take_plain() {
            send_away(conn, connect.as_ref(), fx);
        }
        self.phase = Phase::Released(Released { move_id, connect, close_at });
        if self.conns.is_empty() {
            self.vanish(fx);
        }
    }

    /// Sends everybody who is left after the board.
    pub(super) fn close_leftovers(&mut self, fx: &mut Effects) {
        let Phase::Released(released) = &self.phase else { return };
        let connect = released.connect.clone();
        for (conn, _) in self.conns.take() {
            send_away(conn, connect.as_ref(), fx);
        }
    }

    /// Ends a board that was let go.
    pub(super) fn part(&mut self, fx: &mut Effects) {
        self.close_leftovers(fx);
        self.vanish(fx);
    }

    /// The store says what cannot be, or refuses what has to be. Serving on would lose or double edits; so
    /// clients are sent to the front door, and whoever is asked for the board next claims and reads it
    /// afresh.
    pub(super) fn give_up(&mut self, why: Incident, fx: &mut Effects) {
        fx.push(Effect::Report(why));
        self.phase = Phase::Released(Released { move_id: None, connect: None, close_at: Moment::default() });
        self.part(fx);
    }

    pub(super) fn vanish(&mut self, fx: &mut Effects) {
        self.asked = None;
        self.writer.forget();
        if !matches!(self.phase, Phase::Gone) {
            self.phase = Phase::Gone;
            fx.push(Effect::Forget);
        }
    }
}
