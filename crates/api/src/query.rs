//! What may stand behind the question mark, with its limits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::{IntoParams, ToSchema};

const WAIT_S_MAX: u64 = 60;

/// How long `GET /v1/releases/{id}` may hold its answer until something changes: `0s` to `60s`.
///
/// Shorter than the idle time-outs of proxies on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "30s")]
pub struct Wait(u64);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no waiting time: write whole seconds from 0s to {WAIT_S_MAX}s")]
pub struct InvalidWait(String);

impl Wait {
    /// Cut to the longest that is allowed.
    pub fn at_most(seconds: u64) -> Self {
        Self(seconds.min(WAIT_S_MAX))
    }

    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Wait {
    type Err = InvalidWait;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.strip_suffix('s').and_then(|digits| digits.parse().ok());
        match seconds {
            Some(seconds @ 0..=WAIT_S_MAX) => Ok(Self(seconds)),
            Some(_) | None => Err(InvalidWait(text.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

impl TryFrom<String> for Wait {
    type Error = InvalidWait;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Wait> for String {
    fn from(wait: Wait) -> Self {
        wait.to_string()
    }
}

/// `GET /v1/releases/{id}`. Waiting needs `If-None-Match`; without it the answer comes at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReleaseQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<Wait>,
}

/// `GET /v1/releases`: the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// 1 to 200; 20 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl HistoryQuery {
    pub const LIMIT_DEFAULT: u32 = 20;
    pub const LIMIT_MAX: u32 = 200;
}

/// `GET /v1/events` and `GET /v1/releases/{id}/events`, for those who cannot set `Last-Event-ID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only what came after this event's id. The header wins where both are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_whole_seconds_up_to_a_minute() {
        assert_eq!("30s".parse::<Wait>().expect("fits").seconds(), 30);
        assert_eq!(Wait::at_most(900).to_string(), "60s");
        for text in ["", "30", "61s", "-1s", "1m", "1.5s", "s"] {
            assert_eq!(text.parse::<Wait>(), Err(InvalidWait(text.to_owned())));
        }
    }
}
