//! Why a daemon did not start, or ended by itself. Whatever kept it from starting, nothing was begun: only
//! [`StartError::Ended`] and [`StartError::BrokeDown`] come later.

use std::net::SocketAddr;

use segue_config::LoadError;
use segue_journal::{OpenError, ReadError};

/// A start that did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] LoadError),
    #[error("the daemon cannot listen at {address}{}", if *daemon { ", where a Segue daemon answers already" } else { "" })]
    CannotListen {
        address: SocketAddr,
        /// Another daemon is what listens there.
        daemon: bool,
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
    #[error("the daemon cannot listen for the signals that stop it")]
    Signals(#[source] std::io::Error),
    /// It had begun. Releases are where the world is, as after any death.
    #[error("the API stopped answering")]
    Ended(#[source] std::io::Error),
    /// The same.
    #[error("the engine broke down, and nothing renews the lease; the log says why")]
    BrokeDown,
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
            Self::Journal(OpenError::Unreachable { .. }) => "journal-unreachable",
            Self::Journal(OpenError::Unfit { .. }) => "journal-unfit",
            Self::Journal(
                OpenError::Older { .. } | OpenError::Missing { .. } | OpenError::Unavailable { .. },
            )
            | Self::JournalUnreadable(_)
            | Self::HttpClient(_)
            | Self::Signals(_) => "cannot-start",
            Self::Ended(_) | Self::BrokeDown => "daemon-ended",
        }
    }

    /// What to do; none where the error itself says it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            // Each mistake brings its own, and a database that will not do says what would.
            Self::Config(LoadError::Wrong(_)) | Self::Journal(OpenError::Unfit { .. }) => return None,
            Self::Config(LoadError::Unreadable { .. } | LoadError::TooLong { .. }) => {
                "name a readable file with --config; deploy/segue.example.toml is an example"
            }
            Self::CannotListen { daemon: true, .. } => {
                "that one works already: `segue status --daemon URL` asks it. To start it again with another \
                 configuration, stop it first; a release goes on where it is"
            }
            Self::CannotListen { daemon: false, .. } => {
                "stop what listens there, or write another port in `daemon.listen`"
            }
            Self::Journal(OpenError::Newer { .. }) | Self::JournalNewer { .. } => {
                "start the newer daemon again; this one has not touched the journal"
            }
            Self::Journal(OpenError::NotAJournal { .. }) => {
                "name another file or database as `daemon.journal`; this one was not touched"
            }
            Self::Journal(OpenError::Unreachable { .. }) => {
                "see that PostgreSQL runs there and lets this user in: `daemon.journal` names both, \
                 `daemon.journal_password_file` the password's file"
            }
            Self::Journal(
                OpenError::Older { .. } | OpenError::Missing { .. } | OpenError::Unavailable { .. },
            ) => {
                "of a file: see that the folder of `daemon.journal` is there, and that the daemon's user may write to it"
            }
            Self::JournalUnreadable(_) => {
                "see that the daemon's user may read `daemon.journal`, and that what it names is not damaged"
            }
            Self::HttpClient(_) | Self::Signals(_) => {
                "see the limits under which the daemon runs: files, memory"
            }
            Self::Ended(_) | Self::BrokeDown => "start it again; releases go on where they are",
        })
    }

    /// Whether the daemon refuses to run like this (exit code 2): what it was told has to change first.
    /// Otherwise something failed (exit code 1), and the same start may work another time.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::JournalNewer { .. }
            | Self::Journal(
                OpenError::Newer { .. } | OpenError::NotAJournal { .. } | OpenError::Unfit { .. },
            ) => true,
            Self::CannotListen { .. }
            | Self::Journal(
                OpenError::Older { .. }
                | OpenError::Missing { .. }
                | OpenError::Unreachable { .. }
                | OpenError::Unavailable { .. },
            )
            | Self::JournalUnreadable(_)
            | Self::HttpClient(_)
            | Self::Signals(_)
            | Self::Ended(_)
            | Self::BrokeDown => false,
        }
    }

    /// All of it for a person: the sentence, what it comes from, the code and the hint.
    pub fn told(&self) -> String {
        let text = format!("error[{}]: {}", self.code(), segue_engine::ports::chain(self));
        match self.hint() {
            Some(hint) => format!("{text}\n  hint: {hint}"),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_journals_fault_is_not_blamed_on_it() {
        let io = || std::io::Error::other("no more files");
        let signals = StartError::Signals(io());
        assert_eq!(signals.code(), "cannot-start");
        assert!(!signals.told().contains("journal"), "{}", signals.told());
        let (place, source) = ("postgres://segue@db/segue".to_owned(), io().into());
        let away = StartError::Journal(OpenError::Unreachable { place: place.clone(), source });
        assert_eq!((away.code(), away.is_refusal()), ("journal-unreachable", false));
        assert!(away.told().contains("postgres://segue@db/segue cannot be reached"), "{}", away.told());
        let unfit = StartError::Journal(OpenError::Unfit { place, why: "its `fsync` is off".to_owned() });
        assert_eq!((unfit.code(), unfit.is_refusal()), ("journal-unfit", true));
        let newer = StartError::JournalNewer { stream: "service/boards".to_owned(), found: 9, understood: 1 };
        assert_eq!((newer.code(), newer.is_refusal()), ("journal-newer", true));
        assert!(newer.told().contains("start the newer daemon"), "{}", newer.told());
        let ended = StartError::Ended(io());
        assert_eq!(ended.code(), "daemon-ended");
        assert!(ended.told().contains("no more files") && !ended.is_refusal(), "{}", ended.told());
    }
}
