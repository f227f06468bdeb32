//! One board's row and log, and the rules that every append must pass.
//!
//! It deliberately trusts nobody: an application that numbers its edits wrongly is refused here,
//! where the mistake would become a lost or a doubled edit.

use std::collections::HashMap;

use segue_handover::wire::{ClientId, Cseq, Entry, Epoch, Seq, ServerId};

/// The ownership row of a board and its log, which is contiguous from 1.
#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) epoch: Epoch,
    pub(super) owner: Option<ServerId>,
    log: Vec<Entry>,
    last_cseq: HashMap<ClientId, Cseq>,
}

/// What is wrong with an append.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not begin right behind the log's end.
    Place,
    /// It would break the log, as these words say.
    Numbers(String),
}

impl Board {
    pub(super) fn last_seq(&self) -> Seq {
        self.log.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    pub(super) fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.last_cseq.insert(entry.client.clone(), entry.cseq);
            self.log.push(entry);
        }
    }

    /// How many entries are up to `after`.
    pub(super) fn place_behind(&self, after: Seq) -> usize {
        self.log.partition_point(|entry| entry.seq <= after)
    }

    /// As much of the log without its first `skip` entries as the limits allow, at least one entry when there is one;
    /// and whether that was all.
    pub(super) fn page(&self, skip: usize, max_entries: usize, max_bytes: usize) -> (Vec<Entry>, bool) {
        let rest = self.log.get(skip..).unwrap_or_default();
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += entry.payload.as_json().len();
            first || bytes <= max_bytes
        };
        let page: Vec<Entry> = rest.iter().take(max_entries).take_while(fits).cloned().collect();
        let all = page.len() == rest.len();
        (page, all)
    }

    /// The last line of defence: what passes here is neither a gap nor a double.
    pub(super) fn check(&self, entries: &[Entry]) -> Result<(), Wrong> {
        let next = self.last_seq().next();
        if entries.first().is_some_and(|first| first.seq != next) {
            return Err(Wrong::Place);
        }
        let mut last_cseq: HashMap<&ClientId, Cseq> = HashMap::new();
        for (place, Entry { seq, client, cseq, .. }) in (next.get()..).zip(entries) {
            if seq.get() != place {
                return Err(Wrong::Numbers(format!("seq {seq} where {place} is due")));
            }
            let known = self.last_cseq.get(client).copied().unwrap_or_default();
            let last = last_cseq.entry(client).or_insert(known);
            if *cseq != last.next() {
                let due = last.next();
                return Err(Wrong::Numbers(format!("edit {cseq} of {client} where {due} is due")));
            }
            *last = *cseq;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::Payload;

    use super::*;

    fn edit(seq: u64, client: &str, cseq: u64) -> Entry {
        let client = ClientId::parse(client).unwrap();
        Entry { seq: Seq(seq), client, cseq: Cseq(cseq), payload: Payload::of("12345").unwrap() }
    }

    fn board(entries: Vec<Entry>) -> Board {
        let mut board = Board { epoch: Epoch(1), ..Board::default() };
        board.extend(entries);
        board
    }

    #[test]
    fn the_next_edit_of_each_client_passes() {
        let board = board(vec![edit(1, "a", 1), edit(2, "b", 1)]);
        assert_eq!(board.check(&[edit(3, "a", 2), edit(4, "a", 3), edit(5, "b", 2)]), Ok(()));
    }

    #[test]
    fn an_append_that_leaves_a_gap_or_repeats_is_out_of_place() {
        let board = board(vec![edit(1, "a", 1), edit(2, "a", 2)]);
        for seq in [0, 1, 2, 4] {
            assert_eq!(board.check(&[edit(seq, "a", 3)]), Err(Wrong::Place), "{seq}");
        }
    }

    #[test]
    fn a_doubled_or_skipped_edit_of_a_client_is_told_in_words() {
        let board = board(vec![edit(1, "a", 1)]);
        for cseq in [1, 3] {
            let refused = board.check(&[edit(2, "a", cseq)]);
            assert_eq!(refused, Err(Wrong::Numbers(format!("edit {cseq} of a where 2 is due"))));
        }
    }

    #[test]
    fn a_gap_inside_an_append_is_told_in_words() {
        let refused = board(vec![]).check(&[edit(1, "a", 1), edit(3, "a", 2)]);
        assert_eq!(refused, Err(Wrong::Numbers("seq 3 where 2 is due".to_owned())));
    }

    #[test]
    fn a_page_ends_at_either_limit_and_says_so() {
        let board = board((1..=5).map(|n| edit(n, "a", n)).collect());
        let page = |after, max_entries, max_bytes| {
            let (page, all) = board.page(board.place_behind(Seq(after)), max_entries, max_bytes);
            (page.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>(), all)
        };
        assert_eq!(page(1, 2, 1_000), (vec![2, 3], false));
        assert_eq!(page(1, 10, 14), (vec![2, 3], false));
        assert_eq!(page(1, 10, 1), (vec![2], false));
        assert_eq!(page(3, 10, 1_000), (vec![4, 5], true));
        assert_eq!(page(9, 10, 1_000), (vec![], true));
    }
}
