//! A board's edits: their order, who made them, and the last of them for whoever is a little behind.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::document::Document;
use crate::wire::{ClientId, Cseq, Digest, Edit, Entry, Seq};

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placed {
    /// The next one of its client: it has a place now.
    New(Entry),
    /// Not new. The client's last edit is this one.
    Known(LastEdit),
    /// One or more before it are missing.
    Gap { expected: Cseq },
}

/// The last edit of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LastEdit {
    pub(crate) cseq: Cseq,
    pub(crate) seq: Seq,
}

/// An entry that does not follow on the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

/// All edits of one board, as content, and the last of them, as edits.
pub(crate) struct History {
    seq: Seq,
    /// Contiguous, ends at `seq`.
    recent: VecDeque<Entry>,
    recent_bytes: usize,
    recent_max: usize,
    /// One for each session that ever edited. It is what makes a repeated edit harmless, so it is never
    /// forgotten while the board is open.
    last: HashMap<ClientId, LastEdit>,
    chain: [u8; 32],
    document: Box<dyn Document>,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("seq", &self.seq).finish_non_exhaustive()
    }
}

impl History {
    pub(crate) fn new(document: Box<dyn Document>, recent_max: usize) -> Self {
        Self {
            seq: Seq::ZERO,
            recent: VecDeque::new(),
            recent_bytes: 0,
            recent_max,
            last: HashMap::new(),
            chain: [0; 32],
            document,
        }
    }

    pub(crate) fn seq(&self) -> Seq {
        self.seq
    }

    pub(crate) fn document(&self) -> &dyn Document {
        &*self.document
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        /// A client id, its counters and their share of the map.
        const SESSION_BYTES: usize = 96;
        let bytes = self.document.size_bytes() + self.recent_bytes + self.last.len() * SESSION_BYTES;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Gives an edit its place if it is its client's next one.
    pub(crate) fn place(&mut self, edit: Edit) -> Placed {
        let last = self.last.get(&edit.client).copied().unwrap_or_default();
        let expected = last.cseq.next();
        if edit.cseq < expected {
            return Placed::Known(last);
        }
        if edit.cseq > expected {
            return Placed::Gap { expected };
        }
        let Edit { client, cseq, payload } = edit;
        let entry = Entry { seq: self.seq.next(), client, cseq, payload };
        self.take_in(entry.clone());
        Placed::New(entry)
    }

    /// Takes in an entry that has its place already, from the database or from another server.
    pub(crate) fn replay(&mut self, entry: Entry) -> Result<(), OutOfOrder> {
        let expected = self.last.get(&entry.client).copied().unwrap_or_default().cseq.next();
        if entry.seq != self.seq.next() || entry.cseq != expected {
            return Err(OutOfOrder);
        }
        self.take_in(entry);
        Ok(())
    }

    fn take_in(&mut self, entry: Entry) {
        self.document.apply(&entry);
        self.seq = entry.seq;
        self.chain = link(&self.chain, &entry);
        self.last.insert(entry.client.clone(), LastEdit { cseq: entry.cseq, seq: entry.seq });
        self.recent_bytes += entry_bytes(&entry);
        self.recent.push_back(entry);
    }

    /// Forgets the oldest recent entries, never one after `keep_after`.
    pub(crate) fn trim(&mut self, keep_after: Seq) {
        while self.recent.len() > self.recent_max
            && self.recent.front().is_some_and(|entry| entry.seq <= keep_after)
        {
            if let Some(entry) = self.recent.pop_front() {
                self.recent_bytes = self.recent_bytes.saturating_sub(entry_bytes(&entry));
            }
        }
    }

    /// The entries after `after`; `None` when some of them are forgotten or `after` is in the future.
    pub(crate) fn after(&self, after: Seq) -> Option<impl ExactSizeIterator<Item = &Entry>> {
        let missing = usize::try_from(self.seq.get().checked_sub(after.get())?).ok()?;
        let skip = self.recent.len().checked_sub(missing)?;
        Some(self.recent.range(skip..))
    }

    /// The client's last edit that is not after `durable`.
    pub(crate) fn durable_cseq(&self, client: &ClientId, durable: Seq) -> Cseq {
        let last = self.last.get(client).copied().unwrap_or_default();
        if last.seq <= durable {
            return last.cseq;
        }
        let undurable = self.recent.iter().rev().take_while(|entry| entry.seq > durable);
        let first = undurable.filter(|entry| entry.client == *client).map(|entry| entry.cseq).min();
        first.map_or(last.cseq, |first| Cseq(first.get().saturating_sub(1)))
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest(hex::encode(self.chain))
    }
}

fn entry_bytes(entry: &Entry) -> usize {
    entry.payload.as_json().len() + size_of::<Entry>()
}

fn link(before: &[u8; 32], entry: &Entry) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(entry.seq.get().to_be_bytes());
    hash.update(entry.cseq.get().to_be_bytes());
    hash.update(entry.client.as_str().as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{TestDocument, client, edit};

    fn history(recent_max: usize) -> History {
        History::new(Box::new(TestDocument::default()), recent_max)
    }

    fn place(history: &mut History, name: &str, cseq: u64) -> Placed {
        history.place(edit(name, cseq))
    }

    #[test]
    fn only_a_clients_next_edit_gets_a_place() {
        let mut history = history(8);
        assert!(matches!(place(&mut history, "ann", 1), Placed::New(entry) if entry.seq == Seq(1)));
        assert!(matches!(place(&mut history, "bob", 1), Placed::New(entry) if entry.seq == Seq(2)));
        assert!(matches!(place(&mut history, "ann", 2), Placed::New(entry) if entry.seq == Seq(3)));
        assert_eq!(place(&mut history, "ann", 4), Placed::Gap { expected: Cseq(3) });
        let last = LastEdit { cseq: Cseq(2), seq: Seq(3) };
        assert_eq!(place(&mut history, "ann", 1), Placed::Known(last));
        assert_eq!(place(&mut history, "ann", 0), Placed::Known(last));
        assert_eq!(history.seq(), Seq(3));
    }

    #[test]
    fn two_histories_with_the_same_edits_have_the_same_digest_and_others_do_not() {
        let (mut left, mut right) = (history(8), history(8));
        place(&mut left, "ann", 1);
        place(&mut left, "bob", 1);
        let entries: Vec<Entry> = left.after(Seq::ZERO).expect("all are recent").cloned().collect();
        for entry in &entries {
            assert_eq!(right.replay(entry.clone()), Ok(()));
        }
        assert_eq!(left.digest(), right.digest());
        assert_eq!(right.replay(entries[1].clone()), Err(OutOfOrder));
        let mut swapped = history(8);
        place(&mut swapped, "bob", 1);
        place(&mut swapped, "ann", 1);
        assert_ne!(left.digest(), swapped.digest());
    }

    #[test]
    fn what_is_not_durable_is_never_forgotten() {
        let mut history = history(2);
        for cseq in 1..=5 {
            place(&mut history, "ann", cseq);
        }
        history.trim(Seq(1));
        assert_eq!(history.after(Seq(1)).expect("kept").len(), 4);
        assert!(history.after(Seq(0)).is_none());
        history.trim(Seq(5));
        assert_eq!(history.after(Seq(3)).expect("kept").len(), 2);
        assert!(history.after(Seq(2)).is_none());
        assert!(history.after(Seq(6)).is_none(), "nobody can be ahead");
    }

    #[test]
    fn the_durable_edit_of_a_client_is_the_one_before_its_first_that_is_not() {
        let mut history = history(8);
        for (name, cseq) in [("ann", 1), ("bob", 1), ("ann", 2), ("ann", 3)] {
            place(&mut history, name, cseq);
        }
        let durable = |name: &str, seq| history.durable_cseq(&client(name), Seq(seq)).get();
        assert_eq!(
            (durable("ann", 0), durable("ann", 1), durable("ann", 3), durable("ann", 4)),
            (0, 1, 2, 3)
        );
        assert_eq!((durable("bob", 1), durable("bob", 2), durable("eve", 4)), (0, 1, 0));
    }
}
