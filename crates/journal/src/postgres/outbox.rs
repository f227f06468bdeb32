//! The outbox's two calls.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::line::{Failed, Line};
use super::sql;
use super::transaction::{Transaction, signed, unsigned};
use crate::lease::{self, Lease};
use crate::outbox::{Claim, OUTBOX_MAX, OutboxError, OutboxId, Settled};

pub(super) async fn claim(
    line: &Line,
    lease: &Lease,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Claim>, OutboxError> {
    let (mut transaction, now_ms) = begin(line, lease).await?;
    let due = sqlx::query(sql::CLAIM)
        .bind(now_ms)
        .bind(lease::after(now_ms, hold))
        .bind(i64::from(limit.min(OUTBOX_MAX)));
    let rows = transaction.held().ask(|connection| due.fetch_all(connection)).await.map_err(unavailable)?;
    let claims: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut claims = claims.map_err(|error| unavailable(error.into()))?;
    transaction.commit().await.map_err(unavailable)?;
    // RETURNING promises no order: https://www.postgresql.org/docs/current/dml-returning.html
    claims.sort_by_key(|claim| claim.id);
    Ok(claims)
}

pub(super) async fn settle(
    line: &Line,
    lease: &Lease,
    settled: &[(OutboxId, Settled)],
) -> Result<(), OutboxError> {
    let (mut transaction, now_ms) = begin(line, lease).await?;
    for (id, end) in settled {
        let id = signed(id.0).map_err(|error| unavailable(error.into()))?;
        let query = match end {
            Settled::Sent => sqlx::query(sql::SETTLE_END).bind(id).bind("sent"),
            Settled::GivenUp => sqlx::query(sql::SETTLE_END).bind(id).bind("given_up"),
            Settled::Again { after } => {
                sqlx::query(sql::SETTLE_AGAIN).bind(id).bind(lease::after(now_ms, *after))
            }
        };
        transaction.held().ask(|connection| query.execute(connection)).await.map_err(unavailable)?;
    }
    transaction.commit().await.map_err(unavailable)
}

async fn begin(line: &Line, lease: &Lease) -> Result<(Transaction, i64), OutboxError> {
    let mut transaction = Transaction::begin(line).await.map_err(unavailable)?;
    let found = transaction.lease(lease.scope()).await.map_err(unavailable)?;
    if lease::held(found.row.as_ref(), lease).is_err() {
        transaction.give_up().await;
        return Err(OutboxError::Fenced { scope: lease.scope().clone(), epoch: lease.epoch() });
    }
    Ok((transaction, found.now_ms))
}

fn read(row: &PgRow) -> Result<Claim, sqlx::Error> {
    let tries: i32 = row.try_get("tries")?;
    Ok(Claim {
        id: OutboxId(unsigned(row.try_get("id")?)?),
        channel: row.try_get("channel")?,
        key: row.try_get("key")?,
        body: row.try_get("body")?,
        tries: u32::try_from(tries).map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}

fn unavailable(failed: Failed) -> OutboxError {
    OutboxError::Unavailable(failed.into())
}
