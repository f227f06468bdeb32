//! The outbox: messages to be sent because of what was appended, written in the same transaction.
//!
//! A message is sent at least once, and never because of something that was not recorded. What a body means
//! is the sender's business. Nothing is sent from it yet: an announcement goes straight to the notifier.

use std::time::Duration;

use thiserror::Error;

use crate::lease::Scope;
use crate::store::Trouble;

/// The most messages that one call claims.
pub const OUTBOX_MAX: u32 = 100;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Which sender takes it: `slack`.
    pub channel: String,
    /// A second message with the same key is dropped without a word.
    pub key: String,
    pub body: String,
    /// Not before this long from now.
    pub delay: Duration,
}

/// The number of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxId(pub(crate) u64);

/// A message that was given to a sender, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub id: OutboxId,
    pub channel: String,
    pub key: String,
    pub body: String,
    /// Counts from 1, with this one.
    pub tries: u32,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Sent,
    /// It is claimed again after this long.
    Again {
        after: Duration,
    },
    GivenUp,
}

/// Why the outbox did not answer.
#[derive(Debug, Error)]
pub enum OutboxError {
    #[error("the lease on {scope} with epoch {epoch} was lost")]
    Fenced { scope: Scope, epoch: u64 },
    #[error("the database did not answer for the outbox")]
    Unavailable(#[source] Trouble),
}
