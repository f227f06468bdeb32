//! The 99th percentile of the last 10 to 20 seconds, in constant memory. Pure.

use std::time::Duration;

use crate::board::Moment;

const SPAN: Duration = Duration::from_secs(10);
/// Bucket `n` ends at `1.25^n` tenths of a millisecond; the last one, at over 100 s, takes all the rest.
const BUCKETS: usize = 64;
const FIRST_MS: f64 = 0.1;
const GROWTH: f64 = 1.25;

/// Two spans of counts: the one that is being filled and the one before it.
#[derive(Debug)]
pub(super) struct Latency {
    current: [u32; BUCKETS],
    before: [u32; BUCKETS],
    began: Moment,
}

impl Default for Latency {
    fn default() -> Self {
        Self { current: [0; BUCKETS], before: [0; BUCKETS], began: Moment::default() }
    }
}

impl Latency {
    pub(super) fn record(&mut self, took: Duration, now: Moment) {
        self.turn(now);
        let ms = took.as_secs_f64() * 1_000.0;
        let bucket = upper_bounds_ms().position(|upper_ms| ms <= upper_ms).unwrap_or(BUCKETS - 1);
        if let Some(count) = self.current.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    /// `None` when nothing was recorded; otherwise up to a quarter too high, never too low.
    pub(super) fn p99_ms(&mut self, now: Moment) -> Option<f64> {
        self.turn(now);
        let both = || self.current.iter().zip(&self.before).map(|(a, b)| u64::from(*a) + u64::from(*b));
        let total: u64 = both().sum();
        let rank = (total * 99).div_ceil(100);
        let mut seen = 0;
        for (count, upper_ms) in both().zip(upper_bounds_ms()) {
            seen += count;
            if seen >= rank && seen > 0 {
                return Some(upper_ms);
            }
        }
        None
    }

    fn turn(&mut self, now: Moment) {
        let age = now.since(self.began);
        if age < SPAN {
            return;
        }
        let filled = std::mem::replace(&mut self.current, [0; BUCKETS]);
        self.before = if age < SPAN * 2 { filled } else { [0; BUCKETS] };
        self.began = now;
    }
}

fn upper_bounds_ms() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(FIRST_MS), |upper_ms| Some(upper_ms * GROWTH)).take(BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment(Duration::from_secs(s))
    }

    #[test]
    fn the_percentile_is_never_below_the_truth_and_at_most_a_quarter_above() {
        let mut latency = Latency::default();
        assert_eq!(latency.p99_ms(at(0)), None, "nothing is not zero");
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms), at(1));
        }
        let p99_ms = latency.p99_ms(at(1)).expect("recorded");
        assert!((99.0..=99.0 * GROWTH).contains(&p99_ms), "{p99_ms}");
    }

    #[test]
    fn what_is_older_than_two_spans_is_forgotten() {
        let mut latency = Latency::default();
        latency.record(Duration::from_secs(1), at(1));
        assert!(latency.p99_ms(at(12)).is_some());
        assert_eq!(latency.p99_ms(at(35)), None);
    }
}
