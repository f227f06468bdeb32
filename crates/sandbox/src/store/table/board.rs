//! One board's row and log, and the rules that every append must pass.
//!
//! It deliberately trusts nobody: an application that numbers its edits wrongly is refused here,
//! where the mistake would become a lost or a doubled edit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::store::wire::{Entry, Refusal};

/// The ownership row of a board and its log, which is contiguous from 1.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) epoch: u64,
    pub(super) owner: Option<String>,
    log: Vec<Entry>,
    pub(super) last_cseq: HashMap<Arc<str>, u64>,
}

impl Board {
    pub(super) fn last_seq(&self) -> u64 {
        self.log.last().map_or(0, |entry| entry.seq)
    }

    pub(super) fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.last_cseq.insert(Arc::clone(&entry.client), entry.cseq);
            self.log.push(entry);
        }
    }

    /// The log behind `after_seq`; it is contiguous from 1, so that a number is a place.
    fn behind(&self, after_seq: u64) -> &[Entry] {
        let start = usize::try_from(after_seq).unwrap_or(usize::MAX);
        self.log.get(start..).unwrap_or_default()
    }

    pub(super) fn page(&self, after_seq: u64, max_entries: usize, max_bytes: usize) -> (Vec<Entry>, bool) {
        let rest = self.behind(after_seq);
        let mut bytes = 0;
        let page: Vec<Entry> = rest
            .iter()
            .take(max_entries)
            .take_while(|entry| {
                let fits = bytes == 0 || bytes + entry.payload.get().len() <= max_bytes;
                bytes += entry.payload.get().len();
                fits
            })
            .cloned()
            .collect();
        let more = page.len() < rest.len();
        (page, more)
    }

    /// Whether these very entries are already there.
    pub(super) fn has(&self, entries: &[Entry]) -> bool {
        let Some(first) = entries.first() else { return true };
        self.behind(first.seq.saturating_sub(1)).get(..entries.len()) == Some(entries)
    }

    /// The last line of defence: what passes here is neither a gap nor a double.
    pub(super) fn check(&self, epoch: u64, entries: &[Entry]) -> Result<(), Refusal> {
        let violation = |what: String| Err(Refusal::Violation { what });
        let next = self.last_seq() + 1;
        if let Some(first) = entries.first()
            && first.seq != next
        {
            return Err(Refusal::NotContiguous { expected: next });
        }
        let mut last_cseq: HashMap<&str, u64> = HashMap::new();
        for (expected, entry) in (next..).zip(entries) {
            let Entry { seq, client, cseq, epoch: written, .. } = entry;
            if *seq != expected {
                return violation(format!("seq {seq} where {expected} is due"));
            }
            if *written != epoch {
                return violation(format!("an edit of epoch {written} in an append of {epoch}"));
            }
            let known = self.last_cseq.get(client).copied().unwrap_or(0);
            let last = last_cseq.entry(client).or_insert(known);
            if *cseq != *last + 1 {
                return violation(format!("edit {cseq} of {client} where {} is due", *last + 1));
            }
            *last = *cseq;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn edit(seq: u64, client: &str, cseq: u64) -> Entry {
        let payload = RawValue::from_string(format!("{{\"n\":{cseq}}}")).unwrap();
        Entry { seq, client: client.into(), cseq, epoch: 1, payload: payload.into() }
    }

    fn board(entries: Vec<Entry>) -> Board {
        let mut board = Board { epoch: 1, ..Board::default() };
        board.extend(entries);
        board
    }

    #[test]
    fn the_next_edit_of_each_client_passes() {
        let board = board(vec![edit(1, "a", 1), edit(2, "b", 1)]);
        assert_eq!(board.check(1, &[edit(3, "a", 2), edit(4, "a", 3), edit(5, "b", 2)]), Ok(()));
    }

    #[test]
    fn an_append_that_leaves_a_gap_is_told_where_the_log_goes_on() {
        let board = board(vec![edit(1, "a", 1)]);
        let refused = board.check(1, &[edit(3, "a", 2)]);
        assert_eq!(refused, Err(Refusal::NotContiguous { expected: 2 }));
    }

    #[test]
    fn a_doubled_or_skipped_edit_of_a_client_is_a_violation() {
        let board = board(vec![edit(1, "a", 1)]);
        for cseq in [1, 3] {
            let refused = board.check(1, &[edit(2, "a", cseq)]);
            assert!(matches!(refused, Err(Refusal::Violation { .. })), "{cseq}: {refused:?}");
        }
    }

    #[test]
    fn a_gap_inside_an_append_is_a_violation() {
        let refused = board(vec![]).check(1, &[edit(1, "a", 1), edit(3, "a", 2)]);
        assert!(matches!(refused, Err(Refusal::Violation { .. })), "{refused:?}");
    }

    #[test]
    fn the_same_entries_are_recognised_and_others_are_not() {
        let board = board(vec![edit(1, "a", 1), edit(2, "a", 2)]);
        assert!(board.has(&[edit(2, "a", 2)]));
        assert!(!board.has(&[edit(2, "b", 2)]));
        assert!(!board.has(&[edit(2, "a", 2), edit(3, "a", 3)]));
    }

    #[test]
    fn a_page_ends_at_either_limit_and_says_so() {
        let board = board((1..=5).map(|n| edit(n, "a", n)).collect());
        let seqs =
            |(page, more): (Vec<Entry>, bool)| (page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), more);
        assert_eq!(seqs(board.page(1, 2, 1_000)), (vec![2, 3], true));
        assert_eq!(seqs(board.page(1, 10, 14)), (vec![2, 3], true));
        assert_eq!(seqs(board.page(3, 10, 1_000)), (vec![4, 5], false));
        assert_eq!(seqs(board.page(9, 10, 1_000)), (vec![], false));
    }
}
