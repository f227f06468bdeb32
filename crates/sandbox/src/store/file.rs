//! The append-only file: one JSON line for each change, a first line that names the format.
//!
//! It deliberately does not order or group anything; the writer hands it whole groups. A last line
//! without its end is a write that was cut off before it was answered, and is cut away; damage
//! anywhere else is refused, because something that was answered would be missing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::table::{Limits, Record, Table};

/// The format that this program writes, and the highest that it reads.
const FORMAT: u32 = 1;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The machine's own word.
    #[error("the store's file {path} cannot be read or written")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Two writers would each destroy what the other acknowledged.
    #[error("another store has the file {path}")]
    InUse { path: PathBuf },
    /// Written by a newer store: it is not touched.
    #[error("the store's file {path} has format {format}, newer than {FORMAT}")]
    Newer { path: PathBuf, format: u32 },
    /// Not a store's file, or damaged.
    #[error("the store's file {path} is damaged in line {line}")]
    Damaged {
        path: PathBuf,
        line: u64,
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    segue_store: u32,
}

/// The file, at its end.
#[derive(Debug)]
pub(super) struct LogFile {
    file: Arc<File>,
    path: PathBuf,
    fsync: bool,
    lines: Vec<u8>,
}

/// Opens or creates the file, locks it, and repeats what it holds. Blocks: nobody is served yet.
pub(super) fn open(path: &Path, limits: Limits, fsync: bool) -> Result<(LogFile, Table), FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => FileError::InUse { path: path.to_owned() },
        TryLockError::Error(source) => io(source),
    })?;
    let mut table = Table::new(limits);
    let end = replay(path, &file, &mut table)?;
    file.set_len(end).map_err(io)?;
    file.seek(io::SeekFrom::End(0)).map_err(io)?;
    let mut log = LogFile { file: Arc::new(file), path: path.to_owned(), fsync, lines: Vec::new() };
    if end == 0 {
        log.push_line(&Header { segue_store: FORMAT });
        log.write().map_err(io)?;
    }
    Ok((log, table))
}

/// Feeds every whole line to the table; says where the last whole line ends.
fn replay(path: &Path, file: &File, table: &mut Table) -> Result<u64, FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::new(file);
    let (mut text, mut line, mut end) = (Vec::new(), 0, 0);
    loop {
        text.clear();
        let length = reader.read_until(b'\n', &mut text).map_err(io)?;
        if !text.ends_with(b"\n") {
            if length > 0 {
                tracing::warn!(line = line + 1, bytes = length, "cut off an unfinished write");
            }
            return Ok(end);
        }
        line += 1;
        let damaged = |source| FileError::Damaged { path: path.to_owned(), line, source };
        if line == 1 {
            let header: Header = serde_json::from_slice(&text).map_err(damaged)?;
            let format = header.segue_store;
            if format > FORMAT {
                return Err(FileError::Newer { path: path.to_owned(), format });
            }
        } else {
            table.replay(serde_json::from_slice(&text).map_err(damaged)?);
        }
        end += u64::try_from(length).unwrap_or(u64::MAX);
    }
}

impl LogFile {
    /// Adds a record to the group that is being built.
    pub(super) fn push(&mut self, record: &Record) {
        self.push_line(record);
    }

    fn push_line(&mut self, line: &impl Serialize) {
        serde_json::to_writer(&mut self.lines, line).expect("records are plain JSON");
        self.lines.push(b'\n');
    }

    /// Writes the group; when it returns, the group outlives this process (and, with `fsync`, a
    /// loss of power). The write itself is into the kernel's cache and does not wait for a disk.
    pub(super) async fn commit(&mut self) -> Result<(), FileError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let written = self.write();
        let io = |source| FileError::Io { path: self.path.clone(), source };
        written.map_err(io)?;
        if self.fsync {
            let file = Arc::clone(&self.file);
            let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
            synced.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(io)?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let written = (&*self.file).write_all(&self.lines);
        self.lines.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use segue_handover::wire::{BoardId, ClientId, Cseq, Entry, Epoch, Payload, Seq};

    use super::*;
    use crate::store::wire::{Request, Response};

    fn board() -> BoardId {
        BoardId::parse("b").unwrap()
    }

    fn owned(epoch: u64) -> Record {
        Record::Owned { board: board(), epoch: Epoch(epoch), owner: None }
    }

    fn epoch_of(table: &mut Table) -> u64 {
        match table.ask(Request::Row { board: board() }, 0).0 {
            Ok(Response::Row(row)) => row.epoch.get(),
            other => panic!("{other:?}"),
        }
    }

    fn reopen(path: &Path) -> Result<(LogFile, Table), FileError> {
        open(path, Limits::default(), true)
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boards.log");
        let (mut file, _) = reopen(&path).unwrap();
        file.push(&owned(1));
        let (client, payload) = (ClientId::parse("c").unwrap(), Payload::of("x").unwrap());
        let entry = Entry { seq: Seq(1), client, cseq: Cseq(1), payload };
        let entries = vec![entry.clone()];
        file.push(&Record::Appended { board: board(), epoch: Epoch(1), entries });
        file.commit().await.unwrap();
        file.push(&owned(2));
        drop(file);
        let (_, mut table) = reopen(&path).unwrap();
        assert_eq!(epoch_of(&mut table), 1, "the second group was never committed");
        let load = Request::Load { board: board(), after: Seq(0) };
        let Ok(Response::Log(page)) = table.ask(load, 0).0 else { panic!("no log") };
        assert_eq!(page.entries, [entry]);
    }

    #[tokio::test]
    async fn an_unfinished_last_line_is_cut_away_and_the_file_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boards.log");
        let (mut file, _) = reopen(&path).unwrap();
        file.push(&owned(1));
        file.commit().await.unwrap();
        (&*file.file).write_all(b"{\"owned\":{\"boa").unwrap();
        drop(file);
        let (mut file, mut table) = reopen(&path).unwrap();
        assert_eq!(epoch_of(&mut table), 1);
        file.push(&owned(2));
        file.commit().await.unwrap();
        drop(file);
        let (_, mut table) = reopen(&path).unwrap();
        assert_eq!(epoch_of(&mut table), 2);
    }

    #[test]
    fn damage_before_the_last_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boards.log");
        std::fs::write(&path, "{\"segue_store\":1}\nwhat\n").unwrap();
        let refused = reopen(&path).unwrap_err();
        assert!(matches!(refused, FileError::Damaged { line: 2, .. }), "{refused:?}");
    }

    #[test]
    fn two_stores_cannot_have_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boards.log");
        let _first = reopen(&path).unwrap();
        let refused = reopen(&path).unwrap_err();
        assert!(matches!(refused, FileError::InUse { .. }), "{refused:?}");
    }

    #[test]
    fn a_file_of_a_newer_store_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boards.log");
        let text = "{\"segue_store\":2}\n{\"something\":\"new\"}\n";
        std::fs::write(&path, text).unwrap();
        let refused = reopen(&path).unwrap_err();
        assert!(matches!(refused, FileError::Newer { format: 2, .. }), "{refused:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
