//! The only hand that writes to the journal.
//!
//! Guarantees: what it says was written is written; what nobody knows is found out, never guessed; when
//! somebody else holds the lease, the term is over at once; nothing is tried beyond the term's end, nor for ever within
//! it.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::Actor;
use segue_domain::time::Timestamp;
use segue_journal::{Append, AppendError, Fact, Fate, Lease, NewRecord, ReadError, Record, Store, Via, fate};
use tokio::time::Instant;

use crate::herald::Herald;
use crate::outside::Term;
use crate::ports::{Clock, Entropy, chain};
use crate::retry::full_jitter;

/// Pauses while the database does not answer.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// An append that has no answer by then may have been written: its lease goes on being renewed, and would be for ever.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A journal that takes renewals and no records (it is full, or may not be written) would be tried for ever, while
/// whoever asked waits.
const TRIED_FOR: Duration = Duration::from_secs(30);

/// Writes under one term of the lease.
#[derive(Clone)]
pub(crate) struct Pen {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) term: Arc<Term>,
    pub(crate) herald: Herald,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// Why nothing was written, for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// Everything in memory is worth nothing any more.
    #[error("the lease was lost")]
    Lost,
    /// It would be refused for ever: our own mistake.
    #[error("it cannot be written: {0}")]
    Unwritable(String),
}

/// Who made something happen, and by which way it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub via: Via,
    pub reason: Option<String>,
}

impl By {
    /// The engine's own decision.
    pub(crate) fn engine() -> Self {
        Self { actor: Actor::new("segue"), via: Via::Engine, reason: None }
    }

    pub(crate) fn record(&self, at: Timestamp, fact: impl Into<Fact>) -> NewRecord {
        let reason = self.reason.clone();
        NewRecord { at, actor: self.actor.clone(), via: self.via, reason, fact: fact.into() }
    }
}

impl Pen {
    /// Writes all of it or nothing, and ends with the term at the latest. Who asked tells it to everybody
    /// ([`Herald::tell`]) once its own picture is true again.
    pub(crate) async fn write(&self, append: &Append) -> Result<Vec<Record>, WriteError> {
        tokio::select! {
            biased;
            // Whoever holds the lease next reads what became of it.
            () = self.term.end() => Err(WriteError::Lost),
            written = self.written(append) => written,
        }
    }

    async fn written(&self, append: &Append) -> Result<Vec<Record>, WriteError> {
        let lease = self.term.lease();
        let until = Instant::now() + TRIED_FOR;
        let mut tries = 0;
        loop {
            let answer = tokio::time::timeout(ANSWERS_WITHIN, self.store.append(&lease, append)).await;
            let error = match answer {
                Ok(Ok(appended)) => return Ok(appended.records),
                Ok(Err(error)) => error,
                Err(_elapsed) => AppendError::OutcomeUnknown("it gave no answer".into()),
            };
            let found = match &error {
                AppendError::Fenced { .. } => Found::Overtaken,
                AppendError::Unwritable(_) => return Err(WriteError::Unwritable(chain(&error))),
                AppendError::Unavailable(_) => Found::Nothing,
                // An earlier try of this very append may be what is in its place.
                AppendError::Conflict { .. } | AppendError::OutcomeUnknown(_) => {
                    self.find(&lease, append).await?
                }
            };
            match found {
                Found::Written(records) => return Ok(records),
                Found::Overtaken => {
                    tracing::error!(error = chain(&error), "the lease was lost");
                    self.term.lose();
                    return Err(WriteError::Lost);
                }
                Found::Nothing => {}
            }
            tries += 1;
            if Instant::now() >= until {
                tracing::error!(
                    error = chain(&error),
                    tries,
                    "the journal takes no records: the lease is given up"
                );
                self.term.lose();
                return Err(WriteError::Lost);
            }
            tracing::warn!(error = chain(&error), tries, "the journal took nothing; trying again");
            tokio::time::sleep(full_jitter(PAUSE_FIRST, PAUSE_MAX, tries, self.entropy.as_ref())).await;
        }
    }

    async fn find(&self, lease: &Lease, append: &Append) -> Result<Found, WriteError> {
        match fate(self.store.as_ref(), lease, append).await {
            Ok(Fate::Written(appended)) => Ok(Found::Written(appended.records)),
            Ok(Fate::NotWritten) => Ok(Found::Nothing),
            Ok(Fate::Overtaken) => Ok(Found::Overtaken),
            // Asked again: writing it twice is impossible, because its place is taken then.
            Err(error @ ReadError::Unavailable(_)) => {
                tracing::warn!(error = chain(&error), "the journal does not answer");
                Ok(Found::Nothing)
            }
            // However often it is asked, the stream stays as it is.
            Err(
                error @ (ReadError::Broken { .. }
                | ReadError::Newer { .. }
                | ReadError::TooManyStreams
                | ReadError::NoSuchStream { .. }),
            ) => Err(WriteError::Unwritable(chain(&error))),
        }
    }
}

/// What became of an append.
enum Found {
    Written(Vec<Record>),
    Nothing,
    Overtaken,
}
