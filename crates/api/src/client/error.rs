//! What can go wrong between a client and the daemon.

use thiserror::Error as ThisError;

use crate::Problem;

/// Why there is no answer to work with.
#[derive(Debug, ThisError)]
pub enum Error {
    /// No answer, or only the beginning of one. Whether the request was done is not known; asking again
    /// with the same idempotency key is safe.
    #[error("the daemon at {url} did not answer")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// The stream of events went silent for longer than the daemon ever is.
    #[error("the daemon at {url} said nothing for {silence_s} s")]
    Silent { url: String, silence_s: u64 },
    /// The daemon said no, and why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// An answer that is not this API's: something else listens there, or its version is another.
    #[error("the answer with status {status} is not one of this API: {why}")]
    BadAnswer { status: u16, why: String },
    /// The address has no place for a path (`mailto:…`).
    #[error("{url} is not the address of a daemon")]
    BadAddress { url: String },
}

impl Error {
    /// Whether the same question may get an answer a moment later: the daemon is away, or a proxy in
    /// front of it says so.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_builder(),
            Self::Silent { .. } => true,
            Self::BadAnswer { status, .. } => is_gateway(*status),
            Self::Problem(problem) => is_gateway(problem.status),
            Self::BadAddress { .. } => false,
        }
    }

    /// The problem's stable code, where the daemon gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::BadAnswer { .. }
            | Self::BadAddress { .. } => None,
        }
    }
}

fn is_gateway(status: u16) -> bool {
    matches!(status, 502..=504)
}
