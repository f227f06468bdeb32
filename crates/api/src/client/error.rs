//! What can go wrong between a client and the daemon.

use std::time::Duration;

use thiserror::Error as ThisError;
use url::Url;

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
    pub(crate) fn unreachable(base: &Url, source: reqwest::Error) -> Self {
        Self::Unreachable { url: shown(base), source: source.without_url() }
    }

    pub(crate) fn silent(base: &Url, silence: Duration) -> Self {
        Self::Silent { url: shown(base), silence_s: silence.as_secs() }
    }

    pub(crate) fn bad_address(base: &Url) -> Self {
        Self::BadAddress { url: shown(base) }
    }

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

/// The address as errors show it: without the user and password that it may carry for a proxy.
fn shown(base: &Url) -> String {
    let mut shown = base.clone();
    // An address that cannot have them refuses, and has none.
    let _had_none = shown.set_username("").and_then(|()| shown.set_password(None));
    shown.to_string()
}

fn is_gateway(status: u16) -> bool {
    matches!(status, 502..=504)
}
