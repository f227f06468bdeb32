//! One transaction that writes. It has the write lock from its beginning, so what it reads stays true.

use sqlx::pool::PoolConnection;
use sqlx::{Row as _, Sqlite, SqlitePool};

use super::sql;
use crate::append::Head;
use crate::lease::{LeaseRow, Owner, Scope, after};
use crate::outbox::OutboxItem;
use crate::record::{Hash, Record};
use crate::stream::Stream;

/// It is begun and ended by hand. A commit that fails for want of room may or may not have ended it
/// (<https://www.sqlite.org/lang_transaction.html>, section 3), so a connection in doubt is never used again: it
/// is closed, which takes back whatever was not committed. Kept, it would refuse every later transaction.
pub(super) struct Transaction {
    connection: PoolConnection<Sqlite>,
    is_over: bool,
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// The lease's row, and what time it is for the database.
pub(super) struct FoundLease {
    pub(super) row: Option<LeaseRow>,
    pub(super) now_ms: i64,
}

impl Transaction {
    pub(super) async fn begin(writer: &SqlitePool) -> Result<Self, sqlx::Error> {
        let mut begun = Self { connection: writer.acquire().await?, is_over: false };
        sqlx::raw_sql(sql::BEGIN).execute(begun.inner()).await?;
        Ok(begun)
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end(sql::COMMIT).await
    }

    /// Ends it without a trace, and keeps the connection if SQLite agrees.
    pub(super) async fn give_up(self) {
        // Closed otherwise, to the same end.
        drop(self.end(sql::ROLLBACK).await);
    }

    async fn end(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statement).execute(self.inner()).await?;
        self.is_over = true;
        Ok(())
    }

    pub(super) fn inner(&mut self) -> &mut sqlx::SqliteConnection {
        &mut self.connection
    }

    pub(super) async fn lease(&mut self, scope: &Scope) -> Result<FoundLease, sqlx::Error> {
        lease(self.inner(), scope).await
    }

    pub(super) async fn put_lease(&mut self, scope: &Scope, row: &LeaseRow) -> Result<(), sqlx::Error> {
        sqlx::query(sql::PUT_LEASE)
            .bind(scope.as_str())
            .bind(row.owner.as_ref().map(Owner::as_str))
            .bind(signed(row.epoch)?)
            .bind(row.until_ms)
            .execute(self.inner())
            .await?;
        Ok(())
    }

    pub(super) async fn head(&mut self, stream: &Stream) -> Result<Head, sqlx::Error> {
        head(self.inner(), stream).await
    }

    /// Records of one stream, in order.
    pub(super) async fn put_records(&mut self, records: &[Record]) -> Result<(), sqlx::Error> {
        let Some(last) = records.last() else { return Ok(()) };
        // The head first: a record belongs to a stream that exists.
        sqlx::query(sql::PUT_HEAD)
            .bind(last.stream.as_str())
            .bind(signed(last.seq)?)
            .bind(last.hash.to_string())
            .execute(self.inner())
            .await?;
        for record in records {
            let sealed = record.sealed();
            sqlx::query(sql::PUT_RECORD)
                .bind(record.stream.as_str())
                .bind(signed(record.seq)?)
                .bind(sealed.hash.to_string())
                .bind(sealed.text)
                .execute(self.inner())
                .await?;
        }
        Ok(())
    }

    pub(super) async fn put_outbox(&mut self, items: &[OutboxItem], now_ms: i64) -> Result<(), sqlx::Error> {
        for item in items {
            sqlx::query(sql::PUT_OUTBOX)
                .bind(&item.channel)
                .bind(&item.key)
                .bind(&item.body)
                .bind(after(now_ms, item.delay))
                .execute(self.inner())
                .await?;
        }
        Ok(())
    }
}

pub(super) async fn lease(
    connection: &mut sqlx::SqliteConnection,
    scope: &Scope,
) -> Result<FoundLease, sqlx::Error> {
    let now_ms = sqlx::query_scalar(sql::NOW).fetch_one(&mut *connection).await?;
    let row = sqlx::query(sql::LEASE).bind(scope.as_str()).fetch_optional(connection).await?;
    let row = row.map(|row| {
        Ok::<_, sqlx::Error>(LeaseRow {
            owner: row.try_get::<Option<String>, _>("owner")?.map(Owner::new),
            epoch: unsigned(row.try_get("epoch")?)?,
            until_ms: row.try_get("until_ms")?,
        })
    });
    Ok(FoundLease { row: row.transpose()?, now_ms })
}

pub(super) async fn head(
    connection: &mut sqlx::SqliteConnection,
    stream: &Stream,
) -> Result<Head, sqlx::Error> {
    let row = sqlx::query(sql::HEAD).bind(stream.as_str()).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(Head::NONE) };
    Ok(Head { seq: unsigned(row.try_get("seq")?)?, hash: hash(row.try_get("hash")?)? })
}

/// SQLite's integers have a sign, ours never need it.
pub(super) fn signed(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn hash(text: &str) -> Result<Hash, sqlx::Error> {
    Hash::parse(text).ok_or_else(|| sqlx::Error::Decode("a stored hash is none".into()))
}
