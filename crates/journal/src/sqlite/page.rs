//! Reading: each page with the head of its stream, from one snapshot.

use sqlx::{Row as _, SqlitePool};

use super::sql;
use super::transaction::{hash, head, lease, signed, unsigned};
use crate::lease::{Holder, Scope};
use crate::read::{Newest, RawPage, ReadError, STREAMS_MAX, StreamEnd, bytes_of_page, newest_of, rows_of};
use crate::record::Sealed;
use crate::stream::Stream;

pub(super) async fn page(pool: &SqlitePool, stream: &Stream, after_seq: u64) -> Result<RawPage, sqlx::Error> {
    // A plain BEGIN: in a write-ahead log a reader sees one moment from its first read to its end.
    let mut snapshot = pool.begin().await?;
    let head = head(&mut snapshot, stream).await?;
    let found = sqlx::query(sql::RECORDS)
        .bind(stream.as_str())
        .bind(signed(after_seq)?)
        .bind(rows_of(after_seq))
        .bind(bytes_of_page())
        .fetch_all(&mut *snapshot)
        .await?;
    let mut rows = Vec::with_capacity(found.len());
    for row in found {
        let sealed = Sealed { hash: hash(row.try_get("hash")?)?, text: row.try_get("text")? };
        rows.push((unsigned(row.try_get("seq")?)?, sealed));
    }
    snapshot.commit().await?;
    Ok(RawPage { rows, head })
}

pub(super) async fn streams(pool: &SqlitePool, prefix: &str) -> Result<Vec<StreamEnd>, ReadError> {
    let unavailable = |error: sqlx::Error| ReadError::Unavailable(error.into());
    let limit = STREAMS_MAX.saturating_add(1);
    let rows =
        sqlx::query(sql::STREAMS).bind(prefix).bind(limit).fetch_all(pool).await.map_err(unavailable)?;
    if u32::try_from(rows.len()).is_ok_and(|count| count > STREAMS_MAX) {
        return Err(ReadError::TooManyStreams);
    }
    let mut streams = Vec::with_capacity(rows.len());
    for row in rows {
        let name: String = row.try_get("name").map_err(unavailable)?;
        let seq = row.try_get("seq").and_then(unsigned).map_err(unavailable)?;
        let stream = Stream::parse(&name).ok_or(ReadError::NoSuchStream { name })?;
        streams.push(StreamEnd { stream, seq });
    }
    Ok(streams)
}

pub(super) async fn newest(pool: &SqlitePool) -> Result<Option<Newest>, ReadError> {
    let unavailable = |error: sqlx::Error| ReadError::Unavailable(error.into());
    let row = sqlx::query(sql::NEWEST).fetch_optional(pool).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let name: String = row.try_get("name").map_err(unavailable)?;
    let schema: Option<i64> = row.try_get("schema").map_err(unavailable)?;
    newest_of(name, schema)
}

pub(super) async fn holder(pool: &SqlitePool, scope: &Scope) -> Result<Option<Holder>, sqlx::Error> {
    let mut snapshot = pool.begin().await?;
    let found = lease(&mut snapshot, scope).await?;
    snapshot.commit().await?;
    Ok(found.row.and_then(|row| row.holder(found.now_ms)))
}
