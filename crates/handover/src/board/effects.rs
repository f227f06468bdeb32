//! What a board asks of the shell, and the few words they share.

use std::time::Duration;

use super::conns::ConnId;
use crate::wire::{Entry, Epoch, MoveId, Seq, ServerMessage};

/// Time since the server started. Boards know no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(pub(crate) Duration);

impl Moment {
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Tells the answer to the latest question from one that came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Whether this server takes new boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doors {
    Open,
    Closed,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shut {
    /// After `cancel`: nothing is wrong.
    Normal,
    /// After `moved`.
    Moved,
    /// Another connection of the same client came.
    Replaced,
    /// Too much of something.
    Overloaded,
}

/// A question to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Row,
    Claim { expect: Epoch },
    Load { after: Seq },
    Release { epoch: Epoch },
}

/// Something that people who run the server want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incident {
    /// A write or a claim found another owner: this server had been given up for dead, or cut off.
    LostOwnership,
    /// The store holds something that cannot be. The board is given up rather than served wrongly.
    BrokenLog,
    /// The store did not do a write; it is tried again.
    WriteFailed,
    /// The store will not do a write, however often it is asked. The board is given up.
    WriteRefused,
    /// The store will not let this server take its sealed board back. The board is given up.
    ClaimRefused,
    /// A client was sent away because its board has too many edits that are not durable.
    TooManyUndurable,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    Send(ConnId, ServerMessage),
    /// To every connection that is being served.
    Tell(ServerMessage),
    /// At the pace of offers, unless the offer no longer stands by then.
    Offer {
        conn: ConnId,
        move_id: MoveId,
        message: ServerMessage,
    },
    /// After what was sent before.
    Close(ConnId, Shut),
    Ask {
        ticket: Ticket,
        ask: Ask,
    },
    Write {
        ticket: Ticket,
        epoch: Epoch,
        entries: Vec<Entry>,
    },
    /// These edits became durable after so long.
    Durable(Vec<Duration>),
    /// Everything that led to this board's serving was read, in so long.
    Loaded(Duration),
    Report(Incident),
    /// The board is gone: take it out of the list.
    Forget,
}

/// In the order in which they have to be done.
#[derive(Debug, Default)]
pub(crate) struct Effects(Vec<Effect>);

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: ServerMessage) {
        self.push(Effect::Send(conn, message));
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
