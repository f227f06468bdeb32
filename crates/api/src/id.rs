//! Names that travel in paths and headers, checked once.
//!
//! A `ReleaseId` can be put into a URL or a log line as it is; nothing later has to escape it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

const RELEASE_ID_BYTES_MAX: usize = 96;
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
const ACTOR_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidId {
    #[error("`{0}` is not a release: one is named SERVICE-NUMBER, such as boards-17")]
    Release(String),
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters")]
    IdempotencyKey,
    #[error("a name has 1 to {ACTOR_BYTES_MAX} visible ASCII characters, and spaces only between them")]
    Actor,
}

/// The name of a release, SERVICE-NUMBER, so that it can be said aloud: `boards-17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "boards-17")]
pub struct ReleaseId(String);

impl ReleaseId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidId::Release(text.chars().take(RELEASE_ID_BYTES_MAX).collect());
        let (service, number) = text.rsplit_once('-').ok_or_else(invalid)?;
        let number_counts = number.parse::<u64>().is_ok_and(|n| n > 0)
            && number.bytes().all(|b| b.is_ascii_digit())
            && !number.starts_with('0');
        let service_reads = service.starts_with(|c: char| c.is_ascii_lowercase())
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if text.len() > RELEASE_ID_BYTES_MAX || !number_counts || !service_reads {
            return Err(invalid());
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes a repeated request the same request. Chosen by the caller, one for each intention: a CI job
/// uses its run's id, a person's terminal a random one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::IdempotencyKey)
        }
    }
}

/// The person or job that asks: `ada`, `ci run 8812`. The daemon believes it and writes it into the journal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor(String);

impl Actor {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Actor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=ACTOR_BYTES_MAX).contains(&text.len()) && text.trim() == text;
        if fits && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::Actor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_named_by_its_service_and_number() {
        for text in ["boards-1", "web-eu-204"] {
            assert_eq!(text.parse::<ReleaseId>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_not_a_release_is_refused_with_an_example() {
        for text in ["", "boards", "boards-", "boards-0", "boards-01", "-1", "a/b-1", "Boards-1", "boards-+1"]
        {
            let refused = text.parse::<ReleaseId>().expect_err(text);
            assert!(refused.to_string().contains("boards-17"), "{refused}");
        }
        assert!("b".repeat(200).parse::<ReleaseId>().is_err());
    }

    #[test]
    fn an_actor_has_a_name_that_fits_into_a_header() {
        assert!("ci run 8812".parse::<Actor>().is_ok());
        for text in ["", " ", " ada", "line\nbreak", "zo\u{eb}", &"a".repeat(65)] {
            assert_eq!(text.parse::<Actor>(), Err(InvalidId::Actor), "{text:?}");
        }
    }

    #[test]
    fn an_idempotency_key_fits_into_a_header() {
        assert!("ci-run-8812".parse::<IdempotencyKey>().is_ok());
        for text in ["", "two words", "line\nbreak", &"k".repeat(129)] {
            assert_eq!(text.parse::<IdempotencyKey>(), Err(InvalidId::IdempotencyKey), "{text:?}");
        }
    }
}
