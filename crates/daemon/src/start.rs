//! Why a daemon did not start, or ended by itself. Whatever kept it from starting, nothing was begun.

use std::net::SocketAddr;

use segue_journal::{OpenError, ReadError};

use crate::config::LoadError;

/// A start that did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] LoadError),
    #[error("the daemon cannot listen at {address}")]
    CannotListen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the journal cannot be opened")]
    Journal(#[from] OpenError),
    #[error("the journal cannot be read")]
    JournalUnreadable(#[source] ReadError),
    #[error(
        "{stream} has a record of schema {found}, and this version reads up to {understood}; \
         a newer daemon wrote it"
    )]
    JournalNewer { stream: String, found: u32, understood: u32 },
    #[error("no HTTP client can be made")]
    HttpClient(#[source] reqwest::Error),
}

impl StartError {
    /// Stable, with a page under docs/errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(LoadError::Wrong(_)) => "config-invalid",
            Self::Config(LoadError::Unreadable { .. } | LoadError::TooLong { .. }) => "config-unreadable",
            Self::CannotListen { .. } => "cannot-listen",
            Self::Journal(OpenError::Newer { .. }) | Self::JournalNewer { .. } => "journal-newer",
            Self::Journal(OpenError::NotAJournal { .. }) => "journal-foreign",
            Self::Journal(
                OpenError::Older { .. } | OpenError::Missing { .. } | OpenError::Unavailable { .. },
            )
            | Self::JournalUnreadable(_)
            | Self::HttpClient(_) => "cannot-start",
        }
    }

    /// What to do; none where the error itself says it.
    pub fn hint(&self) -> Option<&'static str> {
        match self.code() {
            "config-unreadable" => {
                Some("name a readable file with --config; deploy/segue.example.toml is an example")
            }
            "cannot-listen" => Some("stop what listens there, or write another port in `daemon.listen`"),
            "journal-newer" => Some("start the newer daemon again; this one has not touched the journal"),
            "journal-foreign" => Some("name another file as `daemon.journal`; this one was not touched"),
            "cannot-start" => Some("see that the daemon's user may write the journal and its folder"),
            // Each mistake of a configuration brings its own.
            _ => None,
        }
    }

    /// Whether the daemon refuses to run like this (exit code 2): what it was told has to change first.
    /// Otherwise something failed (exit code 1), and the same start may work another time.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::JournalNewer { .. }
            | Self::Journal(OpenError::Newer { .. } | OpenError::NotAJournal { .. }) => true,
            Self::CannotListen { .. }
            | Self::Journal(
                OpenError::Older { .. } | OpenError::Missing { .. } | OpenError::Unavailable { .. },
            )
            | Self::JournalUnreadable(_)
            | Self::HttpClient(_) => false,
        }
    }

    /// All of it for a person: the sentence, what it comes from, the code and the hint.
    pub fn told(&self) -> String {
        let mut text = format!("error[{}]: {self}", self.code());
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        match self.hint() {
            Some(hint) => format!("{text}\n  hint: {hint}"),
            None => text,
        }
    }
}
