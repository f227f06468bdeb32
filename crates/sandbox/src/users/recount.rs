//! The recount: what the users made and saw against what the boards' logs hold.
//!
//! It trusts neither side: numbers, order and places are compared one by one, and the first few
//! differences are told in words.

use std::collections::{BTreeMap, HashMap, HashSet};

use segue_handover::store::StoreError;
use segue_handover::wire::{BoardId, ClientId, Cseq, Entry, Seq};
use serde::{Deserialize, Serialize};

use super::record::{Records, RunEnd, SeenRun, UserRecord, mark};
use crate::store::client::StoreClient;

/// Differences that are told in words.
const EXAMPLES: usize = 10;

/// Pages of the dump that are read at the most.
const PAGES: usize = 1_000_000;

/// One stored edit without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEdit {
    pub seq: Seq,
    pub client: ClientId,
    pub cseq: Cseq,
}

/// The boards' logs as the store tells them.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    pub logs: BTreeMap<BoardId, Vec<StoredEdit>>,
}

impl Stored {
    /// Reads everything. Take it when nobody writes any more.
    pub async fn fetch(store: &StoreClient) -> Result<Self, StoreError> {
        let mut stored = Self::default();
        let mut after = None;
        for _ in 0..PAGES {
            let page = store.dump(after).await?;
            for (board, entries) in page.logs {
                stored.add(board, entries);
            }
            after = page.next;
            if after.is_none() {
                return Ok(stored);
            }
        }
        Err(StoreError::Refused(format!("it has more than {PAGES} pages")))
    }

    fn add(&mut self, board: BoardId, entries: Vec<Entry>) {
        let edits =
            entries.into_iter().map(|Entry { seq, client, cseq, .. }| StoredEdit { seq, client, cseq });
        self.logs.entry(board).or_default().extend(edits);
    }
}

/// What became of the users' edits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditCounts {
    /// Made by users.
    pub sent: u64,
    /// Called durable by a server.
    pub acknowledged: u64,
    /// Entries of these users in the boards' logs.
    pub stored: u64,
    /// Made and not stored.
    pub lost: u64,
    /// Stored more than once, or seen at two places.
    pub duplicated: u64,
    /// Places at which the order of a board, of a client, or of what a user saw is broken.
    pub out_of_order: u64,
}

/// The counts, and the first differences in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recount {
    pub counts: EditCounts,
    pub examples: Vec<String>,
}

impl Recount {
    /// Compares.
    pub fn of(records: &Records, stored: &Stored) -> Self {
        let mut recount = Self::default();
        let users: HashMap<&ClientId, &UserRecord> =
            records.users.iter().map(|user| (&user.client, user)).collect();
        let mut found: HashSet<(&ClientId, Cseq)> = HashSet::new();
        for (board, log) in &stored.logs {
            recount.log(board, log, &users, &mut found);
        }
        let places: HashMap<&BoardId, HashMap<Seq, &StoredEdit>> =
            stored.logs.iter().map(|(board, log)| (board, by_place(log))).collect();
        for user in &records.users {
            recount.user(user, &found);
            let log = places.get(&user.board);
            for run in &user.seen {
                recount.view(user, run, |seq| log?.get(&seq).copied());
            }
        }
        recount
    }

    fn log<'a>(
        &mut self,
        board: &BoardId,
        log: &'a [StoredEdit],
        users: &HashMap<&ClientId, &UserRecord>,
        found: &mut HashSet<(&'a ClientId, Cseq)>,
    ) {
        let mut last: HashMap<&ClientId, Cseq> = HashMap::new();
        let mut due = Seq(1);
        for edit in log {
            if edit.seq != due {
                self.counts.out_of_order += 1;
                self.example(|| format!("board {board} has seq {} where {due} is due", edit.seq));
            }
            due = edit.seq.next();
            if !users.contains_key(&edit.client) {
                continue;
            }
            self.counts.stored += 1;
            if !found.insert((&edit.client, edit.cseq)) {
                self.counts.duplicated += 1;
                self.example(|| format!("edit {} of {} is stored twice", edit.cseq, edit.client));
                continue;
            }
            let before = last.insert(&edit.client, edit.cseq).unwrap_or_default();
            if edit.cseq != before.next() {
                self.counts.out_of_order += 1;
                self.example(|| format!("edit {} of {} follows {before}", edit.cseq, edit.client));
            }
        }
    }

    fn user(&mut self, user: &UserRecord, found: &HashSet<(&ClientId, Cseq)>) {
        self.counts.duplicated += user.doubles;
        self.counts.out_of_order += user.disorders + user.broken;
        for (cseq, edit) in (1..).map(Cseq).zip(&user.edits) {
            self.counts.sent += 1;
            self.counts.acknowledged += u64::from(edit.durable_us.is_some());
            if !found.contains(&(&user.client, cseq)) {
                self.counts.lost += 1;
                let word = if edit.durable_us.is_some() { "acknowledged" } else { "unacknowledged" };
                self.example(|| format!("edit {cseq} of {} on {} is lost, {word}", user.client, user.board));
            }
        }
    }

    /// What was seen must be what is stored. Before a snapshot the last of it may have died with its
    /// server, so there the first difference ends the comparison.
    fn view<'a>(&mut self, user: &UserRecord, run: &SeenRun, stored: impl Fn(Seq) -> Option<&'a StoredEdit>) {
        for (seq, seen) in (run.from.get()..).map(Seq).zip(&run.marks) {
            if stored(seq).is_some_and(|edit| mark(&edit.client, edit.cseq) == *seen) {
                continue;
            }
            match run.end {
                RunEnd::Snapshot => return,
                RunEnd::Open => {
                    self.counts.out_of_order += 1;
                    self.example(|| {
                        format!(
                            "{} saw another edit at seq {seq} of {} than is stored",
                            user.client, user.board
                        )
                    });
                }
            }
        }
    }

    fn example(&mut self, words: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(words());
        }
    }
}

/// Where two are stored at one place, the first of them counts: the other is out of order there.
fn by_place(log: &[StoredEdit]) -> HashMap<Seq, &StoredEdit> {
    log.iter().rev().map(|edit| (edit.seq, edit)).collect()
}

#[cfg(test)]
mod tests {
    use segue_handover::client::Told;
    use segue_handover::wire::{Payload, Update};

    use super::*;

    fn board() -> BoardId {
        BoardId::parse("b").unwrap()
    }

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).unwrap()
    }

    fn edit(seq: u64, name: &str, cseq: u64) -> StoredEdit {
        StoredEdit { seq: Seq(seq), client: client(name), cseq: Cseq(cseq) }
    }

    fn saw(user: &mut UserRecord, StoredEdit { seq, client, cseq }: StoredEdit) {
        let payload = Payload::of(&0).unwrap();
        user.heard(&Told::Update(Update { seq, client, cseq, payload }), 9, |_| {});
    }

    /// Two users who made two edits each and saw all four as they are stored.
    fn honest() -> (Records, Stored) {
        let log = vec![edit(1, "a", 1), edit(2, "b", 1), edit(3, "b", 2), edit(4, "a", 2)];
        let user = |name| {
            let mut user = UserRecord::new(client(name), board(), 0);
            user.made(1);
            user.made(2);
            for edit in log.clone() {
                saw(&mut user, edit);
            }
            user.heard(&Told::Durable(Cseq(2)), 9, |_| {});
            user
        };
        let records = Records { users: vec![user("a"), user("b")], spawned: 2, marks: vec![], taken_us: 10 };
        (records, Stored { logs: [(board(), log)].into() })
    }

    fn log(stored: &mut Stored) -> &mut Vec<StoredEdit> {
        stored.logs.get_mut(&board()).unwrap()
    }

    #[test]
    fn honest_records_recount_to_zeros() {
        let (records, stored) = honest();
        let recount = Recount::of(&records, &stored);
        let counts = EditCounts { sent: 4, acknowledged: 4, stored: 4, ..EditCounts::default() };
        assert_eq!(recount, Recount { counts, examples: vec![] });
    }

    #[test]
    fn an_edit_taken_out_of_the_log_is_lost() {
        let (records, mut stored) = honest();
        log(&mut stored).pop();
        let recount = Recount::of(&records, &stored);
        assert_eq!((recount.counts.lost, recount.counts.stored), (1, 3));
        assert_eq!(recount.examples[0], "edit 2 of a on b is lost, acknowledged");
    }

    #[test]
    fn an_edit_that_a_user_made_and_nobody_stored_is_lost() {
        let (mut records, stored) = honest();
        records.users[0].made(8);
        let counts = Recount::of(&records, &stored).counts;
        assert_eq!((counts.sent, counts.acknowledged, counts.lost), (5, 4, 1));
    }

    #[test]
    fn an_edit_stored_twice_is_duplicated() {
        let (records, mut stored) = honest();
        log(&mut stored).push(edit(5, "b", 2));
        let counts = Recount::of(&records, &stored).counts;
        assert_eq!((counts.duplicated, counts.stored, counts.lost), (1, 5, 0));
    }

    #[test]
    fn an_edit_that_its_author_saw_at_two_places_is_duplicated() {
        let (mut records, stored) = honest();
        saw(&mut records.users[0], edit(5, "a", 2));
        assert_eq!(Recount::of(&records, &stored).counts.duplicated, 1);
    }

    #[test]
    fn edits_of_one_client_that_are_stored_in_the_wrong_order_are_out_of_order() {
        let (records, mut stored) = honest();
        log(&mut stored)[1] = edit(2, "b", 2);
        log(&mut stored)[2] = edit(3, "b", 1);
        assert!(Recount::of(&records, &stored).counts.out_of_order >= 2);
    }

    #[test]
    fn a_gap_in_a_boards_log_is_out_of_order_once_and_for_everybody_who_saw_another_place() {
        let (records, mut stored) = honest();
        log(&mut stored)[3].seq = Seq(5);
        log(&mut stored).push(edit(6, "b", 3));
        assert_eq!(Recount::of(&records, &stored).counts.out_of_order, 1 + 2);
    }

    #[test]
    fn what_a_user_saw_must_be_what_is_stored() {
        let (records, mut stored) = honest();
        log(&mut stored).swap(2, 3);
        log(&mut stored)[2].seq = Seq(3);
        log(&mut stored)[3].seq = Seq(4);
        let recount = Recount::of(&records, &stored);
        assert_eq!(recount.counts.out_of_order, 4, "two places in two views: {:?}", recount.examples);
    }

    #[test]
    fn an_update_that_died_before_a_snapshot_is_not_held_against_anybody() {
        let (mut records, stored) = honest();
        saw(&mut records.users[0], edit(5, "c", 1));
        assert_eq!(Recount::of(&records, &stored).counts.out_of_order, 1);
        let snapshot = segue_handover::wire::Snapshot { seq: Seq(4), state: Payload::of(&0).unwrap() };
        records.users[0].heard(&Told::Snapshot(snapshot), 9, |_| {});
        assert_eq!(Recount::of(&records, &stored).counts.out_of_order, 0);
    }
}
