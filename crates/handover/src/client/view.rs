//! What a client has seen of its board: updates in one order without gaps.
//!
//! Updates that come too early wait here, because the two sockets of a move have no order between
//! them. It deliberately does not decide whom to ask for what is missing.

use std::collections::BTreeMap;

use crate::wire::{Seq, Update};

/// Early updates that are kept; more are dropped and come again by `resume`.
const EARLY: usize = 4096;

/// What an update was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Seen before.
    Known,
    /// The next one; more may be ready.
    Next(Update),
    /// Something before it is missing.
    Early,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Nothing before the first update or snapshot.
    last: Option<Seq>,
    /// What was seen is not what the board became; only a snapshot helps.
    stale: bool,
    early: BTreeMap<Seq, Update>,
}

impl View {
    /// The last update that was applied, if any was and what was seen is not void.
    pub(super) fn last(&self) -> Option<Seq> {
        self.last.filter(|_| !self.stale)
    }

    /// Where to resume from: the beginning, when nothing was seen or what was is void.
    pub(super) fn resume_from(&self) -> Seq {
        self.last().unwrap_or_default()
    }

    /// Whether everything up to `seq` was seen.
    pub(super) fn reaches(&self, seq: Seq) -> bool {
        !self.stale && self.last.unwrap_or_default() >= seq
    }

    /// Whether something is known to be missing.
    pub(super) fn has_gap(&self) -> bool {
        self.stale || !self.early.is_empty()
    }

    pub(super) fn update(&mut self, update: Update) -> Heard {
        let due = self.last.unwrap_or_default().next();
        if self.stale {
            Heard::Early
        } else if update.seq < due {
            Heard::Known
        } else if update.seq == due {
            self.last = Some(due);
            Heard::Next(update)
        } else {
            if self.early.len() < EARLY {
                self.early.insert(update.seq, update);
            }
            Heard::Early
        }
    }

    /// The next of the early updates, when its turn has come.
    pub(super) fn ready(&mut self) -> Option<Update> {
        let due = self.last.unwrap_or_default().next();
        let update = self.early.remove(&due)?;
        self.last = Some(due);
        Some(update)
    }

    /// The whole board as of `seq` replaces what was seen.
    pub(super) fn snapshot(&mut self, seq: Seq) {
        self.last = Some(seq);
        self.stale = false;
        self.early = self.early.split_off(&seq.next());
    }

    /// The board that goes on from `seq` never had what was seen behind it.
    pub(super) fn went_back_to(&mut self, seq: Seq) {
        if self.last.is_some_and(|last| last > seq) {
            self.stale = true;
        }
        self.early.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ClientId, Cseq, Payload};

    fn update(seq: u64) -> Update {
        let client = ClientId::parse("c").unwrap();
        Update { seq: Seq(seq), client, cseq: Cseq(seq), payload: Payload::of(&seq).unwrap() }
    }

    #[test]
    fn early_updates_wait_for_their_turn() {
        let mut view = View::default();
        assert_eq!(view.update(update(1)), Heard::Next(update(1)));
        assert_eq!(view.update(update(3)), Heard::Early);
        assert_eq!(view.update(update(1)), Heard::Known);
        assert!(view.has_gap() && view.ready().is_none());
        assert_eq!(view.update(update(2)), Heard::Next(update(2)));
        assert_eq!(view.ready(), Some(update(3)));
        assert!(!view.has_gap() && view.reaches(Seq(3)));
    }

    #[test]
    fn a_snapshot_replaces_everything_up_to_its_place() {
        let mut view = View::default();
        view.update(update(4));
        view.update(update(6));
        view.snapshot(Seq(5));
        assert_eq!(view.ready(), Some(update(6)));
        assert_eq!(view.last(), Some(Seq(6)));
    }

    #[test]
    fn edits_that_died_with_their_server_make_the_view_stale_until_a_snapshot() {
        let mut view = View::default();
        view.snapshot(Seq(9));
        view.went_back_to(Seq(7));
        assert_eq!((view.last(), view.resume_from()), (None, Seq(0)));
        assert_eq!(view.update(update(8)), Heard::Early);
        view.snapshot(Seq(8));
        assert_eq!(view.update(update(9)), Heard::Next(update(9)));
    }
}
