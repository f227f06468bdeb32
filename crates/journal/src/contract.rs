//! What every store must do, as one suite: each of this crate's stores passes it, and so must any other.
//!
//! It takes no time: leases with no time to live stand for those that have expired.

pub mod appends;
pub mod chain;
pub mod fates;
pub mod formats;
pub mod leases;
pub mod messages;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::event::Event;
use segue_domain::ids::ReleaseId;

use crate::append::{Append, AppendError, Appended, StreamAppend};
use crate::lease::{Lease, Owner, Scope};
use crate::outbox::OutboxItem;
use crate::record::Hash;
use crate::samples;
use crate::store::Store;
use crate::stream::Stream;

/// An empty journal, and what no store offers: breaking it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Another handle on the same journal, as a second daemon would have.
    async fn store(&self) -> Arc<dyn Store>;

    /// Changes what is stored behind the store's back.
    async fn tamper(&self, stream: &Stream, seq: u64, how: Tamper);
}

/// How a stored record is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    /// The text is another one, under the old hash.
    Text,
    /// The text is another one, and the hash fits it.
    TextAndHash,
    /// The text is one of this schema, and the hash fits it.
    Schema(u32),
    Removed,
}

impl Tamper {
    pub(crate) fn forge(self, text: &str) -> String {
        match self {
            Self::Schema(schema) => {
                let (_, rest) = text.split_once(',').expect("a record has more than its schema");
                format!("{{\"schema\":{schema},{rest}")
            }
            Self::Text | Self::TextAndHash | Self::Removed => text.replace("segue", "nobody"),
        }
    }
}

/// One test for each promise; `$subject` makes an empty journal, and may await.
#[macro_export]
macro_rules! store_contract {
    ($subject:expr) => {
        $crate::store_contract! { $subject =>
            appends: what_is_appended_reads_back,
            appends: a_wrong_sequence_is_a_conflict_and_writes_nothing,
            appends: one_bad_stream_leaves_nothing_of_the_others,
            appends: a_stream_that_stands_twice_is_refused,
            appends: an_append_over_the_limit_is_refused,
            appends: a_part_without_records_only_guards,
            appends: a_long_stream_reads_in_one_piece,
            appends: long_records_come_in_short_pages,
            appends: streams_are_listed_by_prefix,
            appends: of_two_writers_one_gets_each_place,
            appends: one_that_is_given_up_half_way_blocks_nobody_and_is_there_or_not,
            leases: a_second_owner_waits_and_is_told_how_long,
            leases: an_expired_lease_goes_to_whoever_asks,
            leases: the_same_owner_takes_over_at_once,
            leases: the_epoch_only_grows,
            leases: an_epoch_is_above_the_floor_that_was_asked_for,
            leases: a_journal_has_one_id,
            leases: a_stale_epoch_is_fenced,
            leases: a_lease_that_was_given_back_is_no_lease,
            leases: a_renewed_lease_keeps_its_epoch,
            leases: an_expired_lease_that_nobody_took_is_renewed,
            leases: scopes_do_not_meet,
            leases: of_two_owners_one_gets_a_free_lease,
            chain: every_record_follows_from_the_one_before,
            chain: a_changed_text_is_found,
            chain: a_forged_record_is_found_by_what_follows,
            chain: a_forged_last_record_is_found,
            chain: a_removed_record_is_found,
            chain: a_removed_end_is_found,
            formats: a_newer_format_is_seen_at_either_end_of_any_stream,
            formats: a_journal_of_this_version_is_understood,
            messages: a_message_comes_with_its_records,
            messages: a_claimed_message_comes_again_after_its_hold,
            messages: a_settled_message_never_comes_again,
            messages: a_message_that_is_not_due_waits,
            messages: a_second_message_with_the_same_key_is_dropped,
            messages: claims_are_bounded_and_in_order,
            messages: a_stale_epoch_gets_no_messages,
            fates: a_commit_that_was_not_answered_is_found,
            fates: an_append_that_never_came_is_not_found,
            fates: what_somebody_else_wrote_is_not_taken_for_ones_own,
        }
    };
    ($subject:expr => $($module:ident: $promise:ident,)*) => {$(
        #[tokio::test]
        async fn $promise() {
            let subject = $subject;
            $crate::contract::$module::$promise(&subject).await;
        }
    )*};
}

const TTL: Duration = Duration::from_mins(1);

fn scope() -> Scope {
    Scope::new("boards")
}

/// For as long as any test takes.
pub async fn lease_of(store: &dyn Store, owner: &str) -> Lease {
    store.acquire(&scope(), &Owner::new(owner), TTL).await.expect("the lease is free")
}

/// The stream of the service's `number`th release.
fn stream(number: u64) -> Stream {
    Stream::release(&ReleaseId { service: "boards".into(), number })
}

/// Different for each number.
fn event(number: u64) -> Event {
    Event::BoardsCounted { on_blue: number }
}

fn part(stream: &Stream, expected_seq: u64, events: impl IntoIterator<Item = Event>) -> StreamAppend {
    let records = events.into_iter().map(|event| samples::new_record(event.into())).collect();
    StreamAppend { stream: stream.clone(), expected_seq, records }
}

fn only(part: StreamAppend) -> Append {
    Append { streams: vec![part], outbox: Vec::new() }
}

fn message(key: &str) -> OutboxItem {
    OutboxItem {
        channel: "slack".to_owned(),
        key: key.to_owned(),
        body: format!("{{\"text\":\"{key}\"}}"),
        delay: Duration::ZERO,
    }
}

/// One record for the stream of the first release.
pub fn one_record(expected_seq: u64) -> Append {
    only(part(&samples::release_stream(), expected_seq, [event(expected_seq)]))
}

/// The text and the hash of a record that somebody changed.
pub async fn forged(store: &dyn Store, stream: &Stream, seq: u64, how: Tamper) -> (String, Hash) {
    let records = store.read(stream, 0).await.expect("the stream is whole");
    let record = records.iter().find(|record| record.seq == seq).expect("the record is there");
    let text = how.forge(&record.sealed().text);
    let hash = if how == Tamper::Text { record.hash } else { Hash::of(&text) };
    (text, hash)
}

/// Appends `count` records to an empty stream.
async fn filled(store: &dyn Store, lease: &Lease, stream: &Stream, count: u64) -> Appended {
    let append = only(part(stream, 0, (1..=count).map(event)));
    store.append(lease, &append).await.expect("the stream is empty")
}

async fn seqs(store: &dyn Store, stream: &Stream) -> Vec<u64> {
    let records = store.read(stream, 0).await.expect("the stream is whole");
    records.iter().map(|record| record.seq).collect()
}

fn is_fenced(result: &Result<Appended, AppendError>) -> bool {
    matches!(result, Err(AppendError::Fenced { .. }))
}
