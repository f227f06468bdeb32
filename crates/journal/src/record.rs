//! One record: what happened, in an envelope that says who, when, under which lease, and after what.
//!
//! A record is text: one JSON object, kept and hashed exactly as it was written, so that a chain stays
//! verifiable when a later version would write the same record differently.

mod hash;
mod seal;
mod v1;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod property;

use segue_domain::ids::Actor;
use segue_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fact::Fact;
use crate::stream::Stream;

pub use hash::Hash;
pub(crate) use seal::{Place, Sealed, seal};

/// The highest number of a record format that this version writes. It reads this and every lower one.
///
/// A record has the lowest number that has its words: a daemon that is taken back to an older version reads on, or
/// says that it is too old, and never that the journal is damaged.
pub const RECORD_SCHEMA: u32 = 4;

/// The most bytes of one record's text. The plan of a rollback of 5,000 servers behind eight load balancers has two to
/// three millions: it names the groups and the listener of each.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A record as it stands in a stream. Only the journal makes one: by an append, or by reading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The format that it was written in.
    pub schema: u32,
    pub stream: Stream,
    /// Place in the stream, from 1, without gaps.
    pub seq: u64,
    /// Of the lease under which it was appended.
    pub epoch: u64,
    /// When it happened, by the clock of the daemon that wrote it.
    pub at: Timestamp,
    pub actor: Actor,
    pub via: Via,
    /// What the actor gave as the reason, if anything.
    pub reason: Option<String>,
    /// Of the record before it; [`Hash::GENESIS`] for the first.
    pub prev_hash: Hash,
    /// SHA-256 of the record's text.
    pub hash: Hash,
    pub fact: Fact,
    text: String,
}

impl Record {
    /// The record as one line of JSON, `{"hash":…,"record":…}`, with the hashed text verbatim.
    pub fn line(&self) -> String {
        seal::line(self.hash, &self.text)
    }

    /// Reads what [`Record::line`] wrote, and checks that the hash is the text's.
    pub fn from_line(line: &str) -> Result<Self, RecordError> {
        seal::from_line(line)?.open()
    }
}

/// A record that is still to be appended: the store gives it its place, epoch and hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub at: Timestamp,
    pub actor: Actor,
    pub via: Via,
    pub reason: Option<String>,
    pub fact: Fact,
}

/// The way by which it came to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The daemon's own decision.
    Engine,
    /// The HTTP API, without saying what used it.
    Api,
    Cli,
    Dashboard,
    Slack,
    /// A job of a build system.
    Ci,
    /// The daemon's own timetable.
    Schedule,
}

impl Via {
    pub const ALL: [Self; 7] =
        [Self::Engine, Self::Api, Self::Cli, Self::Dashboard, Self::Slack, Self::Ci, Self::Schedule];

    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Dashboard => "dashboard",
            Self::Slack => "slack",
            Self::Ci => "ci",
            Self::Schedule => "schedule",
        }
    }
}

/// Why a record cannot be read, or cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A newer daemon wrote it; this one must not guess what it means.
    #[error("the record has schema {found}, and this version reads up to {understood}")]
    Newer { found: u32, understood: u32 },
    #[error("the record's text does not have the hash that it was stored with")]
    Changed,
    #[error("the record cannot be read: {0}")]
    Unreadable(String),
    #[error("the record would have {bytes} bytes, and the limit is {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the time {ms} ms is not in a calendar")]
    NoSuchTime { ms: i64 },
    #[error("the stream {stream} does not take such a fact")]
    Misfiled { stream: Stream },
}
