//! Why what somebody asked for was not done.

use segue_domain::refusal::Refusal;

use crate::ledger::LedgerError;
use crate::pen::WriteError;

/// It was refused, or nobody can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It may have been done, and the journal will say so: whoever asked looks, or asks again under the same key.
    #[error("it is not known whether this was done: {why}")]
    NotKnown { why: String },
}

impl AskError {
    /// Stable, with a page under docs/errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NotKnown { .. } => "outcome-unknown",
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::NotKnown { .. } => {
                "look what there is; a release that is asked for again with the same Idempotency-Key begins once".to_owned()
            }
        }
    }
}

impl From<WriteError> for AskError {
    fn from(error: WriteError) -> Self {
        let why = error.to_string();
        match error {
            WriteError::Lost | WriteError::Unwritable(_) => Self::Refused(Refusal::NotServed { why }),
            WriteError::NotKnown => Self::NotKnown { why },
        }
    }
}

impl From<LedgerError> for AskError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Write(error) => error.into(),
            error @ (LedgerError::Moved | LedgerError::Illegal(_)) => {
                Self::Refused(Refusal::NotServed { why: error.to_string() })
            }
        }
    }
}
