//! A person's word to a plan that was shown: a yes, or nothing is done.

use std::io::{self, BufRead, IsTerminal};

use crate::text;

/// More than any yes is long.
const ANSWER_BYTES_MAX: u64 = 64;

/// Who says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// The command line did.
    Given,
    /// Whoever sits at the terminal is asked.
    Asked,
    /// Nobody can.
    Nobody,
}

impl Consent {
    /// Whoever answers here, if it is a person.
    pub(super) fn without_yes(input: &impl IsTerminal) -> Self {
        if input.is_terminal() { Self::Asked } else { Self::Nobody }
    }
}

/// Why there was no yes. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotConfirmed {
    AnsweredNo,
    NobodyThere,
}

impl NotConfirmed {
    /// One for both: a script does the same about either.
    fn code() -> &'static str {
        "not-confirmed"
    }

    /// As a refusal of the daemon is told.
    pub(super) fn told(self) -> String {
        let (sentence, hint) = match self {
            Self::AnsweredNo => (
                "the answer was not yes, and nothing was changed",
                "ask again and answer y; --instance names those that shall be taken in",
            ),
            Self::NobodyThere => {
                ("nobody is there to say yes, and nothing was changed", "--yes takes them in without asking")
            }
        };
        text::refusal(Self::code(), sentence, hint)
    }
}

/// One line. What is no clear yes, is too long to be one, or never came, is no.
pub(super) fn says_yes(answers: impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    answers.take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line)?;
    // Cut off by the limit it would be judged by its beginning alone.
    let is_whole = line.ends_with(b"\n");
    let answer = line.trim_ascii().to_ascii_lowercase();
    Ok(is_whole && matches!(answer.as_slice(), b"y" | b"yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> bool {
        says_yes(text.as_bytes()).expect("it can be read")
    }

    #[test]
    fn only_a_whole_line_that_says_yes_is_a_yes() {
        for yes in ["y\n", "Y\n", "yes\n", " YES \r\n", "y\nno\n"] {
            assert!(answered(yes), "{yes:?}");
        }
        for no in ["n\n", "no\n", "\n", "", "yes, but\n", "y\u{e9}s\n"] {
            assert!(!answered(no), "{no:?}");
        }
        // The terminal went away in the middle of a word.
        assert!(!answered("y") && !answered("yes"));
    }

    #[test]
    fn of_a_line_that_does_not_end_no_more_is_read_than_an_answer_is_long() {
        let mut endless = io::BufReader::with_capacity(1, io::repeat(b'y'));
        assert!(!says_yes(&mut endless).expect("it comes back"));
        assert!(!answered(&format!("yes{}no\n", " ".repeat(1_000))));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_no_answer() {
        struct Gone;
        impl io::Read for Gone {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        assert!(says_yes(io::BufReader::new(Gone)).is_err());
    }

    #[test]
    fn without_a_yes_it_is_refused_with_one_code_and_a_hint() {
        for why in [NotConfirmed::AnsweredNo, NotConfirmed::NobodyThere] {
            assert!(why.told().starts_with("refused (not-confirmed): "), "{}", why.told());
            assert!(why.told().contains("nothing was changed\nhint: "), "{}", why.told());
        }
        let nobody = std::fs::File::open("/dev/null").expect("it is there");
        assert_eq!(Consent::without_yes(&nobody), Consent::Nobody);
    }
}
