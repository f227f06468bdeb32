//! The stable code of everything that a release says of itself. Each has its page under docs/errors.

use segue_domain::decision::{Cause, Gate, Reason};

/// What is told with a code that never changes its meaning.
pub(super) trait Coded {
    fn code(&self) -> &'static str;
}

/// Preflight said no.
pub(super) struct ChecksFailed;

impl Coded for Reason {
    fn code(&self) -> &'static str {
        match self {
            Self::Blind { .. } => "blind",
            Self::Undecided { .. } => "undecided",
            Self::NoCapacity { .. } => "no-capacity",
            Self::BoardFitsNowhere { .. } => "board-fits-nowhere",
            Self::BoardsStay { .. } => "boards-stay",
            Self::MayHoldBoards { .. } => "may-hold-boards",
            Self::CannotGoBack { .. } => "cannot-go-back",
            Self::CannotGoOn { .. } => "cannot-go-on",
            Self::Bug { .. } => "bug",
        }
    }
}

impl Coded for Gate {
    fn code(&self) -> &'static str {
        match self {
            Self::NoWayBack { .. } => "no-way-back-after-the-first-board",
        }
    }
}

impl Coded for Cause {
    fn code(&self) -> &'static str {
        match self {
            Self::AbortedBy(_) => "aborted",
            Self::StepFailed { .. } => "step-failed",
            Self::CanaryFailed { .. } => "canary-failed",
        }
    }
}

impl Coded for ChecksFailed {
    fn code(&self) -> &'static str {
        "checks-failed"
    }
}
