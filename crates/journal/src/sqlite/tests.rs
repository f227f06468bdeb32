//! What only a file can show: it outlives its process, and a newer one is left alone.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;

use super::*;
use crate::contract::{Subject, Tamper, forged, lease_of, one_record};
use crate::open::OpenError;
use crate::record::{Hash, RECORD_SCHEMA};
use crate::samples;

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder can be made") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path()).await.expect("the file is a journal or new")
    }

    /// Runs a statement behind the journal's back.
    async fn run(&self, sql: &str) {
        let pool = SqlitePool::connect_with(
            sqlx::sqlite::SqliteConnectOptions::new().filename(self.path()).create_if_missing(true),
        );
        let pool = pool.await.expect("the file opens");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.expect("the statement is right");
        pool.close().await;
    }

    /// What a kill leaves: the files as they are, with the log not yet in the database.
    fn after_a_kill(&self) -> Self {
        let after = Self::new();
        for (name, bytes) in self.bytes() {
            if !name.ends_with("-shm") {
                std::fs::write(after.folder.path().join(name), bytes).expect("the folder takes it");
            }
        }
        assert_eq!(after.bytes().len(), 2, "there is a log");
        after
    }

    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let mut files: Vec<_> = entries
            .map(|entry| {
                let path = entry.expect("the folder is there").path();
                let name = path.file_name().expect("it is a file").display().to_string();
                (name, std::fs::read(path).expect("the file is there"))
            })
            .collect();
        files.sort();
        files
    }
}

#[async_trait]
impl Subject for File {
    async fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.open().await)
    }

    async fn tamper(&self, stream: &Stream, seq: u64, how: Tamper) {
        let place = format!("stream = '{stream}' AND seq = {seq}");
        match how {
            Tamper::Removed => self.run(&format!("DELETE FROM record WHERE {place}")).await,
            Tamper::Text | Tamper::TextAndHash | Tamper::Schema(_) => {
                let (text, hash) = forged(&self.open().await, stream, seq, how).await;
                self.run(&format!("UPDATE record SET text = '{text}', hash = '{hash}' WHERE {place}")).await;
            }
        }
    }
}

crate::store_contract!(File::new());

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_process_dies_without_a_checkpoint() {
    let file = File::new();
    let store = file.open().await;
    let lease = lease_of(&store, "a").await;
    let mut written = Vec::new();
    for seq in 0..10 {
        written.extend(store.append(&lease, &one_record(seq)).await.expect("it is held").records);
    }
    let after = file.after_a_kill();
    let store = after.open().await;
    let read = store.read(&samples::release_stream(), 0).await.expect("the stream is whole");
    assert_eq!(read, written);
    assert_eq!(lease_of(&store, "a").await.epoch(), lease.epoch() + 1);
}

#[tokio::test]
async fn a_journal_of_a_newer_daemon_is_refused_and_not_touched() {
    let file = File::new();
    let store = file.open().await;
    lease_of(&store, "a").await;
    file.run("UPDATE meta SET value = 7 WHERE name = 'layout'").await;
    let killed = file.after_a_kill();
    store.close().await;
    for file in [file, killed] {
        let before = file.bytes();
        for answer in [
            SqliteStore::open(&file.path()).await.map(drop),
            SqliteStore::open_to_read(&file.path()).await.map(drop),
        ] {
            assert!(
                matches!(answer, Err(OpenError::Newer { found: 7, understood: LAYOUT, .. })),
                "{answer:?}"
            );
        }
        // The index of a log is not data: SQLite makes it anew for every first reader.
        let after: Vec<_> = file.bytes().into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect();
        assert!(before == after, "a refused journal was changed");
    }
}

#[tokio::test]
async fn a_file_that_has_vanished_is_missed_and_no_new_journal_takes_its_place() {
    let file = File::new();
    let store = file.open().await;
    let lease = lease_of(&store, "a").await;
    for (name, _) in file.bytes() {
        std::fs::remove_file(file.folder.path().join(name)).expect("it is there");
    }
    // Its connections are made anew, as after any trouble with the disk.
    store.writer.acquire().await.expect("it has one").close().await.expect("it closes");
    let renewed = store.renew(&lease).await;
    assert!(matches!(renewed, Err(RenewError::Unavailable(_))), "{renewed:?}");
    let taken = store.acquire(&Scope::new("boards"), &Owner::new("a"), Duration::from_secs(30)).await;
    assert!(matches!(taken, Err(AcquireError::Unavailable(_))), "{taken:?}");
    assert!(!file.path().exists(), "an empty journal was made");
}

#[tokio::test]
async fn a_record_of_a_newer_daemon_is_refused() {
    let file = File::new();
    let store = file.open().await;
    let lease = lease_of(&store, "a").await;
    store.append(&lease, &one_record(0)).await.expect("it is held");
    let text = r#"{"schema":9}"#;
    let hash = Hash::of(text);
    file.run(&format!("UPDATE record SET text = '{text}', hash = '{hash}'")).await;
    let answer = store.read(&samples::release_stream(), 0).await;
    assert!(
        matches!(answer, Err(ReadError::Newer { found: 9, understood: RECORD_SCHEMA, .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_journal_is_refused_and_not_touched() {
    let database = File::new();
    database.run("CREATE TABLE meta (name TEXT, value INTEGER); INSERT INTO meta VALUES ('layout', 1)").await;
    let text = File::new();
    std::fs::write(text.path(), "not a database, but longer than a header of one ".repeat(40))
        .expect("the folder takes it");
    for file in [database, text] {
        let before = file.bytes();
        let answer = SqliteStore::open(&file.path()).await;
        assert!(matches!(answer, Err(OpenError::NotAJournal { .. })), "{answer:?}");
        assert!(before == file.bytes(), "a foreign file was changed");
    }
}

#[tokio::test]
async fn two_daemons_may_open_a_new_journal_at_the_same_time() {
    let file = File::new();
    let path = file.path();
    let (one, two) = tokio::join!(SqliteStore::open(&path), SqliteStore::open(&path));
    let (one, two) = (one.expect("it opens"), two.expect("it opens"));
    assert_eq!((lease_of(&one, "a").await.epoch(), lease_of(&two, "a").await.epoch()), (1, 2));
}

#[tokio::test]
async fn a_reader_beside_a_daemon_sees_what_was_acknowledged_and_cannot_write() {
    let file = File::new();
    let store = file.open().await;
    let lease = lease_of(&store, "a").await;
    let reader = SqliteStore::open_to_read(&file.path()).await.expect("it is a journal");
    let written = store.append(&lease, &one_record(0)).await.expect("it is held");
    let read = reader.read(&samples::release_stream(), 0).await.expect("the stream is whole");
    assert_eq!(read, written.records);
    let answer = sqlx::query("DELETE FROM record").execute(&reader.pool).await;
    assert!(answer.is_err_and(|error| error.to_string().contains("readonly")));
}

#[tokio::test]
async fn a_journal_that_is_not_there_is_not_made_by_reading() {
    let file = File::new();
    let answer = SqliteStore::open_to_read(&file.path()).await;
    assert!(matches!(answer, Err(OpenError::Missing { .. })), "{answer:?}");
    assert_eq!(file.bytes(), []);
}

#[tokio::test]
async fn who_keeps_a_connection_does_not_keep_a_journal_from_its_end() {
    let file = File::new();
    let store = file.open().await;
    let (reading, writing) = (store.reader.pool.begin().await, store.writer.begin().await);
    tokio::time::pause();
    let closed = tokio::time::timeout(Duration::from_secs(5), store.close()).await;
    assert!(closed.is_ok(), "it waited for its connections");
    drop((reading, writing));
}

#[tokio::test]
async fn a_journal_keeps_its_id_and_a_new_one_has_another() {
    let (file, other) = (File::new(), File::new());
    let first = file.open().await;
    let id = first.journal_id();
    first.close().await;
    assert_eq!(file.open().await.journal_id(), id);
    assert_ne!(other.open().await.journal_id(), id);
}

#[tokio::test]
async fn a_journal_that_was_made_without_an_id_gets_one() {
    let file = File::new();
    file.open().await.close().await;
    file.run("DELETE FROM meta WHERE name = 'journal_id'").await;
    let id = file.open().await.journal_id();
    assert_eq!(file.open().await.journal_id(), id);
    SqliteStore::open_to_read(&file.path()).await.expect("its layout is the same");
}
