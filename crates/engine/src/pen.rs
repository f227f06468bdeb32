//! The only hand that writes to the journal.
//!
//! Guarantees: what it says was written is written, and what it says was not is not; what nobody knows is found out,
//! never guessed, and called unknown when it cannot be found out; when somebody else holds the lease, the term is over
//! at once; nothing is tried beyond the term's end, nor for ever within it.

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

/// Why an append was given up, for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// Nothing of it was written. Everything in memory is worth nothing any more.
    #[error("the lease was lost")]
    Lost,
    /// It may have been written, or may still be. Everything in memory is worth nothing any more; whoever holds the
    /// lease next reads what became of it.
    #[error("the lease was lost before the journal said whether it was written")]
    NotKnown,
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
        let lease = self.term.lease();
        let until = Instant::now() + TRIED_FOR;
        // What it has come to if nothing more can be tried. A try whose end nobody saw may arrive late.
        let mut given_up = WriteError::Lost;
        let mut tries = 0;
        while !self.term.left().is_zero() {
            let Some(tried) = self.in_term(self.attempt(&lease, append)).await else {
                return Err(WriteError::NotKnown);
            };
            let error = match tried {
                Tried::Written(records) => return Ok(records),
                Tried::Unwritable(what) => return Err(WriteError::Unwritable(what)),
                Tried::Overtaken(error) => return Err(self.overtaken(&error, WriteError::Lost)),
                Tried::Fenced(error) => return Err(self.overtaken(&error, given_up)),
                Tried::Unreadable(what) => {
                    tracing::error!(what, "nobody knows whether it was written: the lease is given up");
                    self.term.give_up("the journal cannot be read".to_owned());
                    return Err(WriteError::NotKnown);
                }
                Tried::Nothing(error) => error,
                Tried::NotKnown(error) => {
                    given_up = WriteError::NotKnown;
                    error
                }
            };
            tries += 1;
            if Instant::now() >= until {
                let error = chain(&error);
                tracing::error!(error, tries, "the journal takes no records: the lease is given up");
                self.term.give_up("the journal took no records".to_owned());
                return Err(given_up);
            }
            tracing::warn!(error = chain(&error), tries, "the journal took nothing; trying again");
            let pause = full_jitter(PAUSE_FIRST, PAUSE_MAX, tries, self.entropy.as_ref());
            self.in_term(tokio::time::sleep(pause)).await;
        }
        Err(given_up)
    }

    /// None when the term ended before the work did.
    async fn in_term<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.term.end() => None,
            done = work => Some(done),
        }
    }

    fn overtaken(&self, error: &AppendError, found: WriteError) -> WriteError {
        tracing::error!(error = chain(error), "the lease was lost");
        self.term.lose();
        found
    }

    /// One try, and what became of it.
    async fn attempt(&self, lease: &Lease, append: &Append) -> Tried {
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.store.append(lease, append)).await;
        let error = match answer {
            Ok(Ok(appended)) => return Tried::Written(appended.records),
            Ok(Err(error)) => error,
            Err(_elapsed) => AppendError::OutcomeUnknown("it gave no answer".into()),
        };
        match &error {
            AppendError::Fenced { .. } => Tried::Fenced(error),
            AppendError::Unwritable(_) => Tried::Unwritable(chain(&error)),
            AppendError::Unavailable(_) => Tried::Nothing(error),
            // An earlier try of this very append may be what is in its place.
            AppendError::Conflict { .. } => self.find(lease, append, Tried::Nothing(error)).await,
            AppendError::OutcomeUnknown(_) => self.find(lease, append, Tried::NotKnown(error)).await,
        }
    }

    /// Looks for the append in the journal; `tried` is what it is when it is not there.
    async fn find(&self, lease: &Lease, append: &Append, tried: Tried) -> Tried {
        match (fate(self.store.as_ref(), lease, append).await, tried) {
            (Ok(Fate::Written(appended)), _) => Tried::Written(appended.records),
            (Ok(Fate::Overtaken), Tried::Nothing(error) | Tried::NotKnown(error)) => Tried::Overtaken(error),
            (Ok(Fate::NotWritten | Fate::Overtaken), tried) => tried,
            // Asked again: writing it twice is impossible, because its place is taken then.
            (Err(error @ ReadError::Unavailable(_)), tried) => {
                tracing::warn!(error = chain(&error), "the journal does not answer");
                tried
            }
            // However often it is asked, the stream stays as it is.
            (
                Err(
                    error @ (ReadError::Broken { .. }
                    | ReadError::Newer { .. }
                    | ReadError::TooManyStreams
                    | ReadError::NoSuchStream { .. }),
                ),
                _,
            ) => Tried::Unreadable(chain(&error)),
        }
    }
}

/// What became of one try.
enum Tried {
    Written(Vec<Record>),
    /// Nothing of it was written.
    Nothing(AppendError),
    /// It may have been written, or may arrive late.
    NotKnown(AppendError),
    /// Somebody else wrote in its place.
    Overtaken(AppendError),
    /// Somebody else holds the lease: nothing of this try was written.
    Fenced(AppendError),
    Unwritable(String),
    /// It may have been written, and the journal can never be read there.
    Unreadable(String),
}
