//! The store's data in memory and its rules, as a pure state machine: no file, no socket, no clock.
//!
//! It deliberately does not decide when a change is durable; a change comes back as a [`Record`]
//! and the writer answers only when the file has it.

mod board;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use board::Board;

use super::wire::{BoardsPage, DumpPage, Entry, LogPage, Over, Owner, Ownership, Refusal, Request, Response};

/// What the store refuses to grow beyond.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A server silent for longer is dead.
    pub liveness_ms: u64,
    /// Boards ever opened.
    pub boards: usize,
    /// Entries in all logs together.
    pub entries: usize,
    /// Servers ever heard of.
    pub servers: usize,
    /// Bytes of one edit.
    pub payload_bytes: usize,
    /// Entries in one append, and in one page of an answer.
    pub page_entries: usize,
    /// Bytes of payloads in one page of an answer.
    pub page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            liveness_ms: 3_000,
            boards: 1_000_000,
            entries: 50_000_000,
            servers: 10_000,
            payload_bytes: 64 << 10,
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
    Owned { board: Arc<str>, epoch: u64, owner: Option<String> },
    /// These entries were appended.
    Appended { board: Arc<str>, entries: Vec<Entry> },
}

#[derive(Debug)]
struct Server {
    connect: String,
    seen_ms: u64,
}

/// Everything the store knows. Times are milliseconds on a clock that began when it was opened.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    boards: BTreeMap<Arc<str>, Board>,
    servers: HashMap<String, Server>,
    entries: usize,
}

type Answer = Result<Response, Refusal>;
type Changed = Result<(Response, Option<Record>), Refusal>;

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, boards: BTreeMap::new(), servers: HashMap::new(), entries: 0 }
    }

    /// Carries one request out. A record must be in the file before the answer goes out.
    pub(super) fn ask(&mut self, request: Request, now_ms: u64) -> (Answer, Option<Record>) {
        let changed = match request {
            Request::Heartbeat { server, connect } => self.heartbeat(server, connect, now_ms),
            Request::Claim { board, server, from_epoch, over } => {
                self.claim(&board, server, from_epoch, over, now_ms)
            }
            Request::Append { board, server, epoch, entries } => self.append(&board, &server, epoch, entries),
            Request::Release { board, server, epoch } => self.release(&board, &server, epoch),
            Request::Ownership { board } => {
                return (Ok(Response::Ownership(self.ownership(&board, now_ms))), None);
            }
            Request::Load { board, after_seq } => {
                return (Ok(Response::Log(self.load(&board, after_seq))), None);
            }
            Request::Owners { server, after } => {
                return (Ok(Response::Boards(self.owners(&server, after.as_deref()))), None);
            }
            Request::Dump { after } => return (Ok(Response::Dumped(self.dump(after))), None),
        };
        match changed {
            Ok((response, record)) => (Ok(response), record),
            Err(refusal) => (Err(refusal), None),
        }
    }

    /// Repeats a record of the file. What the file says was checked when it was written.
    pub(super) fn replay(&mut self, record: Record) {
        match record {
            Record::Owned { board, epoch, owner } => {
                let row = self.boards.entry(board).or_default();
                row.epoch = epoch;
                row.owner = owner;
            }
            Record::Appended { board, entries } => {
                self.entries += entries.len();
                self.boards.entry(board).or_default().extend(entries);
            }
        }
    }

    fn heartbeat(&mut self, server: String, connect: String, now_ms: u64) -> Changed {
        if self.servers.len() >= self.limits.servers && !self.servers.contains_key(&server) {
            return Err(Refusal::Full { what: format!("{} servers", self.limits.servers) });
        }
        self.servers.insert(server, Server { connect, seen_ms: now_ms });
        Ok((Response::Done, None))
    }

    fn ownership(&self, board: &str, now_ms: u64) -> Ownership {
        let Some(row) = self.boards.get(board) else {
            return Ownership { epoch: 0, owner: None };
        };
        let owner = row.owner.as_ref().map(|server| self.owner(server, now_ms));
        Ownership { epoch: row.epoch, owner }
    }

    /// A server not heard of since the store was opened counts from that moment: the store itself
    /// may have been away, and what it did not hear is not silence.
    fn owner(&self, server: &str, now_ms: u64) -> Owner {
        let row = self.servers.get(server);
        let seen_ms = row.map_or(0, |row| row.seen_ms);
        Owner {
            server: server.to_owned(),
            connect: row.map(|row| row.connect.clone()),
            alive: now_ms.saturating_sub(seen_ms) <= self.limits.liveness_ms,
        }
    }

    fn claim(&mut self, board: &str, server: String, from_epoch: u64, over: Over, now_ms: u64) -> Changed {
        let row = self.ownership(board, now_ms);
        let claimed = Response::Claimed { epoch: from_epoch + 1 };
        let mine = row.owner.as_ref().is_some_and(|owner| owner.server == server);
        if mine && row.epoch == from_epoch + 1 {
            // The same claim again: only this server can have made this step.
            return Ok((claimed, None));
        }
        let free = match over {
            Over::Anybody => true,
            Over::NobodyAlive => !row.owner.as_ref().is_some_and(|owner| owner.alive),
        };
        if row.epoch != from_epoch || !free {
            return Err(Refusal::Held(row));
        }
        if self.boards.len() >= self.limits.boards && !self.boards.contains_key(board) {
            return Err(Refusal::Full { what: format!("{} boards", self.limits.boards) });
        }
        Ok((claimed, Some(self.set_owner(board, from_epoch + 1, Some(server)))))
    }

    fn set_owner(&mut self, board: &str, epoch: u64, owner: Option<String>) -> Record {
        let board: Arc<str> = board.into();
        let row = self.boards.entry(Arc::clone(&board)).or_default();
        row.epoch = epoch;
        row.owner.clone_from(&owner);
        Record::Owned { board, epoch, owner }
    }

    fn append(&mut self, board: &str, server: &str, epoch: u64, entries: Vec<Entry>) -> Changed {
        let Some((name, _)) = self.boards.get_key_value(board) else {
            return Err(Refusal::Fenced { epoch: 0 });
        };
        let name = Arc::clone(name);
        self.check_size(&entries)?;
        let row = self.boards.entry(Arc::clone(&name)).or_default();
        if row.epoch != epoch || row.owner.as_deref() != Some(server) {
            return Err(Refusal::Fenced { epoch: row.epoch });
        }
        if row.has(&entries) {
            // The same append again, after its answer was lost.
            return Ok((Response::Appended { last_seq: row.last_seq() }, None));
        }
        row.check(epoch, &entries).inspect_err(|refusal| {
            if let Refusal::Violation { what } = refusal {
                tracing::error!(board, server, epoch, what, "an append would break the log");
            }
        })?;
        row.extend(entries.iter().cloned());
        let last_seq = row.last_seq();
        self.entries += entries.len();
        let record = Record::Appended { board: name, entries };
        Ok((Response::Appended { last_seq }, Some(record)))
    }

    fn check_size(&self, entries: &[Entry]) -> Result<(), Refusal> {
        let limits = &self.limits;
        let full = |what: String| Err(Refusal::Full { what });
        if entries.len() > limits.page_entries {
            return full(format!("{} edits in one append", limits.page_entries));
        }
        if entries.iter().any(|entry| entry.payload.get().len() > limits.payload_bytes) {
            return full(format!("{} bytes in one edit", limits.payload_bytes));
        }
        if self.entries + entries.len() > limits.entries {
            return full(format!("{} edits in all", limits.entries));
        }
        Ok(())
    }

    fn release(&mut self, board: &str, server: &str, epoch: u64) -> Changed {
        let (at, owner) = self.boards.get(board).map_or((0, None), |row| (row.epoch, row.owner.as_deref()));
        if at != epoch {
            return Err(Refusal::Fenced { epoch: at });
        }
        match owner {
            None => Ok((Response::Done, None)),
            Some(owner) if owner == server => Ok((Response::Done, Some(self.set_owner(board, epoch, None)))),
            Some(_) => Err(Refusal::Fenced { epoch: at }),
        }
    }

    fn load(&self, board: &str, after_seq: u64) -> LogPage {
        let Some(row) = self.boards.get(board) else {
            return LogPage { entries: vec![], more: false, epoch: 0, last_cseq: BTreeMap::new() };
        };
        let (entries, more) = row.page(after_seq, self.limits.page_entries, self.limits.page_bytes);
        let last_cseq = if more {
            BTreeMap::new()
        } else {
            row.last_cseq.iter().map(|(client, cseq)| (Arc::clone(client), *cseq)).collect()
        };
        LogPage { entries, more, epoch: row.epoch, last_cseq }
    }

    fn owners(&self, server: &str, after: Option<&str>) -> BoardsPage {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut boards: Vec<(String, u64)> = self
            .boards
            .range::<str, _>((from, Bound::Unbounded))
            .filter(|(_, row)| row.owner.as_deref() == Some(server))
            .take(self.limits.page_entries + 1)
            .map(|(board, row)| (board.to_string(), row.epoch))
            .collect();
        let more = boards.len() > self.limits.page_entries;
        boards.truncate(self.limits.page_entries);
        BoardsPage { boards, more }
    }

    fn dump(&self, after: Option<(String, u64)>) -> DumpPage {
        let (mut entries, mut bytes) = (self.limits.page_entries, self.limits.page_bytes);
        let (first, mut after_seq) = after.unwrap_or_default();
        let mut logs = Vec::new();
        for (board, row) in self.boards.range::<str, _>((Bound::Included(&*first), Bound::Unbounded)) {
            let (page, more) = row.page(after_seq, entries, bytes);
            if more || entries <= page.len() {
                let last = page.last().map_or(after_seq, |entry| entry.seq);
                logs.push((board.to_string(), page));
                return DumpPage { logs, next: Some((board.to_string(), last)) };
            }
            entries -= page.len();
            bytes = bytes.saturating_sub(page.iter().map(|entry| entry.payload.get().len()).sum());
            after_seq = 0;
            let last = row.last_seq();
            if !page.is_empty() {
                logs.push((board.to_string(), page));
            }
            if bytes == 0 {
                return DumpPage { logs, next: Some((board.to_string(), last)) };
            }
        }
        DumpPage { logs, next: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn table() -> Table {
        Table::new(Limits { liveness_ms: 100, page_entries: 2, ..Limits::default() })
    }

    fn edit(seq: u64, epoch: u64) -> Entry {
        let payload = RawValue::from_string("1".to_owned()).unwrap().into();
        Entry { seq, client: "c".into(), cseq: seq, epoch, payload }
    }

    fn claim(board: &str, server: &str, from_epoch: u64, over: Over) -> Request {
        Request::Claim { board: board.into(), server: server.into(), from_epoch, over }
    }

    fn append(server: &str, epoch: u64, seqs: std::ops::RangeInclusive<u64>) -> Request {
        let entries = seqs.map(|seq| edit(seq, epoch)).collect();
        Request::Append { board: "b".into(), server: server.into(), epoch, entries }
    }

    fn beat(table: &mut Table, server: &str, now_ms: u64) {
        let beat = Request::Heartbeat { server: server.into(), connect: format!("ws://{server}") };
        assert_eq!(table.ask(beat, now_ms).0, Ok(Response::Done));
    }

    fn done(table: &mut Table, request: Request, now_ms: u64) {
        let (answer, record) = table.ask(request, now_ms);
        assert!(answer.is_ok() && record.is_some(), "{answer:?}");
    }

    #[test]
    fn a_board_that_nobody_owns_is_claimed_by_the_first_who_asks() {
        let mut table = table();
        beat(&mut table, "s1", 0);
        let (won, record) = table.ask(claim("b", "s1", 0, Over::NobodyAlive), 1);
        assert_eq!(won, Ok(Response::Claimed { epoch: 1 }));
        assert!(record.is_some());
        let (lost, record) = table.ask(claim("b", "s2", 0, Over::NobodyAlive), 1);
        let owner = Owner { server: "s1".into(), connect: Some("ws://s1".into()), alive: true };
        assert_eq!(lost, Err(Refusal::Held(Ownership { epoch: 1, owner: Some(owner) })));
        assert!(record.is_none());
    }

    #[test]
    fn a_claim_repeated_says_the_same_and_changes_nothing() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        let (again, record) = table.ask(claim("b", "s1", 0, Over::NobodyAlive), 0);
        assert_eq!(again, Ok(Response::Claimed { epoch: 1 }));
        assert!(record.is_none());
    }

    #[test]
    fn a_living_owner_is_overruled_only_by_a_planned_move_from_its_epoch() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        assert!(table.ask(claim("b", "s2", 1, Over::NobodyAlive), 50).0.is_err());
        assert!(table.ask(claim("b", "s2", 0, Over::Anybody), 50).0.is_err());
        let (won, _) = table.ask(claim("b", "s2", 1, Over::Anybody), 50);
        assert_eq!(won, Ok(Response::Claimed { epoch: 2 }));
    }

    #[test]
    fn a_silent_owner_is_dead_after_the_liveness_rule_and_not_before() {
        let mut table = table();
        beat(&mut table, "s1", 1_000);
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 1_000);
        assert!(table.ask(claim("b", "s2", 1, Over::NobodyAlive), 1_100).0.is_err());
        assert!(table.ask(claim("b", "s2", 1, Over::NobodyAlive), 1_101).0.is_ok());
    }

    #[test]
    fn an_owner_is_not_dead_because_the_store_was_away() {
        let mut table = table();
        table.replay(Record::Owned { board: "b".into(), epoch: 4, owner: Some("s1".into()) });
        assert!(table.ask(claim("b", "s2", 4, Over::NobodyAlive), 100).0.is_err());
        assert!(table.ask(claim("b", "s2", 4, Over::NobodyAlive), 101).0.is_ok());
    }

    #[test]
    fn a_server_that_lost_its_epoch_cannot_write() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        assert!(table.ask(append("s1", 1, 1..=2), 0).0.is_ok());
        done(&mut table, claim("b", "s2", 1, Over::Anybody), 0);
        assert_eq!(table.ask(append("s1", 1, 3..=3), 0).0, Err(Refusal::Fenced { epoch: 2 }));
        assert_eq!(table.ask(append("s1", 2, 3..=3), 0).0, Err(Refusal::Fenced { epoch: 2 }));
        assert_eq!(table.ask(append("s2", 2, 3..=3), 0).0, Ok(Response::Appended { last_seq: 3 }));
    }

    #[test]
    fn an_append_repeated_is_stored_once() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        done(&mut table, append("s1", 1, 1..=2), 0);
        let (again, record) = table.ask(append("s1", 1, 1..=2), 0);
        assert_eq!(again, Ok(Response::Appended { last_seq: 2 }));
        assert!(record.is_none());
    }

    #[test]
    fn a_released_board_keeps_its_epoch_and_takes_no_more_writes() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        let release = || Request::Release { board: "b".into(), server: "s1".into(), epoch: 1 };
        assert!(table.ask(release(), 0).1.is_some());
        assert!(table.ask(release(), 0).1.is_none());
        assert_eq!(table.ask(append("s1", 1, 1..=1), 0).0, Err(Refusal::Fenced { epoch: 1 }));
        let (won, _) = table.ask(claim("b", "s2", 1, Over::NobodyAlive), 0);
        assert_eq!(won, Ok(Response::Claimed { epoch: 2 }));
        assert_eq!(table.ask(release(), 0).0, Err(Refusal::Fenced { epoch: 2 }));
    }

    #[test]
    fn the_last_page_of_a_log_tells_each_clients_last_number() {
        let mut table = table();
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        done(&mut table, append("s1", 1, 1..=2), 0);
        done(&mut table, append("s1", 1, 3..=3), 0);
        let first = table.load("b", 0);
        assert_eq!((first.entries.len(), first.more, first.last_cseq.len()), (2, true, 0));
        let last = table.load("b", 2);
        assert_eq!((last.entries.len(), last.more, last.epoch), (1, false, 1));
        assert_eq!(last.last_cseq.get("c"), Some(&3));
    }

    #[test]
    fn the_dump_tells_every_edit_once_whatever_the_page() {
        let mut table = table();
        for (board, len) in [("a", 3_u64), ("b", 2), ("c", 0), ("d", 1), ("e", 5)] {
            let entries = (1..=len).map(|seq| edit(seq, 1)).collect();
            table.replay(Record::Owned { board: board.into(), epoch: 1, owner: None });
            table.replay(Record::Appended { board: board.into(), entries });
        }
        let (mut told, mut next, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = table.dump(next);
            pages += 1;
            for (board, log) in page.logs {
                told.extend(log.iter().map(|entry| format!("{board}{}", entry.seq)));
            }
            next = page.next;
            if next.is_none() || pages > 20 {
                break;
            }
        }
        assert_eq!(told.join(" "), "a1 a2 a3 b1 b2 d1 e1 e2 e3 e4 e5");
    }

    #[test]
    fn owners_lists_the_boards_of_one_server_in_pages() {
        let mut table = table();
        for board in ["a", "b", "c", "d"] {
            let server = if board == "b" { "s2" } else { "s1" };
            done(&mut table, claim(board, server, 0, Over::NobodyAlive), 0);
        }
        let first = table.owners("s1", None);
        assert_eq!(first.boards, [("a".to_owned(), 1), ("c".to_owned(), 1)]);
        assert!(first.more);
        let last = table.owners("s1", Some("c"));
        assert_eq!((last.boards.len(), last.more), (1, false));
    }

    #[test]
    fn limits_are_refusals() {
        let limits = Limits { boards: 1, entries: 1, servers: 1, ..Limits::default() };
        let mut table = Table::new(limits);
        beat(&mut table, "s1", 0);
        let beat = Request::Heartbeat { server: "s2".into(), connect: String::new() };
        assert!(matches!(table.ask(beat, 0).0, Err(Refusal::Full { .. })));
        done(&mut table, claim("b", "s1", 0, Over::NobodyAlive), 0);
        let second = table.ask(claim("b2", "s1", 0, Over::NobodyAlive), 0).0;
        assert!(matches!(second, Err(Refusal::Full { .. })));
        assert!(matches!(table.ask(append("s1", 1, 1..=2), 0).0, Err(Refusal::Full { .. })));
    }
}
