//! Reading: each page with the head of its stream, as they were in one moment.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Postgres, Row as _};

use super::line::{Failed, Line};
use super::sql;
use super::transaction::{FoundLease, found, hash, signed, unsigned};
use crate::append::Head;
use crate::lease::{Holder, Scope};
use crate::read::{Newest, RawPage, ReadError, STREAMS_MAX, StreamEnd, bytes_of_page, newest_of, rows_of};
use crate::record::Sealed;
use crate::stream::Stream;

pub(super) async fn page(line: &Line, stream: &Stream, after_seq: u64) -> Result<RawPage, Failed> {
    let (name, from, limit) = (stream.as_str(), signed(after_seq)?, i64::from(rows_of(after_seq)));
    let bytes = bytes_of_page();
    let ask = sqlx::query(sql::PAGE).bind(name.to_owned()).bind(from).bind(limit).bind(bytes);
    let found = rows(line, ask).await?;
    let mut head = Head::NONE;
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        head = Head { seq: unsigned(row.try_get("head_seq")?)?, hash: hash(row.try_get("head_hash")?)? };
        // A stream without a record that is far enough has one row all the same.
        if let Some(seq) = row.try_get::<Option<i64>, _>("seq")? {
            let sealed = Sealed { hash: hash(row.try_get("hash")?)?, text: row.try_get("text")? };
            rows.push((unsigned(seq)?, sealed));
        }
    }
    Ok(RawPage { rows, head })
}

pub(super) async fn streams(line: &Line, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
    let limit = i64::from(STREAMS_MAX) + 1;
    let ask = sqlx::query(sql::STREAMS).bind(prefix.to_owned()).bind(limit);
    let rows = rows(line, ask).await.map_err(unavailable)?;
    if u32::try_from(rows.len()).is_ok_and(|count| count > STREAMS_MAX) {
        return Err(ReadError::TooManyStreams);
    }
    let mut streams = Vec::with_capacity(rows.len());
    for row in rows {
        let name: String = row.try_get("name").map_err(said)?;
        let seq = row.try_get("seq").and_then(unsigned).map_err(said)?;
        let stream = Stream::parse(&name).ok_or(ReadError::NoSuchStream { name })?;
        streams.push(StreamEnd { stream, seq });
    }
    Ok(streams)
}

pub(super) async fn newest(line: &Line) -> Result<Option<Newest>, ReadError> {
    let rows = rows(line, sqlx::query(sql::NEWEST)).await.map_err(unavailable)?;
    let Some(row) = rows.first() else { return Ok(None) };
    newest_of(row.try_get("name").map_err(said)?, row.try_get("schema").map_err(said)?)
}

/// The lease's row without its lock.
pub(super) async fn lease(line: &Line, scope: &Scope) -> Result<FoundLease, Failed> {
    let ask = sqlx::query(sql::LEASE).bind(scope.as_str().to_owned());
    match rows(line, ask).await?.first() {
        Some(row) => Ok(found(row)?),
        None => Err(sqlx::Error::RowNotFound.into()),
    }
}

pub(super) async fn holder(line: &Line, scope: &Scope) -> Result<Option<Holder>, Failed> {
    let found = lease(line, scope).await?;
    Ok(found.row.and_then(|row| row.holder(found.now_ms)))
}

type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

async fn rows(line: &Line, query: Query) -> Result<Vec<PgRow>, Failed> {
    let mut held = line.take().await?;
    let rows = held.ask(|connection| query.fetch_all(connection)).await?;
    held.put_back();
    Ok(rows)
}

pub(super) fn unavailable(failed: Failed) -> ReadError {
    ReadError::Unavailable(failed.into())
}

fn said(error: sqlx::Error) -> ReadError {
    unavailable(Failed::Said(error))
}
