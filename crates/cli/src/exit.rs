//! What the program says when it ends, for scripts: one number for each end that a caller may want to tell
//! from another. Documented in README.md; the numbers never change.

use std::process::ExitCode;

use segue_api::{Direction, ReleaseState, ReleaseView, Verdict};

/// How a command ended. Which number is which stands once, where it becomes an [`ExitCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; with `--wait`: released, or the canary passed.
    Done,
    /// Something went wrong that has nothing to do with the release itself.
    Error,
    /// The daemon did not take the request, or preflight or a person said no, or the configuration is wrong.
    Refused,
    /// A canary or a step failed, and everything is as it was before.
    RolledBack,
    /// A person aborted it.
    Aborted,
    /// It holds and needs a person.
    Held,
    /// It holds on its way back.
    CouldNotRollBack,
    /// `--timeout` ended first; the release goes on.
    TimedOut,
    /// Ctrl-C; the release goes on.
    Interrupted,
}

impl Exit {
    /// The end that a view of a release amounts to; `None` while it goes on by itself.
    pub(crate) fn of(release: &ReleaseView) -> Option<Self> {
        match (release.state, release.verdict) {
            (ReleaseState::Closed, Some(Verdict::Passed | Verdict::Released)) => Some(Self::Done),
            (ReleaseState::Closed, Some(Verdict::RolledBack)) => Some(Self::RolledBack),
            (ReleaseState::Closed, Some(Verdict::Aborted)) => Some(Self::Aborted),
            (ReleaseState::Closed, Some(Verdict::Refused)) => Some(Self::Refused),
            (ReleaseState::Closed, None) => Some(Self::Error),
            (ReleaseState::Held, _) => Some(match release.direction {
                Direction::Forward => Self::Held,
                Direction::Back => Self::CouldNotRollBack,
            }),
            (ReleaseState::Asking, _) => Some(Self::Held),
            (ReleaseState::Running | ReleaseState::Paused, _) => None,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Refused => 2,
            Exit::RolledBack => 3,
            Exit::Aborted => 4,
            Exit::Held => 5,
            Exit::CouldNotRollBack => 6,
            Exit::TimedOut => 124,
            Exit::Interrupted => 130,
        })
    }
}
