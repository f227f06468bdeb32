//! Opening a journal at its address: what every kind of database says when it refuses.
//!
//! Whatever is refused was not touched: a daemon that was rolled back must not spoil what its successor wrote.

use std::sync::Arc;

use thiserror::Error;

use crate::address::Address;
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;
use crate::store::{Reader, Store, Trouble};

/// Why a journal was not opened. `place` is a file's path, or a database's address without its password.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("{place} has layout {found}, and this version knows up to {understood}; a newer daemon wrote it")]
    Newer { place: String, found: u32, understood: u32 },
    /// Only when it is opened to be read: a writer would bring it up.
    #[error("{place} has layout {found}, and this version reads {understood}; start the daemon once")]
    Older { place: String, found: u32, understood: u32 },
    #[error("{place} is not a journal")]
    NotAJournal { place: String },
    /// A file that is not there, or a database without a journal in it; only when it is opened to be read.
    #[error("{place} does not exist")]
    Missing { place: String },
    /// The database answers, and cannot keep a journal as it is.
    #[error("{place} cannot keep a journal: {why}")]
    Unfit { place: String, why: String },
    #[error("{place} cannot be reached")]
    Unreachable {
        place: String,
        #[source]
        source: Trouble,
    },
    #[error("{place} could not be opened")]
    Unavailable {
        place: String,
        #[source]
        source: Trouble,
    },
}

/// What is at the address of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Nothing: opening makes it.
    Absent,
    /// A file or a schema without a table: it is filled.
    Empty,
    /// A journal that this version can work with.
    Journal,
}

impl Address {
    /// Opens the journal for writing, makes it when there is none, and brings an older layout up.
    pub async fn open(&self) -> Result<Arc<dyn Store>, OpenError> {
        Ok(match self {
            Self::File(path) => Arc::new(SqliteStore::open(path).await?),
            Self::Database(database) => Arc::new(PostgresStore::open(database).await?),
        })
    }

    /// Opens the journal for reading only. It may be in use.
    pub async fn open_to_read(&self) -> Result<Arc<dyn Reader>, OpenError> {
        Ok(match self {
            Self::File(path) => Arc::new(SqliteStore::open_to_read(path).await?),
            Self::Database(database) => Arc::new(PostgresStore::open_to_read(database).await?),
        })
    }

    /// What opening would find, or why it would be refused. Nothing is made, and nothing is brought up.
    pub async fn look(&self) -> Result<Looked, OpenError> {
        match self {
            Self::File(path) => SqliteStore::look(path).await,
            Self::Database(database) => PostgresStore::look(database).await,
        }
    }
}
