//! What a user writes down. All times are microseconds since the crowd began.

use std::collections::BTreeMap;

use segue_handover::client::Told;
use segue_handover::wire::{BoardId, ClientId, Cseq, Seq, Update};

/// One edit of a user; its `cseq` is its place in [`UserRecord::edits`] plus one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edit {
    pub made_us: u64,
    pub applied_us: Option<u64>,
    pub durable_us: Option<u64>,
    /// Where the user saw it in the board's order since the last snapshot.
    pub seen_at: Option<Seq>,
}

/// One move of the user's board, as the user noticed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// When edits began to wait. `go` implies it, so it may be the same moment.
    pub sealed_us: u64,
    /// When they went on, at the new server.
    pub go_us: u64,
}

/// Updates seen without a gap: `from`, `from + 1` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRun {
    pub from: Seq,
    /// A mark of each update's author and number.
    pub marks: Vec<u32>,
    pub end: RunEnd,
}

/// Why a run of updates ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It did not, or the user left.
    Open,
    /// A snapshot came instead of the next update. What was seen last may have died with a server
    /// before it was durable.
    Snapshot,
}

/// Everything one user knows.
#[derive(Debug, Clone)]
pub struct UserRecord {
    pub client: ClientId,
    pub board: BoardId,
    pub edits: Vec<Edit>,
    pub moves: Vec<Move>,
    pub seen: Vec<SeenRun>,
    /// When it came to the front door.
    pub came_us: u64,
    /// When it was served first.
    pub joined_us: Option<u64>,
    /// When it had to join again.
    pub rejoined_us: Vec<u64>,
    pub left_us: Option<u64>,
    pub without_socket_us_max: u64,
    /// Updates of the user's own view that were not the next one, or an author's edits out of order.
    pub disorders: u64,
    /// Edits seen at two places.
    pub doubles: u64,
    /// Times that a server spoke of impossible edit numbers.
    pub broken: u64,
    sealed_us: Option<u64>,
    applied: usize,
    durable: usize,
    next_seq: Option<Seq>,
    authors: BTreeMap<ClientId, Cseq>,
}

impl UserRecord {
    pub(super) fn new(client: ClientId, board: BoardId, came_us: u64) -> Self {
        Self {
            client,
            board,
            edits: Vec::new(),
            moves: Vec::new(),
            seen: Vec::new(),
            came_us,
            joined_us: None,
            rejoined_us: Vec::new(),
            left_us: None,
            without_socket_us_max: 0,
            disorders: 0,
            doubles: 0,
            broken: 0,
            sealed_us: None,
            applied: 0,
            durable: 0,
            next_seq: None,
            authors: BTreeMap::new(),
        }
    }

    pub(super) fn made(&mut self, now_us: u64) {
        self.edits.push(Edit { made_us: now_us, ..Edit::default() });
    }

    /// Notes what happened. Calls `latency` with the microseconds from made to applied of each edit
    /// that is now known to be in the board.
    pub(super) fn heard(&mut self, told: &Told, now_us: u64, mut latency: impl FnMut(u64)) {
        match told {
            Told::Joined { again: 0, .. } => self.joined_us = Some(now_us),
            Told::Joined { .. } => self.rejoined_us.push(now_us),
            Told::Applied(cseq) => self.applied(*cseq, now_us, &mut latency),
            Told::Durable(cseq) => {
                self.applied(*cseq, now_us, &mut latency);
                let upto = upto(*cseq, self.edits.len());
                for edit in self.edits.iter_mut().take(upto).skip(self.durable) {
                    edit.durable_us = Some(now_us);
                }
                self.durable = self.durable.max(upto);
            }
            Told::Update(update) => self.saw(update),
            Told::Snapshot(snapshot) => {
                if let Some(run) = self.seen.last_mut() {
                    run.end = RunEnd::Snapshot;
                }
                self.next_seq = Some(snapshot.seq.next());
                self.authors.clear();
                // The last of what was seen may have died with its server, to be stored elsewhere when it was
                // sent again: only the log tells that apart from an edit that is there twice.
                self.edits.iter_mut().for_each(|edit| edit.seen_at = None);
                self.begin_run(snapshot.seq.next());
            }
            Told::Sealed(_) => self.sealed_us = Some(now_us),
            Told::Switched { .. } => {
                let sealed_us = self.sealed_us.take().unwrap_or(now_us);
                self.moves.push(Move { sealed_us, go_us: now_us });
            }
            Told::Unsealed(_) => self.sealed_us = None,
            Told::Broken(_) => self.broken += 1,
            Told::Attached(_)
            | Told::MoveGivenUp(_)
            | Told::SentAway
            | Told::Lost { .. }
            | Told::Left { .. } => {}
        }
    }

    /// Edits that never became durable as far as the user knows.
    pub fn unacknowledged(&self) -> usize {
        self.edits.len() - self.durable
    }

    /// How long it waited to be served. Who has not been served until it left, or until the records were taken, has
    /// waited until then: whoever never gets in must not vanish.
    pub fn waited_us(&self, taken_us: u64) -> u64 {
        let until_us = self.joined_us.or(self.left_us).unwrap_or(taken_us);
        until_us.saturating_sub(self.came_us)
    }

    fn applied(&mut self, cseq: Cseq, now_us: u64, latency: &mut impl FnMut(u64)) {
        let upto = upto(cseq, self.edits.len());
        for edit in self.edits.iter_mut().take(upto).skip(self.applied) {
            edit.applied_us = Some(now_us);
            latency(now_us.saturating_sub(edit.made_us));
        }
        self.applied = self.applied.max(upto);
    }

    fn saw(&mut self, update: &Update) {
        if self.next_seq.is_none() {
            self.begin_run(update.seq);
        }
        if self.next_seq.is_some_and(|due| due != update.seq) {
            self.disorders += 1;
            self.begin_run(update.seq);
        }
        self.next_seq = Some(update.seq.next());
        if let Some(run) = self.seen.last_mut() {
            run.marks.push(mark(&update.client, update.cseq));
        }
        let last = self.authors.insert(update.client.clone(), update.cseq);
        if last.is_some_and(|last| update.cseq != last.next()) {
            self.disorders += 1;
        }
        if update.client == self.client {
            self.saw_own(update);
        }
    }

    fn saw_own(&mut self, update: &Update) {
        let place = usize::try_from(update.cseq.get()).unwrap_or(usize::MAX).wrapping_sub(1);
        let Some(edit) = self.edits.get_mut(place) else { return };
        if edit.seen_at.is_some_and(|seen| seen != update.seq) {
            self.doubles += 1;
        }
        edit.seen_at = Some(update.seq);
    }

    fn begin_run(&mut self, from: Seq) {
        self.seen.push(SeenRun { from, marks: Vec::new(), end: RunEnd::Open });
        self.next_seq = Some(from);
    }
}

fn upto(cseq: Cseq, made: usize) -> usize {
    usize::try_from(cseq.get()).unwrap_or(usize::MAX).min(made)
}

/// A mark that tells one edit from another (FNV-1a over its author and number).
pub(super) fn mark(client: &ClientId, cseq: Cseq) -> u32 {
    let bytes = client.as_str().bytes().chain(cseq.get().to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The parts of a demo that its figures are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing is released yet.
    Before,
    Canary,
    Release,
    Rollback,
    /// Everything is over; people still edit.
    After,
}

/// A phase began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub phase: Phase,
    pub at_us: u64,
}

/// Everything that the crowd knows.
#[derive(Debug, Clone)]
pub struct Records {
    pub users: Vec<UserRecord>,
    /// How many users ever came; each of them has a record, or something of the crowd's own is broken.
    pub spawned: u64,
    pub marks: Vec<Mark>,
    /// When these records were taken.
    pub taken_us: u64,
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::{Epoch, MoveId, Payload, Snapshot};

    use super::*;

    fn record() -> UserRecord {
        UserRecord::new(ClientId::parse("u1").unwrap(), BoardId::parse("b1").unwrap(), 0)
    }

    fn update(seq: u64, client: &str, cseq: u64) -> Told {
        let client = ClientId::parse(client).unwrap();
        let payload = Payload::of(&0).unwrap();
        Told::Update(Update { seq: Seq(seq), client, cseq: Cseq(cseq), payload })
    }

    fn snapshot(seq: u64) -> Told {
        Told::Snapshot(Snapshot { seq: Seq(seq), state: Payload::of(&0).unwrap() })
    }

    fn hear(record: &mut UserRecord, told: &Told, now_us: u64) -> Vec<u64> {
        let mut latencies = Vec::new();
        record.heard(told, now_us, |us| latencies.push(us));
        latencies
    }

    #[test]
    fn an_acknowledgement_counts_for_all_edits_up_to_it_and_once() {
        let mut record = record();
        record.made(10);
        record.made(20);
        assert_eq!(hear(&mut record, &Told::Applied(Cseq(2)), 50), [40, 30]);
        assert_eq!(hear(&mut record, &Told::Durable(Cseq(1)), 60), Vec::<u64>::new());
        assert_eq!(record.unacknowledged(), 1);
        let edit = record.edits[0];
        assert_eq!((edit.applied_us, edit.durable_us), (Some(50), Some(60)));
    }

    #[test]
    fn a_move_is_held_from_sealed_to_go_and_go_alone_is_enough() {
        let mut record = record();
        let switched = || Told::Switched { move_id: MoveId::parse("m").unwrap(), epoch: Epoch(2) };
        hear(&mut record, &Told::Sealed(Epoch(1)), 5);
        hear(&mut record, &switched(), 9);
        hear(&mut record, &switched(), 20);
        let moves = [Move { sealed_us: 5, go_us: 9 }, Move { sealed_us: 20, go_us: 20 }];
        assert_eq!(record.moves, moves);
    }

    #[test]
    fn a_seal_that_was_called_off_is_no_move() {
        let mut record = record();
        hear(&mut record, &Told::Sealed(Epoch(1)), 5);
        hear(&mut record, &Told::Unsealed(Epoch(2)), 9);
        assert!(record.moves.is_empty());
    }

    #[test]
    fn an_update_out_of_order_or_an_authors_gap_is_a_disorder() {
        let mut record = record();
        hear(&mut record, &update(1, "u2", 1), 0);
        hear(&mut record, &update(2, "u2", 2), 0);
        assert_eq!(record.disorders, 0);
        hear(&mut record, &update(4, "u2", 3), 0);
        assert_eq!(record.disorders, 1);
        hear(&mut record, &update(5, "u2", 5), 0);
        assert_eq!(record.disorders, 2);
        assert_eq!(record.seen.iter().map(|run| run.marks.len()).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn an_own_edit_seen_at_two_places_is_a_double() {
        let mut record = record();
        record.made(0);
        hear(&mut record, &update(1, "u1", 1), 0);
        hear(&mut record, &update(1, "u1", 1), 0);
        assert_eq!(record.doubles, 0);
        hear(&mut record, &update(3, "u1", 1), 0);
        assert_eq!(record.doubles, 1);
    }

    #[test]
    fn an_edit_that_died_with_its_server_and_was_sent_again_is_no_double() {
        let mut record = record();
        record.made(0);
        hear(&mut record, &update(3, "u1", 1), 0);
        hear(&mut record, &snapshot(2), 0);
        hear(&mut record, &update(4, "u1", 1), 0);
        assert_eq!(record.doubles, 0);
        hear(&mut record, &update(5, "u1", 1), 0);
        assert_eq!(record.doubles, 1);
    }
}
