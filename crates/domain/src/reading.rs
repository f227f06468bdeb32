//! A number that was read, or the reason why it was not. Unknown is never zero.
//!
//! There is deliberately no `unwrap_or`, no `Default` and no conversion to a number: whoever wants the
//! value says what happens without it.

use std::fmt;
use std::time::Duration;

/// What the outside world said, or why it said nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    Known {
        value: T,
        /// How old the value was when it was observed.
        age: Duration,
    },
    Unknown(Why),
}

/// Why a reading is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nobody has looked yet, or this tick does not need it.
    NotAsked,
    /// The source could not be reached, or did not answer in time.
    Unreachable(String),
    /// The source answered, and does not know this one: an empty vector, an instance not listed.
    Missing,
    /// The last sample is older than the limit.
    Stale { age: Duration, limit: Duration },
    /// The source answered with something that cannot be used: NaN, two series, a negative, a warning.
    Unusable(String),
    /// The source refused to answer.
    Refused(String),
}

impl<T> Reading<T> {
    pub fn fresh(value: T) -> Self {
        Self::Known { value, age: Duration::ZERO }
    }

    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown(_) => None,
        }
    }

    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Known { .. } => None,
            Self::Unknown(why) => Some(why),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked => f.write_str("nobody has looked yet"),
            Self::Unreachable(what) => write!(f, "no answer: {what}"),
            Self::Missing => f.write_str("the source does not know it"),
            // The age grows with every look: told, it would make one long wait a new one each second.
            Self::Stale { limit, .. } => {
                write!(f, "the last sample is older than the limit of {} s", limit.as_secs())
            }
            Self::Unusable(what) => write!(f, "the answer cannot be used: {what}"),
            Self::Refused(what) => write!(f, "refused: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_reading_is_told_in_the_same_words_however_old_it_grows() {
        let stale =
            |s| Why::Stale { age: Duration::from_secs(s), limit: Duration::from_secs(10) }.to_string();
        assert_eq!(stale(11), "the last sample is older than the limit of 10 s");
        assert_eq!(stale(11), stale(500));
    }

    #[test]
    fn an_unknown_reading_has_no_value() {
        let reading: Reading<u64> = Reading::Unknown(Why::Missing);
        assert_eq!(reading.known(), None);
        assert_eq!(reading.why(), Some(&Why::Missing));
    }
}
