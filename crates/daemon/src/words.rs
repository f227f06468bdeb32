//! What the engine's values are called in front of people: one stable code and one sentence for each.
//!
//! Page, event stream and command line all show these; nobody words the same thing twice. A code never
//! changes its meaning; a sentence may get better. What a record says is worded by the journal itself
//! ([`segue_journal::view`]), because it is read without a daemon too.

mod codes;
mod event;
mod hold;
mod lists;
mod waiting;

use segue_api::Explanation;
use segue_domain::state::Stance;

pub(crate) use event::{ended, kind, step};
pub(crate) use hold::{cause, gate, reason, refused_checks};
pub(crate) use lists::{counted, group, some};
pub(crate) use waiting::{then, waiting};

/// What a release is doing, in one word.
pub(crate) fn stance(stance: &Stance) -> &'static str {
    match stance {
        Stance::Going => "running",
        Stance::Paused { .. } => "paused",
        Stance::Asking { .. } => "asking",
        Stance::Held { .. } => "held",
        Stance::Closed { .. } => "closed",
    }
}

/// A code with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) code: &'static str,
    pub(crate) sentence: String,
}

impl Phrase {
    fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

fn explained(coded: &impl codes::Coded, sentence: impl Into<String>, hint: impl Into<String>) -> Explanation {
    Explanation { code: coded.code().to_owned(), sentence: sentence.into(), hint: Some(hint.into()) }
}
