//! Opening a journal file: look first, then make or bring up the tables.
//!
//! A file that a newer daemon wrote, or that is no journal at all, is refused before a byte of it is
//! touched: a daemon that was rolled back must not spoil what its successor wrote.

use std::path::Path;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use tokio::time::Instant;

use super::transaction::unsigned;
use super::{SqliteReader, SqliteStore, sql};
use crate::open::OpenError;
use crate::store::JournalId;

/// The layout that this version makes.
pub(super) const LAYOUT: u32 = 1;
const _: () = assert!(sql::MIGRATIONS.len() == 1, "every migration makes one layout");

/// How long a connection waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// How long a caller waits for a connection; longer than it may wait for a lock.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const READERS_MAX: u32 = 4;

/// What is in a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// No tables: new, or made and left by somebody who died.
    Empty,
    Layout(u32),
    Foreign,
}

impl SqliteStore {
    /// Opens the journal for writing, makes it when the file does not exist, and brings an older layout up.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if path.exists() {
            // Read-only, so that what is refused is not touched.
            check(path, look_at(path).await?)?;
        }
        let trouble = |source: sqlx::Error| unavailable(path, source);
        let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let writer = connect(options.clone().create_if_missing(true)).await.map_err(trouble)?;
        let id = migrate(path, &writer).await?;
        // From here on a file that is not there was lost. Another connection must not make an empty journal of it,
        // from which nobody would learn what runs.
        writer.set_connect_options(options);
        let reader = SqliteReader { pool: pool(READERS_MAX).connect_lazy_with(options_to_read(path)) };
        Ok(Self { writer, reader, id })
    }

    /// Opens the journal for reading only. It may be in use.
    pub async fn open_to_read(path: &Path) -> Result<SqliteReader, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing { place: named(path) });
        }
        match check(path, look_at(path).await?)? {
            Some(LAYOUT) => {}
            Some(found) => return Err(OpenError::Older { place: named(path), found, understood: LAYOUT }),
            None => return Err(OpenError::NotAJournal { place: named(path) }),
        }
        Ok(SqliteReader { pool: pool(READERS_MAX).connect_lazy_with(options_to_read(path)) })
    }
}

/// Giving a new file its log takes a lock for which SQLite does not wait, so of two daemons that make one journal the
/// second one may have to ask again. Source: <https://www.sqlite.org/rescode.html#busy>.
async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool(1).connect_with(options.clone()).await {
            Err(error) if has_code(&error, "5") && Instant::now() < until => {
                tokio::time::sleep(ASKED_AGAIN_AFTER).await;
            }
            connected => return connected,
        }
    }
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(DatabaseError::code).as_deref() == Some(code)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // The journal is the log; its statements say nothing that it does not.
        .disable_statement_logging()
}

fn options_to_read(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true)
}

fn pool(connections_max: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Looks without a trace. Without a log beside it the file is complete, and opening it as immutable keeps
/// SQLite from making one (<https://www.sqlite.org/wal.html#readonly>). Should somebody begin to write at
/// this very moment, the second look, under the write lock, is the one that counts.
pub(super) async fn look_at(path: &Path) -> Result<Found, OpenError> {
    if path.is_dir() {
        return Err(OpenError::NotAJournal { place: format!("{}, a folder,", named(path)) });
    }
    let trouble = |source: sqlx::Error| unavailable(path, source);
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let options = options_to_read(path).immutable(!Path::new(&log).exists());
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(trouble)?;
    let found = look(&mut connection).await;
    connection.close().await.map_err(trouble)?;
    found.map_err(|error| {
        // SQLITE_NOTADB: https://www.sqlite.org/rescode.html#notadb
        if has_code(&error, "26") { OpenError::NotAJournal { place: named(path) } } else { trouble(error) }
    })
}

async fn look(connection: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(sql::COUNT_TABLES).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(Found::Empty);
    }
    let application: i32 = sqlx::query_scalar(sql::GET_APPLICATION_ID).fetch_one(&mut *connection).await?;
    if application != sql::APPLICATION_ID {
        return Ok(Found::Foreign);
    }
    let layout: u32 = sqlx::query_scalar(sql::LAYOUT).fetch_one(&mut *connection).await?;
    Ok(Found::Layout(layout))
}

/// The layout that a file has, if this version may use it; none for an empty one.
pub(super) fn check(path: &Path, found: Found) -> Result<Option<u32>, OpenError> {
    match found {
        Found::Empty => Ok(None),
        Found::Layout(found) if found > LAYOUT => {
            Err(OpenError::Newer { place: named(path), found, understood: LAYOUT })
        }
        Found::Layout(found) => Ok(Some(found)),
        Found::Foreign => Err(OpenError::NotAJournal { place: named(path) }),
    }
}

/// Looks again under the write lock, because two daemons may open the same file, and applies what is missing.
/// A journal that was made before journals had ids gets one.
async fn migrate(path: &Path, writer: &SqlitePool) -> Result<JournalId, OpenError> {
    let trouble = |source: sqlx::Error| unavailable(path, source);
    let mut transaction = writer.begin_with(sql::BEGIN).await.map_err(trouble)?;
    let layout = check(path, look(&mut transaction).await.map_err(trouble)?)?.unwrap_or(0);
    let done = usize::try_from(layout).unwrap_or(usize::MAX);
    for migration in sql::MIGRATIONS.into_iter().skip(done) {
        sqlx::raw_sql(migration).execute(&mut *transaction).await.map_err(trouble)?;
    }
    if layout < LAYOUT {
        sqlx::raw_sql(sql::SET_APPLICATION_ID).execute(&mut *transaction).await.map_err(trouble)?;
        sqlx::query(sql::SET_LAYOUT).bind(LAYOUT).execute(&mut *transaction).await.map_err(trouble)?;
    }
    // A row more is no new layout: a version that does not know it leaves it alone.
    sqlx::query(sql::MAKE_ID).execute(&mut *transaction).await.map_err(trouble)?;
    let id: i64 = sqlx::query_scalar(sql::GET_ID).fetch_one(&mut *transaction).await.map_err(trouble)?;
    transaction.commit().await.map_err(trouble)?;
    unsigned(id).map(JournalId).map_err(trouble)
}

fn unavailable(path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::Unavailable { place: named(path), source: source.into() }
}

/// As errors call it.
fn named(path: &Path) -> String {
    path.display().to_string()
}
