//! What can go wrong with a control call, and what is known then.

use std::time::Duration;

use crate::wire::{Problem, ProblemCode};

/// A call that brought no answer of the wanted kind. Which instance and which call it was, the caller
/// knows.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No connection came about, so nothing was carried out.
    #[error("the server could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The connection broke after the call was sent.
    #[error("the connection broke before the answer was complete")]
    Broken(#[source] reqwest::Error),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The server understood and said no.
    #[error("the server refused: {0}")]
    Refused(Box<Problem>),
    #[error("the server answered {status} without a problem document")]
    BadStatus { status: u16 },
    #[error("the answer cannot be read")]
    BadAnswer(#[source] serde_json::Error),
    #[error("the answer is larger than {max_bytes} bytes")]
    AnswerTooLarge { max_bytes: usize },
    #[error("a plural answer does not name the moves that were asked for")]
    WrongItems,
    #[error("the server's base URL cannot take a path")]
    BadBaseUrl,
}

/// What an error means for the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Nothing was carried out; asking again may help.
    Retry,
    /// It may or may not have been carried out. Ask again: calls are idempotent; or look.
    Unknown,
    /// A clear no, which asking again does not change.
    Refused,
    /// One of the two sides breaks the contract.
    Bug,
}

impl ControlError {
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable(_) => ErrorClass::Retry,
            Self::Broken(_) | Self::TimedOut(_) => ErrorClass::Unknown,
            Self::Refused(problem) => refusal_class(problem.code),
            // A proxy or a dying process may answer 5xx without a document.
            Self::BadStatus { status } if *status >= 500 => ErrorClass::Unknown,
            Self::BadStatus { .. }
            | Self::BadAnswer(_)
            | Self::AnswerTooLarge { .. }
            | Self::WrongItems
            | Self::BadBaseUrl => ErrorClass::Bug,
        }
    }

    /// The problem document, if the server sent one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Unreachable(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::BadStatus { .. }
            | Self::BadAnswer(_)
            | Self::AnswerTooLarge { .. }
            | Self::WrongItems
            | Self::BadBaseUrl => None,
        }
    }
}

/// The class of a refusal; also for the items of a plural answer.
pub const fn refusal_class(code: ProblemCode) -> ErrorClass {
    match code {
        ProblemCode::Overloaded | ProblemCode::ClockSkew => ErrorClass::Retry,
        // Replayed: this very call came before; what became of it then is not known here.
        ProblemCode::StillWorking | ProblemCode::StoreUnavailable | ProblemCode::Replayed => {
            ErrorClass::Unknown
        }
        ProblemCode::WrongInstance
        | ProblemCode::StaleGeneration
        | ProblemCode::UnknownBoard
        | ProblemCode::WrongEpoch
        | ProblemCode::Held
        | ProblemCode::OtherMove
        | ProblemCode::WrongState
        | ProblemCode::Incomplete
        | ProblemCode::DigestMismatch
        | ProblemCode::NoRoute
        | ProblemCode::Unsupported => ErrorClass::Refused,
        ProblemCode::BadRequest
        | ProblemCode::MissingCredentials
        | ProblemCode::BadSignature
        | ProblemCode::Internal => ErrorClass::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_a_clear_no_and_a_silent_database_is_not() {
        let refused = |code| ControlError::Refused(Box::new(Problem::new(code, "")));
        assert_eq!(refused(ProblemCode::Held).class(), ErrorClass::Refused);
        assert_eq!(refused(ProblemCode::StoreUnavailable).class(), ErrorClass::Unknown);
        assert_eq!(refused(ProblemCode::Replayed).class(), ErrorClass::Unknown);
        assert_eq!(ControlError::TimedOut(Duration::from_secs(1)).class(), ErrorClass::Unknown);
    }
}
