//! Opening a journal in a database: look first, then make or bring up the tables, all in the schema `segue`.
//!
//! What a newer daemon wrote, or what is no journal at all, is refused before anything in it is touched.

use sqlx::Row as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::Instant;

use super::line::{self, Failed, Line, WITHIN, within};
use super::transaction::unsigned;
use super::{PostgresReader, PostgresStore, sql};
use crate::address::Database;
use crate::open::{Looked, OpenError};
use crate::store::JournalId;

/// The layout that this version makes.
pub(super) const LAYOUT: u32 = 1;
const _: () = assert!(sql::MIGRATIONS.len() == 1, "every migration makes one layout");

/// The oldest server that is tried; older ones get no mends from PostgreSQL's people any more.
/// <https://www.postgresql.org/support/versioning/>
const SERVER_MIN: i64 = 140_000;

/// What is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// No schema of that name.
    Nothing,
    /// No tables: somebody made the schema for us.
    Empty,
    Layout(u32),
    Foreign,
}

impl PostgresStore {
    /// Opens the journal for writing, makes it when the database has none, and brings an older layout up.
    pub async fn open(database: &Database) -> Result<Self, OpenError> {
        let place = database.to_string();
        let options = options(database)?;
        // Looked at outside of a transaction that writes, so that what is refused is not touched.
        check(&place, look_at(&place, &options).await?)?;
        let id = migrate(&place, &options).await?;
        let line = || Line::new(options.clone());
        let (reader, visitors) = (PostgresReader { line: line() }, PostgresReader { line: line() });
        Ok(Self { writer: line(), keeper: line(), reader, visitors, id })
    }

    /// Opens the journal for reading only. It may be in use.
    pub async fn open_to_read(database: &Database) -> Result<PostgresReader, OpenError> {
        let place = database.to_string();
        let options = options(database)?;
        match check(&place, look_at(&place, &options).await?)? {
            Some(LAYOUT) => Ok(PostgresReader { line: Line::new(options) }),
            Some(found) => Err(OpenError::Older { place, found, understood: LAYOUT }),
            None => Err(OpenError::Missing { place: format!("a journal in {place}") }),
        }
    }

    /// What opening would find, or why it would be refused.
    pub async fn look(database: &Database) -> Result<Looked, OpenError> {
        let place = database.to_string();
        let found = look_at(&place, &options(database)?).await?;
        check(&place, found)?;
        Ok(match found {
            Found::Nothing => Looked::Absent,
            Found::Empty => Looked::Empty,
            Found::Layout(_) | Found::Foreign => Looked::Journal,
        })
    }
}

fn options(database: &Database) -> Result<PgConnectOptions, OpenError> {
    line::options(database).map_err(|error| unavailable(&database.to_string(), error.into()))
}

/// A new connection for each look: what keeps one from being made is what an operator has to hear.
async fn look_at(place: &str, options: &PgConnectOptions) -> Result<Found, OpenError> {
    let ends_at = Instant::now() + WITHIN;
    let mut connection = connected(place, options, ends_at).await?;
    let trouble = |error: Failed| unavailable(place, error);
    let about = within(ends_at, about(&mut connection)).await.map_err(trouble)?;
    let found = within(ends_at, look(&mut connection)).await.map_err(trouble)?;
    match unfit(&about, found) {
        None => Ok(found),
        Some(why) => Err(OpenError::Unfit { place: place.to_owned(), why }),
    }
}

async fn connected(
    place: &str,
    options: &PgConnectOptions,
    ends_at: Instant,
) -> Result<PgConnection, OpenError> {
    within(ends_at, line::connect(options))
        .await
        .map_err(|error| OpenError::Unreachable { place: place.to_owned(), source: error.into() })
}

/// What a server says of itself.
struct About {
    version: i64,
    encoding: String,
    fsync: String,
    follows: bool,
    user: String,
    may_create: bool,
}

async fn about(connection: &mut PgConnection) -> Result<About, sqlx::Error> {
    let row = sqlx::query(sql::ABOUT_SERVER).fetch_one(connection).await?;
    Ok(About {
        version: row.try_get("version")?,
        encoding: row.try_get("encoding")?,
        fsync: row.try_get("fsync")?,
        follows: row.try_get("follows")?,
        user: row.try_get("user")?,
        may_create: row.try_get("may_create")?,
    })
}

/// Why what is written there would not stay, or cannot be written at all.
fn unfit(about: &About, found: Found) -> Option<String> {
    Some(if about.version < SERVER_MIN {
        format!(
            "its PostgreSQL is {}, and {} is the oldest that will do",
            about.version / 10_000,
            SERVER_MIN / 10_000
        )
    } else if about.follows {
        "it follows another server and cannot be written to; name the one that it follows".to_owned()
    } else if about.encoding != "UTF8" {
        format!("its encoding is {}; make the database with ENCODING 'UTF8'", about.encoding)
    } else if about.fsync != "on" {
        "its `fsync` is off, so a power cut would take back what it has acknowledged; switch it on".to_owned()
    } else if found == Found::Nothing && !about.may_create {
        format!(
            "{0} may make no schema in it; run CREATE SCHEMA segue AUTHORIZATION \"{0}\" there",
            about.user
        )
    } else {
        return None;
    })
}

async fn look(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(sql::COUNT_TABLES).fetch_one(&mut *connection).await?;
    if tables == 0 {
        let has_schema: bool = sqlx::query_scalar(sql::HAS_SCHEMA).fetch_one(&mut *connection).await?;
        return Ok(if has_schema { Found::Empty } else { Found::Nothing });
    }
    let columns: i64 = sqlx::query_scalar(sql::IS_OURS).fetch_one(&mut *connection).await?;
    if columns != 2 || meta(connection, "application").await? != Some(sql::APPLICATION) {
        return Ok(Found::Foreign);
    }
    let layout = meta(connection, "layout").await?.and_then(|layout| u32::try_from(layout).ok());
    Ok(layout.map_or(Found::Foreign, Found::Layout))
}

async fn meta(connection: &mut PgConnection, name: &'static str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(sql::META).bind(name).fetch_optional(connection).await
}

/// The layout that a journal has, if this version may use it; none where there is no journal yet.
fn check(place: &str, found: Found) -> Result<Option<u32>, OpenError> {
    let place = || place.to_owned();
    match found {
        Found::Nothing | Found::Empty => Ok(None),
        Found::Layout(found) if found > LAYOUT => {
            Err(OpenError::Newer { place: place(), found, understood: LAYOUT })
        }
        Found::Layout(found) => Ok(Some(found)),
        Found::Foreign => Err(OpenError::NotAJournal { place: format!("the schema segue in {}", place()) }),
    }
}

/// Looks again under a lock, because two daemons may open the same database, and applies what is missing.
async fn migrate(place: &str, options: &PgConnectOptions) -> Result<JournalId, OpenError> {
    let ends_at = Instant::now() + WITHIN;
    let mut connection = connected(place, options, ends_at).await?;
    let trouble = |error: Failed| unavailable(place, error);
    let found = within(ends_at, locked(&mut connection)).await.map_err(trouble)?;
    let layout = check(place, found)?.unwrap_or(0);
    within(ends_at, bring_up(&mut connection, found, layout)).await.map_err(trouble)
}

async fn locked(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    sqlx::raw_sql(sql::BEGIN).execute(&mut *connection).await?;
    sqlx::query(sql::LOCK_MAKING).execute(&mut *connection).await?;
    look(connection).await
}

async fn bring_up(
    connection: &mut PgConnection,
    found: Found,
    layout: u32,
) -> Result<JournalId, sqlx::Error> {
    if found == Found::Nothing {
        sqlx::raw_sql(sql::CREATE_SCHEMA).execute(&mut *connection).await?;
    }
    let done = usize::try_from(layout).unwrap_or(usize::MAX);
    for migration in sql::MIGRATIONS.into_iter().skip(done) {
        sqlx::raw_sql(migration).execute(&mut *connection).await?;
    }
    if layout < LAYOUT {
        for (name, value) in [("application", sql::APPLICATION), ("layout", i64::from(LAYOUT))] {
            sqlx::query(sql::SET_META).bind(name).bind(value).execute(&mut *connection).await?;
        }
        sqlx::query(sql::MAKE_ID).execute(&mut *connection).await?;
    }
    let id = meta(connection, "journal_id").await?.ok_or(sqlx::Error::RowNotFound)?;
    // Should nobody know whether it was committed, the next start looks again.
    sqlx::raw_sql(sql::COMMIT).execute(&mut *connection).await?;
    unsigned(id).map(JournalId)
}

fn unavailable(place: &str, error: Failed) -> OpenError {
    OpenError::Unavailable { place: place.to_owned(), source: error.into() }
}
