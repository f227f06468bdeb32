//! The records as files, for whoever wants to count again: a line of JSON for each user, one for each board,
//! one for each phase, each change of a board's owner, and each instance that was ended.
//!
//! Nothing is derived here; `tests/clients/recount.py` reads these files and shares no code with this crate.

use std::io::{BufWriter, Write};
use std::path::Path;

use segue_handover::wire::Seq;
use serde::Serialize;

use super::owners::Owners;
use super::record::{Edit, Phase, Records, RunEnd, UserRecord};
use super::recount::Stored;
use crate::world::Ledger;

/// One user. Times are microseconds since the crowd began.
#[derive(Debug, Serialize)]
struct UserLine<'a> {
    client: &'a str,
    board: &'a str,
    came_us: u64,
    joined_us: Option<u64>,
    rejoined_us: &'a [u64],
    left_us: Option<u64>,
    without_socket_us_max: u64,
    /// The first is number 1.
    edits: Vec<EditLine>,
    /// Of each move: when edits began to wait, when they went on.
    moves: Vec<(u64, u64)>,
    seen: Vec<SeenLine<'a>>,
    disorders: u64,
    doubles: u64,
    broken: u64,
}

/// One edit: made, applied, durable, and the place in the board's order that it was seen at.
type EditLine = (u64, Option<u64>, Option<u64>, Option<u64>);

/// Updates seen without a gap.
#[derive(Debug, Serialize)]
struct SeenLine<'a> {
    from: u64,
    /// FNV-1a (32 bits) over the author's name and the number's eight bytes, the lowest first.
    marks: &'a [u32],
    /// A snapshot came instead of the next update.
    ended_by_snapshot: bool,
}

/// One board's log: seq, author, the author's number.
#[derive(Debug, Serialize)]
struct BoardLine<'a> {
    board: &'a str,
    log: Vec<(u64, &'a str, u64)>,
}

/// A phase began; the last line is `taken`, when the records were taken.
#[derive(Debug, Serialize)]
struct PhaseLine {
    phase: &'static str,
    at_us: u64,
}

/// How many users ever came, whether they left a record or not.
#[derive(Debug, Serialize)]
struct CrowdLine {
    came: u64,
}

/// Everything that a report is counted from.
#[derive(Debug, Clone, Copy)]
pub struct Witnesses<'a> {
    pub records: &'a Records,
    pub stored: &'a Stored,
    pub owners: &'a Owners,
    pub ledger: &'a Ledger,
}

/// Writes `users.ndjson`, `crowd.ndjson` (`came`), `boards.ndjson`, `phases.ndjson`, `owners.ndjson`
/// (`at_ms board epoch owner`), `launches.ndjson` and `ends.ndjson` (`instance_id state at_ms`) into a folder, which is
/// made when it is not there.
pub fn write(folder: &Path, witnesses: Witnesses<'_>) -> std::io::Result<()> {
    let Witnesses { records, stored, owners, ledger } = witnesses;
    std::fs::create_dir_all(folder)?;
    lines(&folder.join("users.ndjson"), records.users.iter().map(user))?;
    lines(&folder.join("crowd.ndjson"), std::iter::once(CrowdLine { came: records.spawned }))?;
    lines(&folder.join("boards.ndjson"), boards(stored))?;
    lines(&folder.join("owners.ndjson"), owners.changes.iter())?;
    lines(&folder.join("launches.ndjson"), ledger.launches.iter())?;
    lines(&folder.join("ends.ndjson"), ledger.ends.iter())?;
    let marks = records.marks.iter().map(|mark| PhaseLine { phase: name(mark.phase), at_us: mark.at_us });
    let taken = PhaseLine { phase: "taken", at_us: records.taken_us };
    lines(&folder.join("phases.ndjson"), marks.chain([taken]))
}

fn lines<T: Serialize>(path: &Path, values: impl Iterator<Item = T>) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for value in values {
        serde_json::to_writer(&mut file, &value)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

fn user(user: &UserRecord) -> UserLine<'_> {
    UserLine {
        client: user.client.as_str(),
        board: user.board.as_str(),
        came_us: user.came_us,
        joined_us: user.joined_us,
        rejoined_us: &user.rejoined_us,
        left_us: user.left_us,
        without_socket_us_max: user.without_socket_us_max,
        edits: user.edits.iter().map(edit).collect(),
        moves: user.moves.iter().map(|one| (one.sealed_us, one.go_us)).collect(),
        seen: user
            .seen
            .iter()
            .map(|run| SeenLine {
                from: run.from.get(),
                marks: &run.marks,
                ended_by_snapshot: run.end == RunEnd::Snapshot,
            })
            .collect(),
        disorders: user.disorders,
        doubles: user.doubles,
        broken: user.broken,
    }
}

fn edit(edit: &Edit) -> EditLine {
    (edit.made_us, edit.applied_us, edit.durable_us, edit.seen_at.map(Seq::get))
}

fn boards(stored: &Stored) -> impl Iterator<Item = BoardLine<'_>> {
    stored.logs.iter().map(|(board, log)| BoardLine {
        board: board.as_str(),
        log: log.iter().map(|edit| (edit.seq.get(), edit.client.as_str(), edit.cseq.get())).collect(),
    })
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Before => "before",
        Phase::Canary => "canary",
        Phase::Release => "release",
        Phase::Rollback => "rollback",
        Phase::After => "after",
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::client::Told;
    use segue_handover::wire::{BoardId, ClientId, Cseq, Epoch, ServerId};

    use super::super::record::Mark;
    use super::super::recount::StoredEdit;
    use super::*;
    use crate::store::wire::OwnerChange;
    use crate::world::{EndRecord, LaunchRecord};

    #[test]
    fn every_record_is_a_line_that_says_all_of_it() {
        let (client, board) = (ClientId::parse("u1").unwrap(), BoardId::parse("b1").unwrap());
        let mut one = UserRecord::new(client.clone(), board.clone(), 2);
        one.heard(&Told::Joined { epoch: Epoch(1), version: String::new(), again: 0 }, 5, |_| {});
        one.made(10);
        one.heard(&Told::Durable(Cseq(1)), 30, |_| {});
        let marks = vec![Mark { phase: Phase::Before, at_us: 1 }];
        let records = Records { users: vec![one], spawned: 3, marks, taken_us: 99 };
        let edit = StoredEdit { seq: Seq(1), client, cseq: Cseq(1) };
        let stored = Stored { logs: [(board, vec![edit])].into() };

        let folder = tempfile::tempdir().unwrap();
        let change = |owner: Option<&str>| OwnerChange {
            at_ms: 7,
            board: BoardId::parse("b1").unwrap(),
            epoch: Epoch(2),
            owner: owner.map(|owner| ServerId::parse(owner).unwrap()),
        };
        let owners = Owners { changes: vec![change(Some("i-1")), change(None)] };
        let launch = LaunchRecord {
            instance_id: "i-1".into(),
            image_id: "ami-1".into(),
            client_token: None,
            tags: std::collections::BTreeMap::new(),
            state: "running".to_owned(),
            launched_at_ms: 4,
        };
        let end = EndRecord { instance_id: "i-1".into(), state: "stopping".to_owned(), at_ms: 8 };
        let ledger = Ledger { launches: vec![launch], ends: vec![end], ..Ledger::default() };
        let witnesses = Witnesses { records: &records, stored: &stored, owners: &owners, ledger: &ledger };
        write(&folder.path().join("records"), witnesses).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join("records").join(name)).unwrap();
        assert_eq!(
            read("users.ndjson"),
            "{\"client\":\"u1\",\"board\":\"b1\",\"came_us\":2,\"joined_us\":5,\"rejoined_us\":[],\"left_us\":null,\
             \"without_socket_us_max\":0,\"edits\":[[10,30,30,null]],\"moves\":[],\"seen\":[],\
             \"disorders\":0,\"doubles\":0,\"broken\":0}\n"
        );
        assert_eq!(read("crowd.ndjson"), "{\"came\":3}\n");
        assert_eq!(
            read("launches.ndjson"),
            "{\"instance_id\":\"i-1\",\"image_id\":\"ami-1\",\"client_token\":null,\"tags\":{},\"state\":\"running\",\
             \"launched_at_ms\":4}\n"
        );
        assert_eq!(read("boards.ndjson"), "{\"board\":\"b1\",\"log\":[[1,\"u1\",1]]}\n");
        assert_eq!(
            read("phases.ndjson"),
            "{\"phase\":\"before\",\"at_us\":1}\n{\"phase\":\"taken\",\"at_us\":99}\n"
        );
        assert_eq!(
            read("owners.ndjson"),
            "{\"at_ms\":7,\"board\":\"b1\",\"epoch\":2,\"owner\":\"i-1\"}\n\
             {\"at_ms\":7,\"board\":\"b1\",\"epoch\":2,\"owner\":null}\n"
        );
        assert_eq!(read("ends.ndjson"), "{\"instance_id\":\"i-1\",\"state\":\"stopping\",\"at_ms\":8}\n");
    }
}
