//! A moment, as people read it: RFC 3339, UTC, always three digits of milliseconds.
//!
//! One fixed width, so that a column of times lines up and texts sort as times. It reads no clock.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// A moment in UTC with millisecond precision: `2026-11-21T23:00:41.007Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T23:00:41.007Z")]
pub struct Time(Timestamp);

impl Time {
    /// What is finer than a millisecond is cut off.
    pub fn new(at: Timestamp) -> Self {
        Self::from_unix_ms(at.as_millisecond()).unwrap_or(Self(at))
    }

    /// `None` outside of the years that RFC 3339 can write.
    pub fn from_unix_ms(unix_ms: i64) -> Option<Self> {
        Timestamp::from_millisecond(unix_ms).ok().map(Self)
    }

    pub fn unix_ms(self) -> i64 {
        self.0.as_millisecond()
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self::new(at)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Timestamp>().map(Self::new)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_three_digits_of_milliseconds() {
        let time = Time::from_unix_ms(1_795_302_041_007).expect("inside the range");
        assert_eq!(time.to_string(), "2026-11-21T23:00:41.007Z");
        let full_second = Time::from_unix_ms(1_795_302_041_000).expect("inside the range");
        assert_eq!(full_second.to_string(), "2026-11-21T23:00:41.000Z");
    }

    #[test]
    fn what_is_finer_than_a_millisecond_is_cut_off() {
        let time: Time = "2026-11-21T23:00:41.007999Z".parse().expect("RFC 3339");
        assert_eq!(time.unix_ms(), 1_795_302_041_007);
    }

    #[test]
    fn json_keeps_the_moment() {
        let time = Time::from_unix_ms(1).expect("inside the range");
        let json = serde_json::to_string(&time).expect("serializes");
        assert_eq!(json, "\"1970-01-01T00:00:00.001Z\"");
        assert_eq!(serde_json::from_str::<Time>(&json).expect("parses"), time);
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
    }
}
