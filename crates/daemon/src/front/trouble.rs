//! Why the engine or the journal could not tell, as problems.

use segue_domain::ids::ReleaseId;
use segue_engine::ports::chain;
use segue_engine::{BookError, OpenError};
use segue_journal::ReadError;

use super::unknown;
use crate::problem::{Fault, Refused};

pub(super) fn open(id: &ReleaseId, error: &OpenError) -> Refused {
    match error {
        OpenError::Empty { .. } => unknown(id),
        OpenError::Read { source, .. } => read(source),
        OpenError::Fold { .. } => failed(error),
    }
}

pub(super) fn book(error: &BookError) -> Refused {
    failed(error)
}

/// A journal that does not answer is no defect; one that reads wrong is.
pub(super) fn read(error: &ReadError) -> Refused {
    match error {
        ReadError::Unavailable(_) => {
            tracing::warn!(error = chain(error), "the journal cannot be read");
            Fault::JournalAway.into()
        }
        ReadError::Newer { .. }
        | ReadError::Broken { .. }
        | ReadError::TooManyStreams
        | ReadError::NoSuchStream { .. } => failed(error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Refused {
    tracing::error!(error = chain(error), "a request failed");
    Fault::Internal.into()
}
