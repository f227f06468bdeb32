//! Why a call at a port brought nothing, in the only terms that the engine decides by.

use std::fmt;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct CallError {
    pub class: Class,
    /// One lower-case sentence: what was asked, and what came back.
    pub what: String,
}

/// What can be done about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It left nothing behind and may go through when it is repeated: throttled, not connected.
    Retry,
    /// It left nothing behind and will not go through: forbidden, no such thing, no capacity.
    Refused,
    /// It may have happened: a timeout, a cut connection, a server error.
    Unknown,
    /// The other side broke its own contract, or we did.
    Bug,
}

impl CallError {
    pub fn retry(what: impl Into<String>) -> Self {
        Self { class: Class::Retry, what: what.into() }
    }

    pub fn refused(what: impl Into<String>) -> Self {
        Self { class: Class::Refused, what: what.into() }
    }

    pub fn unknown(what: impl Into<String>) -> Self {
        Self { class: Class::Unknown, what: what.into() }
    }

    pub fn bug(what: impl Into<String>) -> Self {
        Self { class: Class::Bug, what: what.into() }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retry => "retry",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Bug => "bug",
        })
    }
}
