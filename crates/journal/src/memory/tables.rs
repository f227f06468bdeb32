//! The tables of a journal in memory.

use std::collections::BTreeMap;

use crate::append::Head;
use crate::lease::{self, Lease, LeaseRow, Scope};
use crate::outbox::{Claim, OUTBOX_MAX, OutboxError, OutboxId, OutboxItem, Settled};
use crate::read::{Newest, PAGE_BYTES, RawPage, StreamEnd, rows_of};
use crate::record::{Record, Sealed};
use crate::stream::Stream;

#[derive(Debug, Default)]
pub(super) struct Tables {
    leases: BTreeMap<Scope, LeaseRow>,
    streams: BTreeMap<Stream, Kept>,
    outbox: BTreeMap<OutboxId, Message>,
}

#[derive(Debug)]
struct Kept {
    head: Head,
    records: BTreeMap<u64, Sealed>,
}

#[derive(Debug)]
struct Message {
    channel: String,
    key: String,
    body: String,
    due_ms: i64,
    tries: u32,
    end: Option<Settled>,
}

impl Tables {
    pub(super) fn lease(&self, scope: &Scope) -> Option<&LeaseRow> {
        self.leases.get(scope)
    }

    pub(super) fn put_lease(&mut self, scope: &Scope, row: LeaseRow) {
        self.leases.insert(scope.clone(), row);
    }

    pub(super) fn head(&self, stream: &Stream) -> Head {
        self.streams.get(stream).map_or(Head::NONE, |kept| kept.head)
    }

    pub(super) fn page(&self, stream: &Stream, after_seq: u64) -> RawPage {
        let Some(kept) = self.streams.get(stream) else {
            return RawPage { rows: Vec::new(), head: Head::NONE };
        };
        let limit = usize::try_from(rows_of(after_seq)).unwrap_or(usize::MAX);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for (seq, sealed) in kept.records.range(after_seq..).take(limit) {
            if bytes >= PAGE_BYTES {
                break;
            }
            bytes += sealed.text.len();
            rows.push((*seq, sealed.clone()));
        }
        RawPage { rows, head: kept.head }
    }

    pub(super) fn streams(&self, prefix: &str) -> Vec<StreamEnd> {
        let named = self.streams.iter().filter(|(stream, _)| stream.as_str().starts_with(prefix));
        named.map(|(stream, kept)| StreamEnd { stream: stream.clone(), seq: kept.head.seq }).collect()
    }

    pub(super) fn newest(&self) -> Option<Newest> {
        let ends = self.streams.iter().flat_map(|(stream, kept)| {
            let places = [kept.records.first_key_value(), kept.records.last_key_value()];
            places.into_iter().flatten().filter_map(move |(_, sealed)| Some((sealed.schema()?, stream)))
        });
        let (schema, stream) = ends.max_by_key(|(schema, _)| *schema)?;
        Some(Newest { stream: stream.clone(), schema })
    }

    pub(super) fn put_records(&mut self, records: &[Record]) {
        for record in records {
            let kept = self
                .streams
                .entry(record.stream.clone())
                .or_insert_with(|| Kept { head: Head::NONE, records: BTreeMap::new() });
            kept.head = Head { seq: record.seq, hash: record.hash };
            kept.records.insert(record.seq, record.sealed());
        }
    }

    pub(super) fn put_outbox(&mut self, items: &[OutboxItem], now_ms: i64) {
        for item in items {
            if self.outbox.values().any(|message| message.key == item.key) {
                continue;
            }
            let last = self.outbox.last_key_value().map_or(0, |(id, _)| id.0);
            let message = Message {
                channel: item.channel.clone(),
                key: item.key.clone(),
                body: item.body.clone(),
                due_ms: lease::after(now_ms, item.delay),
                tries: 0,
                end: None,
            };
            self.outbox.insert(OutboxId(last.saturating_add(1)), message);
        }
    }

    pub(super) fn check_outbox(&self, lease: &Lease) -> Result<(), OutboxError> {
        lease::held(self.lease(lease.scope()), lease)
            .map_err(|_stale| OutboxError::Fenced { scope: lease.scope().clone(), epoch: lease.epoch() })
    }

    pub(super) fn claim(&mut self, limit: u32, now_ms: i64, until_ms: i64) -> Vec<Claim> {
        let limit = usize::try_from(limit.min(OUTBOX_MAX)).unwrap_or(usize::MAX);
        let due = self.outbox.iter_mut().filter(|(_, one)| one.end.is_none() && one.due_ms <= now_ms);
        due.take(limit)
            .map(|(id, one)| {
                one.due_ms = until_ms;
                one.tries = one.tries.saturating_add(1);
                Claim {
                    id: *id,
                    channel: one.channel.clone(),
                    key: one.key.clone(),
                    body: one.body.clone(),
                    tries: one.tries,
                }
            })
            .collect()
    }

    pub(super) fn settle(&mut self, settled: &[(OutboxId, Settled)], now_ms: i64) {
        for (id, end) in settled {
            let Some(message) = self.outbox.get_mut(id).filter(|message| message.end.is_none()) else {
                continue;
            };
            match end {
                Settled::Sent | Settled::GivenUp => message.end = Some(*end),
                Settled::Again { after } => message.due_ms = lease::after(now_ms, *after),
            }
        }
    }

    /// Changes a stored record behind the journal's back.
    #[cfg(any(test, feature = "contract"))]
    pub(super) fn tamper(&mut self, stream: &Stream, seq: u64, how: crate::contract::Tamper) {
        use crate::contract::Tamper;

        let Some(kept) = self.streams.get_mut(stream) else { return };
        if how == Tamper::Removed {
            kept.records.remove(&seq);
            return;
        }
        let Some(sealed) = kept.records.get_mut(&seq) else { return };
        sealed.text = how.forge(&sealed.text);
        if how != Tamper::Text {
            sealed.hash = crate::record::Hash::of(&sealed.text);
        }
    }
}
