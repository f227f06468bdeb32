//! The store's data in memory and its rules, as a pure state machine: no file, no socket, no clock.
//!
//! It deliberately does not decide when a change is durable; a change comes back as a [`Record`]
//! and the writer answers only when the file has it.

mod board;
mod changes;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::ops::Bound;

use segue_handover::wire::{BoardId, Connect, Entry, Epoch, OwnedBoard, OwnersPage, Seq, ServerId};
use serde::{Deserialize, Serialize};

use board::{Board, Wrong};
use changes::Changes;

use super::wire::{DumpPage, LogPage, Owner, Ownership, Place, Refusal, Request, Response};
use crate::sabotage::Sabotage;

/// [`Limits::liveness_ms`] when nobody says otherwise.
pub(crate) const LIVENESS_MS: u64 = 3_000;
/// [`Limits::abandoned_ms`] when nobody says otherwise.
pub(crate) const ABANDONED_MS: u64 = 30_000;

/// What the store refuses to grow beyond.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A server silent for longer is dead.
    pub liveness_ms: u64,
    /// The boards of a server silent for longer are given to nobody.
    pub abandoned_ms: u64,
    /// Boards ever opened.
    pub boards: usize,
    /// Entries in all logs together.
    pub entries: usize,
    /// Servers ever heard of.
    pub servers: usize,
    /// Changes of owner that are remembered.
    pub changes: usize,
    /// Bytes of one edit.
    pub payload_bytes: usize,
    /// Entries in one append.
    pub append_entries: usize,
    /// Entries or boards in one page of an answer.
    pub page_entries: usize,
    /// Bytes of payloads in one page of an answer.
    pub page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            liveness_ms: LIVENESS_MS,
            abandoned_ms: ABANDONED_MS,
            boards: 1_000_000,
            entries: 50_000_000,
            servers: 10_000,
            changes: 10_000_000,
            payload_bytes: 256 << 10,
            append_entries: 10_000,
            page_entries: 2_000,
            page_bytes: 1 << 20,
        }
    }
}

/// A change, as the file keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// The ownership row became this.
    Owned { board: BoardId, epoch: Epoch, owner: Option<ServerId> },
    /// Their owners died, and nobody owns them; their epochs stayed.
    Freed { boards: Vec<BoardId> },
    /// These entries were appended under this epoch.
    Appended { board: BoardId, epoch: Epoch, entries: Vec<Entry> },
}

#[derive(Debug)]
struct Server {
    connect: Option<Connect>,
    seen_ms: u64,
}

/// Everything the store knows. Times are milliseconds on a clock that began when it was opened.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    boards: BTreeMap<BoardId, Board>,
    servers: HashMap<ServerId, Server>,
    entries: usize,
    changes: Changes,
    fence: Fence,
    numbers: Numbers,
    /// When it last was asked anything.
    asked_ms: u64,
    /// Since when it hears without a gap: who was silent before may not have been heard.
    hears_since_ms: u64,
}

/// Whether an append is refused under an epoch that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fence {
    Kept,
    Missing,
}

/// Whether an append is refused that would leave a gap or a double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Checked,
    Unchecked,
}

type Answer = Result<Response, Refusal>;
type Changed = Result<(Response, Option<Record>), Refusal>;

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            boards: BTreeMap::new(),
            servers: HashMap::new(),
            entries: 0,
            changes: Changes::default(),
            fence: Fence::Kept,
            numbers: Numbers::Checked,
            asked_ms: 0,
            hears_since_ms: 0,
        }
    }

    /// When its clock began, in everybody's time.
    pub(super) fn began_at(mut self, at: jiff::Timestamp) -> Self {
        self.changes.began_at(at);
        self
    }

    /// Without its own last line of defence where a fault is planted that it would refuse.
    pub(super) fn with(mut self, sabotage: Option<Sabotage>) -> Self {
        match sabotage {
            Some(Sabotage::NoFence) => {
                self.fence = Fence::Missing;
                self.numbers = Numbers::Unchecked;
            }
            Some(Sabotage::DropEdit | Sabotage::DoubleEdit) => self.numbers = Numbers::Unchecked,
            Some(Sabotage::TerminateEarly | Sabotage::LaunchTwice | Sabotage::UnknownAsZero) | None => {}
        }
        self
    }

    /// Carries one request out. A record must be in the file before the answer goes out.
    pub(super) fn ask(&mut self, request: Request, now_ms: u64) -> (Answer, Option<Record>) {
        self.notice_gap(now_ms);
        let changed = match request {
            Request::Claim { board, expect, server } => self.claim(board, expect, server, now_ms),
            Request::Append { board, epoch, entries } => self.append(board, epoch, entries, now_ms),
            Request::Release { board, epoch, server } => Ok(self.release(board, epoch, &server, now_ms)),
            Request::ReleaseDead { limit } => Ok(self.release_dead(limit, now_ms)),
            Request::Heartbeat { server, connect } => {
                self.heartbeat(server, connect, now_ms).map(|()| (Response::Heard, None))
            }
            Request::Row { board } => Ok((Response::Row(self.row(&board, now_ms)), None)),
            Request::Load { board, after } => Ok((Response::Log(self.load(&board, after)), None)),
            Request::Owners { server, cursor, limit } => {
                Ok((Response::Owners(self.owners(&server, cursor.as_ref(), limit)), None))
            }
            Request::Dump { after } => Ok((Response::Dumped(self.dump(after.as_ref())), None)),
            Request::Changes { after } => {
                Ok((Response::Changes(self.changes.page(after, self.limits.page_entries)), None))
            }
        };
        match changed {
            Ok((response, record)) => (Ok(response), record),
            Err(refusal) => (Err(refusal), None),
        }
    }

    /// Repeats a record of the file. What the file says was checked when it was written.
    ///
    /// An owner that the file names counts as seen now: the store was away, and what it did not
    /// hear is not silence.
    pub(super) fn replay(&mut self, record: Record) {
        match record {
            Record::Owned { board, epoch, owner } => {
                if let Some(server) = &owner {
                    self.servers.entry(server.clone()).or_insert(Server { connect: None, seen_ms: 0 });
                }
                self.changes.note(0, &board, epoch, owner.as_ref());
                let row = self.boards.entry(board).or_default();
                row.epoch = epoch;
                row.owner = owner;
            }
            Record::Freed { boards } => {
                for board in boards {
                    self.free(&board, 0);
                }
            }
            Record::Appended { board, epoch: _, entries } => {
                self.entries += entries.len();
                self.boards.entry(board).or_default().extend(entries);
            }
        }
    }

    /// Whoever lives says so more often than the liveness rule asks. When nobody did for so long, it was the
    /// store that stood still, or the way to it.
    fn notice_gap(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.asked_ms) > self.limits.liveness_ms {
            self.hears_since_ms = now_ms;
        }
        self.asked_ms = now_ms;
    }

    fn heartbeat(&mut self, server: ServerId, connect: Option<Connect>, now_ms: u64) -> Result<(), Refusal> {
        if self.servers.len() >= self.limits.servers && !self.servers.contains_key(&server) {
            return Err(Refusal::Full { what: format!("{} servers", self.limits.servers) });
        }
        self.servers.insert(server, Server { connect, seen_ms: now_ms });
        Ok(())
    }

    fn row(&self, board: &BoardId, now_ms: u64) -> Ownership {
        let Some(row) = self.boards.get(board) else {
            return Ownership { epoch: Epoch::ZERO, owner: None, last_seq: Seq::ZERO };
        };
        let owner = row.owner.as_ref().map(|server| self.owner(server, now_ms));
        Ownership { epoch: row.epoch, owner, last_seq: row.last_seq() }
    }

    fn owner(&self, server: &ServerId, now_ms: u64) -> Owner {
        let row = self.servers.get(server);
        let in_time = |row: &Server| now_ms.saturating_sub(row.seen_ms) <= self.limits.liveness_ms;
        Owner {
            server: server.clone(),
            connect: row.and_then(|row| row.connect.clone()),
            alive: row.is_some_and(in_time),
        }
    }

    fn claim(&mut self, board: BoardId, expect: Epoch, server: ServerId, now_ms: u64) -> Changed {
        let row = self.row(&board, now_ms);
        let epoch = expect.next();
        let claimed = Response::Claimed { epoch, last_seq: row.last_seq };
        let mine = row.owner.as_ref().is_some_and(|owner| owner.server == server);
        if mine && row.epoch == epoch {
            // The same claim again: only this server can have made this step.
            return Ok((claimed, None));
        }
        if row.epoch != expect {
            return Ok((Response::Held(row), None));
        }
        if self.boards.len() >= self.limits.boards && !self.boards.contains_key(&board) {
            return Err(Refusal::Full { what: format!("{} boards", self.limits.boards) });
        }
        if self.changes.len() >= self.limits.changes {
            return Err(Refusal::Full { what: format!("{} changes of owner", self.limits.changes) });
        }
        Ok((claimed, Some(self.set_owner(board, epoch, Some(server), now_ms))))
    }

    fn set_owner(&mut self, board: BoardId, epoch: Epoch, owner: Option<ServerId>, now_ms: u64) -> Record {
        self.changes.note(now_ms, &board, epoch, owner.as_ref());
        let row = self.boards.entry(board.clone()).or_default();
        row.epoch = epoch;
        row.owner.clone_from(&owner);
        Record::Owned { board, epoch, owner }
    }

    /// A board that was released has nobody who may write, whatever the epoch.
    fn append(&mut self, board: BoardId, epoch: Epoch, entries: Vec<Entry>, now_ms: u64) -> Changed {
        self.check_size(&entries)?;
        let held = self.row(&board, now_ms);
        let fence = self.fence;
        let may_write = |row: &&mut Board| match fence {
            Fence::Kept => row.epoch == epoch && row.owner.is_some(),
            Fence::Missing => true,
        };
        let Some(row) = self.boards.get_mut(&board).filter(may_write) else {
            return Ok((Response::Held(held), None));
        };
        let checked = match self.numbers {
            Numbers::Checked => row.check(&entries),
            Numbers::Unchecked => Ok(()),
        };
        match checked {
            Ok(()) => {}
            Err(Wrong::Place) => return Ok((Response::OutOfPlace { last_seq: held.last_seq }, None)),
            Err(Wrong::Numbers(what)) => {
                tracing::error!(%board, %epoch, what, "an append would break the log");
                return Err(Refusal::Violation { what });
            }
        }
        row.extend(entries.iter().cloned());
        self.entries += entries.len();
        let appended = Response::Appended { last_seq: row.last_seq() };
        Ok((appended, Some(Record::Appended { board, epoch, entries })))
    }

    fn check_size(&self, entries: &[Entry]) -> Result<(), Refusal> {
        let limits = &self.limits;
        let full = |what: String| Err(Refusal::Full { what });
        if entries.len() > limits.append_entries {
            return full(format!("{} edits in one append", limits.append_entries));
        }
        if entries.iter().any(|entry| entry.payload.as_json().len() > limits.payload_bytes) {
            return full(format!("{} bytes in one edit", limits.payload_bytes));
        }
        if self.entries + entries.len() > limits.entries {
            return full(format!("{} edits in all", limits.entries));
        }
        Ok(())
    }

    fn release(
        &mut self,
        board: BoardId,
        epoch: Epoch,
        server: &ServerId,
        now_ms: u64,
    ) -> (Response, Option<Record>) {
        let row = self.row(&board, now_ms);
        let mine = row.owner.as_ref().is_none_or(|owner| owner.server == *server);
        if row.epoch != epoch || !mine {
            return (Response::Held(row), None);
        }
        let record = row.owner.is_some().then(|| self.set_owner(board, epoch, None, now_ms));
        (Response::Released, record)
    }

    /// What servers have that have been silent for very long, and that the store was there to hear.
    fn release_dead(&mut self, limit: NonZeroU32, now_ms: u64) -> (Response, Option<Record>) {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX).min(self.limits.page_entries);
        let gone = self.gone(now_ms);
        if gone.is_empty() {
            return (Response::ReleasedDead { boards: 0 }, None);
        }
        let is_orphan = |row: &Board| row.owner.as_ref().is_some_and(|owner| gone.contains(owner));
        let orphans = self.boards.iter().filter(|(_, row)| is_orphan(row));
        let boards: Vec<BoardId> = orphans.take(limit).map(|(board, _)| board.clone()).collect();
        if boards.len() < limit {
            // That is all that they had: nobody looks for it again.
            self.servers.retain(|server, _| !gone.contains(server));
        }
        for board in &boards {
            self.free(board, now_ms);
        }
        let released = Response::ReleasedDead { boards: u32::try_from(boards.len()).unwrap_or(u32::MAX) };
        (released, (!boards.is_empty()).then_some(Record::Freed { boards }))
    }

    /// A server that was never heard of is none of them: nobody knows for how long it has been silent.
    fn gone(&self, now_ms: u64) -> HashSet<ServerId> {
        if now_ms.saturating_sub(self.hears_since_ms) <= self.limits.liveness_ms {
            return HashSet::new();
        }
        let is_gone = |row: &Server| now_ms.saturating_sub(row.seen_ms) > self.limits.abandoned_ms;
        self.servers.iter().filter(|(_, row)| is_gone(row)).map(|(server, _)| server.clone()).collect()
    }

    fn free(&mut self, board: &BoardId, now_ms: u64) {
        let Some(row) = self.boards.get_mut(board) else { return };
        row.owner = None;
        self.changes.note(now_ms, board, row.epoch, None);
    }

    fn load(&self, board: &BoardId, after: Seq) -> LogPage {
        let Some(row) = self.boards.get(board) else {
            return LogPage { entries: vec![], last_seq: Seq::ZERO };
        };
        let (entries, _) =
            row.page(row.place_behind(after), self.limits.page_entries, self.limits.page_bytes);
        LogPage { entries, last_seq: row.last_seq() }
    }

    fn owners(&self, server: &ServerId, cursor: Option<&BoardId>, limit: NonZeroU32) -> OwnersPage {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX).min(self.limits.page_entries);
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self
            .boards
            .range((from, Bound::Unbounded))
            .filter(|(_, row)| row.owner.as_ref() == Some(server))
            .map(|(board, row)| OwnedBoard { board: board.clone(), epoch: row.epoch });
        let boards: Vec<OwnedBoard> = rest.by_ref().take(limit).collect();
        let more = rest.next().is_some();
        let next = boards.last().filter(|_| more).map(|row| row.board.clone());
        OwnersPage { boards, next }
    }

    fn dump(&self, after: Option<&Place>) -> DumpPage {
        let (mut entries, mut bytes) = (self.limits.page_entries, self.limits.page_bytes);
        let (from, mut told) = match after {
            Some(place) => (Bound::Included(&place.board), place.told),
            None => (Bound::Unbounded, 0),
        };
        let mut logs = Vec::new();
        for (board, row) in self.boards.range((from, Bound::Unbounded)) {
            let (page, all) = row.page(told, entries, bytes);
            entries = entries.saturating_sub(page.len());
            let weight: usize = page.iter().map(|entry| entry.payload.as_json().len()).sum();
            bytes = bytes.saturating_sub(weight);
            told = told.saturating_add(page.len());
            if !page.is_empty() {
                logs.push((board.clone(), page));
            }
            if !all || entries == 0 || bytes == 0 {
                return DumpPage { logs, next: Some(Place { board: board.clone(), told }) };
            }
            told = 0;
        }
        DumpPage { logs, next: None }
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::{ClientId, Cseq, Payload};

    use super::*;

    fn table() -> Table {
        Table::new(Limits { liveness_ms: 100, abandoned_ms: 1_000, page_entries: 2, ..Limits::default() })
    }

    fn board(name: &str) -> BoardId {
        BoardId::parse(name).unwrap()
    }

    fn server(name: &str) -> ServerId {
        ServerId::parse(name).unwrap()
    }

    fn edit(seq: u64) -> Entry {
        let client = ClientId::parse("c").unwrap();
        Entry { seq: Seq(seq), client, cseq: Cseq(seq), payload: Payload::of(&seq).unwrap() }
    }

    fn claim(name: &str, by: &str, expect: u64) -> Request {
        Request::Claim { board: board(name), expect: Epoch(expect), server: server(by) }
    }

    fn append(epoch: u64, seqs: std::ops::RangeInclusive<u64>) -> Request {
        Request::Append { board: board("b"), epoch: Epoch(epoch), entries: seqs.map(edit).collect() }
    }

    fn claimed(epoch: u64, last_seq: u64) -> Response {
        Response::Claimed { epoch: Epoch(epoch), last_seq: Seq(last_seq) }
    }

    fn beat(table: &mut Table, name: &str, now_ms: u64) {
        let connect = Some(Connect::parse(&format!("ws://{name}")).unwrap());
        let beat = Request::Heartbeat { server: server(name), connect };
        assert_eq!(table.ask(beat, now_ms).0, Ok(Response::Heard));
    }

    fn done(table: &mut Table, request: Request) {
        let (answer, record) = table.ask(request, 0);
        assert!(answer.is_ok() && record.is_some(), "{answer:?}");
    }

    fn held(table: &mut Table, request: Request) -> Ownership {
        match table.ask(request, 0) {
            (Ok(Response::Held(row)), None) => row,
            other => panic!("{other:?}"),
        }
    }

    fn alive(table: &Table, now_ms: u64) -> bool {
        table.row(&board("b"), now_ms).owner.unwrap().alive
    }

    #[test]
    fn of_two_who_claim_from_one_epoch_one_wins() {
        let mut table = table();
        beat(&mut table, "s1", 0);
        let (won, record) = table.ask(claim("b", "s1", 0), 1);
        assert_eq!(won, Ok(claimed(1, 0)));
        assert!(record.is_some());
        let connect = Some(Connect::parse("ws://s1").unwrap());
        let owner = Some(Owner { server: server("s1"), connect, alive: true });
        let row = held(&mut table, claim("b", "s2", 0));
        assert_eq!(row, Ownership { epoch: Epoch(1), owner, last_seq: Seq(0) });
    }

    #[test]
    fn a_claim_repeated_says_the_same_and_changes_nothing() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        let (again, record) = table.ask(claim("b", "s1", 0), 0);
        assert_eq!(again, Ok(claimed(1, 0)));
        assert!(record.is_none());
    }

    #[test]
    fn an_owner_lives_as_long_as_the_liveness_rule_says() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        assert!(!alive(&table, 0), "it never sent a heartbeat");
        beat(&mut table, "s1", 1_000);
        assert!(alive(&table, 1_100));
        assert!(!alive(&table, 1_101));
    }

    #[test]
    fn an_owner_is_not_dead_because_the_store_was_away() {
        let mut table = table();
        table.replay(Record::Owned { board: board("b"), epoch: Epoch(4), owner: Some(server("s1")) });
        assert!(alive(&table, 100));
        assert!(!alive(&table, 101));
    }

    #[test]
    fn a_server_that_lost_its_epoch_cannot_write() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        done(&mut table, append(1, 1..=2));
        assert_eq!(table.ask(claim("b", "s2", 1), 0).0, Ok(claimed(2, 2)));
        let row = held(&mut table, append(1, 3..=3));
        assert_eq!((row.epoch, row.owner.unwrap().server), (Epoch(2), server("s2")));
        done(&mut table, append(2, 3..=3));
    }

    #[test]
    fn an_append_repeated_is_stored_once_and_told_where_the_log_ends() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        done(&mut table, append(1, 1..=2));
        let (again, record) = table.ask(append(1, 1..=2), 0);
        assert_eq!(again, Ok(Response::OutOfPlace { last_seq: Seq(2) }));
        assert!(record.is_none());
    }

    #[test]
    fn an_append_that_would_lose_an_edit_is_refused_and_not_stored() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        let skipping = Entry { cseq: Cseq(2), ..edit(1) };
        let request = Request::Append { board: board("b"), epoch: Epoch(1), entries: vec![skipping] };
        let (refused, record) = table.ask(request, 0);
        assert!(matches!(refused, Err(Refusal::Violation { .. })), "{refused:?}");
        assert!(record.is_none());
        assert_eq!(table.load(&board("b"), Seq(0)).last_seq, Seq(0));
    }

    #[test]
    fn a_released_board_keeps_its_epoch_and_takes_no_more_writes() {
        let mut table = table();
        let release = || Request::Release { board: board("b"), epoch: Epoch(1), server: server("s1") };
        done(&mut table, claim("b", "s1", 0));
        done(&mut table, release());
        assert_eq!(table.ask(release(), 0).0, Ok(Response::Released));
        assert_eq!(held(&mut table, append(1, 1..=1)).owner, None);
        assert_eq!(table.ask(claim("b", "s2", 1), 0).0, Ok(claimed(2, 0)));
        assert_eq!(held(&mut table, release()).epoch, Epoch(2));
    }

    fn release_dead(table: &mut Table, now_ms: u64) -> (u32, Option<Record>) {
        match table.ask(Request::ReleaseDead { limit: NonZeroU32::new(9).unwrap() }, now_ms) {
            (Ok(Response::ReleasedDead { boards }), record) => (boards, record),
            other => panic!("{other:?}"),
        }
    }

    /// `s1` has `a`, `c` and `d`, and says nothing more; `s2` has `b`, and says so to the end.
    fn abandoned(until_ms: u64) -> Table {
        let mut table = table();
        for (name, owner) in [("a", "s1"), ("b", "s2"), ("c", "s1"), ("d", "s1")] {
            beat(&mut table, owner, 0);
            done(&mut table, claim(name, owner, 0));
        }
        (0..=until_ms).step_by(50).for_each(|now_ms| beat(&mut table, "s2", now_ms));
        table
    }

    #[test]
    fn boards_of_owners_silent_for_very_long_become_nobodys_and_keep_their_epoch() {
        let mut table = abandoned(1_000);
        assert_eq!(release_dead(&mut table, 1_000).0, 0, "it is dead, and may still only be slow");
        let (first, record) = release_dead(&mut table, 1_001);
        assert_eq!(first, 2, "a page of them");
        assert_eq!([1_001, 1_001].map(|now_ms| release_dead(&mut table, now_ms).0), [1, 0]);
        let row = table.row(&board("a"), 1_001);
        assert_eq!((row.owner, row.epoch), (None, Epoch(1)));
        assert!(alive(&table, 1_001), "it is another's, who lives");
        let mut again = self::table();
        again.replay(Record::Owned { board: board("a"), epoch: Epoch(1), owner: Some(server("s1")) });
        again.replay(record.unwrap());
        assert_eq!(again.row(&board("a"), 0).owner, None);
    }

    #[test]
    fn a_store_that_stood_still_frees_nothing_before_everybody_could_speak_again() {
        let mut table = abandoned(50);
        // All were silent for ten times what is allowed, because nobody was heard.
        assert_eq!(release_dead(&mut table, 10_000).0, 0);
        beat(&mut table, "s2", 10_050);
        assert_eq!(release_dead(&mut table, 10_100).0, 0, "s1 may be about to say something");
        assert_eq!(release_dead(&mut table, 10_101).0, 2);
        assert!(table.row(&board("b"), 10_101).owner.is_some());
    }

    #[test]
    fn who_has_nothing_left_is_not_looked_for_again() {
        let mut table = abandoned(1_001);
        assert_eq!([(); 2].map(|()| release_dead(&mut table, 1_001).0), [2, 1]);
        assert!(table.gone(1_001).is_empty());
        beat(&mut table, "s1", 1_002);
        done(&mut table, claim("a", "s1", 1));
        assert!(table.row(&board("a"), 1_002).owner.unwrap().alive);
    }

    #[test]
    fn nobody_releases_the_board_of_another() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0));
        let release = Request::Release { board: board("b"), epoch: Epoch(1), server: server("s2") };
        assert_eq!(held(&mut table, release).owner.unwrap().server, server("s1"));
    }

    #[test]
    fn the_dump_tells_every_edit_once_whatever_the_page() {
        let mut table = table();
        for (name, len) in [("a", 3_u64), ("b", 2), ("c", 0), ("d", 1), ("e", 5)] {
            let (board, entries) = (board(name), (1..=len).map(edit).collect());
            table.replay(Record::Appended { board, epoch: Epoch(1), entries });
        }
        let (mut told, mut next) = (Vec::new(), None);
        for _ in 0..20 {
            let page = table.dump(next.as_ref());
            for (board, log) in page.logs {
                told.extend(log.iter().map(|entry| format!("{board}{}", entry.seq)));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(told.join(" "), "a1 a2 a3 b1 b2 d1 e1 e2 e3 e4 e5");
    }

    #[test]
    fn owners_lists_the_boards_of_one_server_in_pages() {
        let mut table = table();
        for name in ["a", "b", "c", "d"] {
            done(&mut table, claim(name, if name == "b" { "s2" } else { "s1" }, 0));
        }
        let limit = NonZeroU32::new(10).unwrap();
        let first = table.owners(&server("s1"), None, limit);
        assert_eq!(first.boards, ["a", "c"].map(|name| OwnedBoard { board: board(name), epoch: Epoch(1) }));
        assert_eq!(first.next, Some(board("c")));
        let last = table.owners(&server("s1"), first.next.as_ref(), limit);
        assert_eq!((last.boards.len(), last.next), (1, None));
    }

    #[test]
    fn limits_are_refusals() {
        let limits = Limits { boards: 1, entries: 1, servers: 1, ..Limits::default() };
        let mut table = Table::new(limits);
        beat(&mut table, "s1", 0);
        let beat = Request::Heartbeat { server: server("s2"), connect: None };
        assert!(matches!(table.ask(beat, 0).0, Err(Refusal::Full { .. })));
        done(&mut table, claim("b", "s1", 0));
        assert!(matches!(table.ask(claim("b2", "s1", 0), 0).0, Err(Refusal::Full { .. })));
        assert!(matches!(table.ask(append(1, 1..=2), 0).0, Err(Refusal::Full { .. })));
    }
    #[test]
    fn every_change_of_owner_is_remembered_with_its_time() {
        let mut table = table().began_at(jiff::Timestamp::from_millisecond(1_000_000).unwrap());
        let release = Request::Release { board: board("b"), epoch: Epoch(2), server: server("s2") };
        let asked =
            [(claim("b", "s1", 0), 5), (claim("b", "s2", 1), 7), (claim("b", "s3", 1), 8), (release, 9)];
        for (request, now_ms) in asked {
            assert!(table.ask(request, now_ms).0.is_ok());
        }
        let page = |after| {
            let (changes, next) = table_changes(&table, after);
            (changes.join(" "), next)
        };
        assert_eq!(page(0), ("1000005:s1 1000007:s2".to_owned(), Some(2)));
        assert_eq!(page(2), ("1000009:-".to_owned(), None));
    }

    fn table_changes(table: &Table, after: u64) -> (Vec<String>, Option<u64>) {
        let page = table.changes.page(after, table.limits.page_entries);
        let told = page.changes.iter().map(|change| {
            let owner = change.owner.as_ref().map_or("-", ServerId::as_str);
            format!("{}:{owner}", change.at_ms)
        });
        (told.collect(), page.next)
    }

    #[test]
    fn without_a_fence_a_server_that_lost_its_epoch_writes() {
        let mut table = table().with(Some(Sabotage::NoFence));
        done(&mut table, claim("b", "s1", 0));
        done(&mut table, append(1, 1..=2));
        done(&mut table, claim("b", "s2", 1));
        done(&mut table, append(2, 3..=3));
        done(&mut table, append(1, 3..=4));
        let told = |page: DumpPage| -> Vec<u64> {
            page.logs.iter().flat_map(|(_, log)| log).map(|entry| entry.seq.get()).collect()
        };
        let first = table.dump(None);
        let second = table.dump(first.next.as_ref());
        let third = table.dump(second.next.as_ref());
        assert_eq!([told(first), told(second), told(third)].concat(), [1, 2, 3, 3, 4]);
    }

    #[test]
    fn without_its_check_the_store_keeps_a_gap_and_a_double() {
        let mut table = table().with(Some(Sabotage::DropEdit));
        done(&mut table, claim("b", "s1", 0));
        for entries in [vec![edit(1)], vec![edit(3)], vec![edit(4), edit(4)], vec![edit(5)]] {
            done(&mut table, Request::Append { board: board("b"), epoch: Epoch(1), entries });
        }
        let seqs = |page: LogPage| page.entries.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>();
        assert_eq!(seqs(table.load(&board("b"), Seq(1))), [3, 4]);
        assert_eq!(seqs(table.load(&board("b"), Seq(4))), [5]);
    }
}
