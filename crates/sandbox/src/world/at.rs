//! A moment, as a value: the world never reads a clock, it is told what time it is.

use std::time::Duration;

use jiff::Timestamp;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At(u64);

impl At {
    pub(crate) const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    pub(crate) const fn ms(self) -> u64 {
        self.0
    }

    pub(crate) fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` until this moment; zero when it is in the future.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `2026-11-21T23:00:56.000Z`, the form AWS answers with.
    pub(crate) fn rfc3339(self) -> String {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        let stamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        format!("{stamp:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_aws_writes_it() {
        assert_eq!(At::from_ms(1_700_000_000_500).rfc3339(), "2023-11-14T22:13:20.500Z");
    }

    #[test]
    fn the_time_since_the_future_is_zero() {
        assert_eq!(At::from_ms(5).since(At::from_ms(9)), Duration::ZERO);
    }
}
