//! The outbox's two calls.

use std::time::Duration;

use sqlx::{Row as _, SqlitePool};

use super::sql;
use super::transaction::{Transaction, signed, unsigned};
use crate::lease::{self, Lease};
use crate::outbox::{Claim, OUTBOX_MAX, OutboxError, OutboxId, Settled};

pub(super) async fn claim(
    writer: &SqlitePool,
    lease: &Lease,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Claim>, OutboxError> {
    let (mut transaction, now_ms) = begin(writer, lease).await?;
    let rows = sqlx::query(sql::CLAIM)
        .bind(now_ms)
        .bind(lease::after(now_ms, hold))
        .bind(limit.min(OUTBOX_MAX))
        .fetch_all(transaction.inner())
        .await
        .map_err(unavailable)?;
    let claims: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut claims = claims.map_err(unavailable)?;
    transaction.commit().await.map_err(unavailable)?;
    // RETURNING promises no order: https://www.sqlite.org/lang_returning.html
    claims.sort_by_key(|claim| claim.id);
    Ok(claims)
}

pub(super) async fn settle(
    writer: &SqlitePool,
    lease: &Lease,
    settled: &[(OutboxId, Settled)],
) -> Result<(), OutboxError> {
    let (mut transaction, now_ms) = begin(writer, lease).await?;
    for (id, end) in settled {
        let id = signed(id.0).map_err(unavailable)?;
        let query = match end {
            Settled::Sent => sqlx::query(sql::SETTLE_END).bind(id).bind("sent"),
            Settled::GivenUp => sqlx::query(sql::SETTLE_END).bind(id).bind("given_up"),
            Settled::Again { after } => {
                sqlx::query(sql::SETTLE_AGAIN).bind(id).bind(lease::after(now_ms, *after))
            }
        };
        query.execute(transaction.inner()).await.map_err(unavailable)?;
    }
    transaction.commit().await.map_err(unavailable)
}

async fn begin(writer: &SqlitePool, lease: &Lease) -> Result<(Transaction, i64), OutboxError> {
    let mut transaction = Transaction::begin(writer).await.map_err(unavailable)?;
    let found = transaction.lease(lease.scope()).await.map_err(unavailable)?;
    lease::held(found.row.as_ref(), lease)
        .map_err(|_stale| OutboxError::Fenced { scope: lease.scope().clone(), epoch: lease.epoch() })?;
    Ok((transaction, found.now_ms))
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Claim, sqlx::Error> {
    Ok(Claim {
        id: OutboxId(unsigned(row.try_get("id")?)?),
        channel: row.try_get("channel")?,
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        tries: row.try_get("tries")?,
    })
}

fn unavailable(error: sqlx::Error) -> OutboxError {
    OutboxError::Unavailable(error.into())
}
