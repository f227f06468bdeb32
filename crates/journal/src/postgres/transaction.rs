//! One transaction that writes. The lease's row is locked from its beginning, so what it reads stays true:
//! nobody takes the lease over, and nobody else appends, until it ends.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::line::{Failed, Held, Line};
use super::sql;
use crate::append::Head;
use crate::lease::{self, LeaseRow, Owner, Scope};
use crate::outbox::OutboxItem;
use crate::record::{Hash, Record};
use crate::stream::Stream;

/// Dropped before its end, by a refusal or by a caller who gave up, it leaves nothing: its connection is closed.
pub(super) struct Transaction {
    held: Held,
}

/// The lease's row, and what time it is for the database.
pub(super) struct FoundLease {
    pub(super) row: Option<LeaseRow>,
    pub(super) now_ms: i64,
}

impl Transaction {
    pub(super) async fn begin(line: &Line) -> Result<Self, Failed> {
        Ok(Self { held: line.begin().await? })
    }

    pub(super) async fn commit(mut self) -> Result<(), Failed> {
        self.held.run(sql::COMMIT).await?;
        self.held.put_back();
        Ok(())
    }

    /// Ends it without a trace, and keeps the connection if the server agrees.
    pub(super) async fn give_up(mut self) {
        if self.held.run(sql::ROLLBACK).await.is_ok() {
            self.held.put_back();
        }
    }

    pub(super) fn held(&mut self) -> &mut Held {
        &mut self.held
    }

    pub(super) async fn lease(&mut self, scope: &Scope) -> Result<FoundLease, Failed> {
        let locked = sqlx::query(sql::LOCK_LEASE).bind(scope.as_str());
        let row = self.held.ask(|connection| locked.fetch_one(connection)).await?;
        Ok(found(&row)?)
    }

    /// The same, for who may be the first to ask for this lease.
    pub(super) async fn lease_or_new(&mut self, scope: &Scope) -> Result<FoundLease, Failed> {
        let made = sqlx::query(sql::MAKE_LEASE).bind(scope.as_str());
        self.held.ask(|connection| made.execute(connection)).await?;
        self.lease(scope).await
    }

    pub(super) async fn put_lease(&mut self, scope: &Scope, row: &LeaseRow) -> Result<(), Failed> {
        let put = sqlx::query(sql::PUT_LEASE)
            .bind(scope.as_str())
            .bind(row.owner.as_ref().map(Owner::as_str))
            .bind(signed(row.epoch)?)
            .bind(row.until_ms);
        self.held.ask(|connection| put.execute(connection)).await?;
        Ok(())
    }

    pub(super) async fn head(&mut self, stream: &Stream) -> Result<Head, Failed> {
        let asked = sqlx::query(sql::HEAD).bind(stream.as_str());
        let Some(row) = self.held.ask(|connection| asked.fetch_optional(connection)).await? else {
            return Ok(Head::NONE);
        };
        Ok(Head { seq: unsigned(row.try_get("seq")?)?, hash: hash(row.try_get("hash")?)? })
    }

    /// Records of one stream, in order.
    pub(super) async fn put_records(&mut self, records: &[Record]) -> Result<(), Failed> {
        let Some(last) = records.last() else { return Ok(()) };
        // The head first: a record belongs to a stream that exists.
        let head = sqlx::query(sql::PUT_HEAD)
            .bind(last.stream.as_str())
            .bind(signed(last.seq)?)
            .bind(last.hash.to_string());
        self.held.ask(|connection| head.execute(connection)).await?;
        let (mut seqs, mut hashes, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            let sealed = record.sealed();
            seqs.push(signed(record.seq)?);
            hashes.push(sealed.hash.to_string());
            texts.push(sealed.text);
        }
        let put =
            sqlx::query(sql::PUT_RECORDS).bind(last.stream.as_str()).bind(seqs).bind(hashes).bind(texts);
        self.held.ask(|connection| put.execute(connection)).await?;
        Ok(())
    }

    pub(super) async fn put_outbox(&mut self, items: &[OutboxItem], now_ms: i64) -> Result<(), Failed> {
        if items.is_empty() {
            return Ok(());
        }
        let column = |read: fn(&OutboxItem) -> &String| items.iter().map(read).cloned().collect::<Vec<_>>();
        let due: Vec<i64> = items.iter().map(|item| lease::after(now_ms, item.delay)).collect();
        let put = sqlx::query(sql::PUT_OUTBOX)
            .bind(column(|item| &item.channel))
            .bind(column(|item| &item.key))
            .bind(column(|item| &item.body))
            .bind(due);
        self.held.ask(|connection| put.execute(connection)).await?;
        Ok(())
    }
}

/// No row has no epoch.
pub(super) fn found(row: &PgRow) -> Result<FoundLease, sqlx::Error> {
    let now_ms = row.try_get("now_ms")?;
    let Some(epoch) = row.try_get::<Option<i64>, _>("epoch")? else {
        return Ok(FoundLease { row: None, now_ms });
    };
    let owner = row.try_get::<Option<String>, _>("owner")?.map(Owner::new);
    let row = LeaseRow { owner, epoch: unsigned(epoch)?, until_ms: row.try_get("until_ms")? };
    Ok(FoundLease { row: Some(row), now_ms })
}

/// PostgreSQL's integers have a sign, ours never need it.
pub(super) fn signed(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub(super) fn hash(text: &str) -> Result<Hash, sqlx::Error> {
    Hash::parse(text).ok_or_else(|| sqlx::Error::Decode("a stored hash is none".into()))
}
