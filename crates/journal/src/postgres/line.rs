//! One connection to the database: made when it is needed, kept while it is good, and dropped as soon as
//! anything about it is in doubt.
//!
//! Guarantees: whatever is asked over a line is answered, refused or given up within [`WITHIN`], the wait for
//! the line and for a new connection included. A connection that was given up half-way, by a mistake, by the
//! clock or by a caller who went away, is closed: the server ends what was begun there, and nobody reads an
//! answer that was meant for somebody else. Deliberately absent: a second try, which is the engine's.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::sql;
use crate::address::Database;

/// What one call may take. Less than a renewal may: a sixth of the lease's time to live.
pub(super) const WITHIN: Duration = Duration::from_secs(4);
/// What a kept connection may take to answer its first word. One that has fallen silent, as behind a firewall that
/// forgot it, would otherwise use all of the call's time, and another one has to be made in what is left.
const KEPT_ANSWERS_WITHIN: Duration = Duration::from_millis(1500);
/// What the server does by itself, because a daemon that stands still cannot ask for it: it ends a statement,
/// and it ends a transaction whose holder has fallen silent, and with it the lock on the lease's row that its
/// successor waits for.
const STATEMENT_TIMEOUT: &str = "4s";
const SILENCE_TIMEOUT: &str = "5s";
const PORT: u16 = 5432;

/// Why the database did not do it.
#[derive(Debug, Error)]
pub(super) enum Failed {
    #[error("the database gave no answer within {} s", WITHIN.as_secs())]
    Late,
    #[error(transparent)]
    Said(#[from] sqlx::Error),
}

/// A place for one connection.
#[derive(Clone)]
pub(super) struct Line {
    options: PgConnectOptions,
    kept: Arc<Mutex<Option<PgConnection>>>,
}

/// A connection that somebody uses. It is closed unless it is put back.
pub(super) struct Held {
    place: OwnedMutexGuard<Option<PgConnection>>,
    connection: PgConnection,
    /// It was not made for this call: the server may be another one by now, or out of reach.
    is_kept: bool,
    options: PgConnectOptions,
    ends_at: Instant,
}

/// How the database is spoken to.
pub(super) fn options(database: &Database) -> Result<PgConnectOptions, sqlx::Error> {
    let options: PgConnectOptions = database.url().as_str().parse()?;
    let options = options
        .port(database.url().port().unwrap_or(PORT))
        .application_name("segue")
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", SILENCE_TIMEOUT),
        ])
        // The journal is the log; its statements say nothing that it does not.
        .disable_statement_logging();
    Ok(match database.password() {
        Some(password) => options.password(password.expose_secret()),
        None => options,
    })
}

impl Line {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, kept: Arc::default() }
    }

    /// The connection when nobody else uses it, to be asked things that change nothing.
    pub(super) async fn take(&self) -> Result<Held, Failed> {
        let mut held = self.held().await?;
        if held.is_kept && !held.answers(sql::ANYBODY_THERE).await {
            held.connect_anew().await?;
        }
        Ok(held)
    }

    /// Whether or not the server is still there.
    async fn held(&self) -> Result<Held, Failed> {
        let ends_at = Instant::now() + WITHIN;
        let mut place = within(ends_at, async { Ok(Arc::clone(&self.kept).lock_owned().await) }).await?;
        let kept = place.take();
        let is_kept = kept.is_some();
        let connection = match kept {
            Some(connection) => connection,
            None => within(ends_at, connect(&self.options)).await?,
        };
        Ok(Held { place, connection, is_kept, options: self.options.clone(), ends_at })
    }

    /// The connection in a new transaction. That the kept one has died meanwhile, or fallen silent, shows here, where
    /// nothing was asked of it yet; then another one is made, once.
    pub(super) async fn begin(&self) -> Result<Held, Failed> {
        let mut held = self.held().await?;
        if held.is_kept {
            if held.answers(sql::BEGIN).await {
                return Ok(held);
            }
            held.connect_anew().await?;
        }
        held.run(sql::BEGIN).await?;
        Ok(held)
    }

    /// Ends the connection in good order.
    pub(super) async fn close(&self) {
        let closing = async {
            let connection = self.kept.lock().await.take();
            if let Some(connection) = connection {
                // It is gone either way.
                drop(connection.close().await);
            }
        };
        drop(tokio::time::timeout(WITHIN, closing).await);
    }
}

impl Held {
    /// Whether a kept connection carries its first words.
    async fn answers(&mut self, first: &'static str) -> bool {
        let patience = self.ends_at.min(Instant::now() + KEPT_ANSWERS_WITHIN);
        within(patience, sqlx::raw_sql(first).execute(&mut self.connection)).await.is_ok()
    }

    /// Another connection in place of one that is in doubt.
    async fn connect_anew(&mut self) -> Result<(), Failed> {
        self.connection = within(self.ends_at, connect(&self.options)).await?;
        self.is_kept = false;
        Ok(())
    }

    /// Waits for one statement, not longer than the whole call may take.
    pub(super) async fn ask<'a, T, F: Future<Output = Result<T, sqlx::Error>>>(
        &'a mut self,
        ask: impl FnOnce(&'a mut PgConnection) -> F,
    ) -> Result<T, Failed> {
        within(self.ends_at, ask(&mut self.connection)).await
    }

    /// Runs statements that answer nothing.
    pub(super) async fn run(&mut self, statements: &'static str) -> Result<(), Failed> {
        self.ask(|connection| async { sqlx::raw_sql(statements).execute(connection).await.map(drop) }).await
    }

    /// Nothing is open on it, and somebody else may have it.
    pub(super) fn put_back(mut self) {
        *self.place = Some(self.connection);
    }
}

/// One connection that waits for the disk with every commit.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::query(sql::WAIT_FOR_DISK).execute(&mut connection).await?;
    Ok(connection)
}

pub(super) async fn within<T>(
    ends_at: Instant,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failed> {
    match tokio::time::timeout_at(ends_at, work).await {
        Ok(done) => Ok(done?),
        Err(_elapsed) => Err(Failed::Late),
    }
}
