//! A constant pace: how many attaches may be asked of one new server, and when the next may begin.
//!
//! This is the polite half. The new server's own token bucket is what makes the promise hold, also when the
//! daemon is killed and starts again.

use std::time::Duration;

/// So many in a second, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub per_s: u32,
}

impl Pace {
    /// How many fit into a span, at least one.
    pub fn fit_within(self, span: Duration) -> u64 {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        (u64::from(self.per_s).saturating_mul(ms) / 1_000).max(1)
    }

    /// How long `count` of them take.
    pub fn time_for(self, count: u64) -> Duration {
        let per_s = u64::from(self.per_s.max(1));
        Duration::from_micros(count.saturating_mul(1_000_000) / per_s)
    }
}

/// Spaces pieces of work so that each begins when the ones before it have had their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limiter {
    pace: Pace,
    /// Since the limiter began: when the next piece may begin.
    next_at: Duration,
}

impl Limiter {
    pub fn new(pace: Pace) -> Self {
        Self { pace, next_at: Duration::ZERO }
    }

    /// When a piece of this size, ready at `now`, may begin; `now` and the answer count from the limiter's
    /// beginning. Time that nobody used is not saved up.
    pub fn begin_at(&mut self, now: Duration, size: u64) -> Duration {
        let begin = self.next_at.max(now);
        self.next_at = begin + self.pace.time_for(size);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limiter_never_lets_more_begin_than_its_pace() {
        let mut limiter = Limiter::new(Pace { per_s: 100 });
        let begins: Vec<u128> = (0..5).map(|_| limiter.begin_at(Duration::ZERO, 10).as_millis()).collect();
        assert_eq!(begins, [0, 100, 200, 300, 400]);
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let mut limiter = Limiter::new(Pace { per_s: 10 });
        assert_eq!(limiter.begin_at(Duration::from_secs(9), 10), Duration::from_secs(9));
        assert_eq!(limiter.begin_at(Duration::from_secs(9), 10), Duration::from_secs(10));
    }

    #[test]
    fn at_least_one_always_fits() {
        assert_eq!(Pace { per_s: 1 }.fit_within(Duration::from_millis(10)), 1);
        assert_eq!(Pace { per_s: 500 }.fit_within(Duration::from_secs(4)), 2_000);
    }
}
