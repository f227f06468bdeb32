//! Why a call at a port brought nothing, in the only terms that the engine decides by.

use std::fmt;

use segue_domain::effect::Lack;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct CallError {
    pub class: Class,
    /// One lower-case sentence: what was asked, and what came back.
    pub what: String,
    /// What would have to be there for the same to go through, when the other side says so.
    pub lack: Option<Lack>,
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
        Self::of(Class::Retry, what)
    }

    pub fn refused(what: impl Into<String>) -> Self {
        Self::of(Class::Refused, what)
    }

    /// Refused for want of room: elsewhere there may be some.
    pub fn no_room(what: impl Into<String>) -> Self {
        Self { lack: Some(Lack::Room), ..Self::refused(what) }
    }

    pub fn unknown(what: impl Into<String>) -> Self {
        Self::of(Class::Unknown, what)
    }

    pub fn bug(what: impl Into<String>) -> Self {
        Self::of(Class::Bug, what)
    }

    /// Whatever another one answered, what goes into the journal and onto pages is bounded.
    pub fn of(class: Class, what: impl Into<String>) -> Self {
        Self { class, what: brief(what, WHAT_MAX_BYTES), lack: None }
    }
}

/// The longest text of a failed call: enough for the end of a command's output.
pub(crate) const WHAT_MAX_BYTES: usize = 4_000;

/// The beginning of a text that came from elsewhere, at most `max_bytes` of it and a mark where it was cut.
pub(crate) fn brief(text: impl Into<String>, max_bytes: usize) -> String {
    let mut text = text.into();
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push('…');
    }
    text
}

/// An error and its causes in one line; a cause that the line before it ends with is left out.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut lines: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        // Some errors tell their cause themselves.
        if !lines.last().is_some_and(|told| told.ends_with(&cause)) {
            lines.push(cause);
        }
    }
    lines.join(": ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Outer {
        what: &'static str,
        #[source]
        source: CallError,
    }

    #[test]
    fn an_error_and_its_causes_are_one_line_and_say_nothing_twice_in_a_row() {
        for (what, line) in [("the journal is away", "the journal is away: cut"), ("cut", "cut")] {
            assert_eq!(chain(&Outer { what, source: CallError::unknown("cut") }), line);
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        for (text, brief_text) in [("abc", "abc"), ("abcd", "abcd"), ("abcde", "abcd…"), ("abcü", "abc…")]
        {
            assert_eq!(brief(text, 4), brief_text);
        }
        assert!(CallError::refused("x".repeat(2_000_000)).what.len() < WHAT_MAX_BYTES + 5);
    }
}
