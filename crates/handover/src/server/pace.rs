//! How fast something may happen, and how fast it did. Pure: time is an argument.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::board::Moment;

/// The span in which the limit is kept and measured.
pub(super) const WINDOW: Duration = Duration::from_millis(100);

/// A token bucket whose tokens come back one window after they were spent: never more than a tenth of
/// the limit within *any* 100 ms, which a bucket that refills steadily cannot promise right after a rest.
/// Below ten a second it is one token, for a span that keeps the rate.
#[derive(Debug)]
pub(super) struct Pace {
    limit_per_s: NonZeroU32,
    /// When each spent token was spent, oldest first.
    spent: VecDeque<Moment>,
}

impl Pace {
    pub(super) fn new(limit_per_s: NonZeroU32) -> Self {
        Self { limit_per_s, spent: VecDeque::new() }
    }

    pub(super) fn limit_per_s(&self) -> NonZeroU32 {
        self.limit_per_s
    }

    pub(super) fn set_limit(&mut self, limit_per_s: NonZeroU32) {
        self.limit_per_s = limit_per_s;
    }

    /// Spends a token, or says when the next one comes back.
    pub(super) fn take(&mut self, now: Moment) -> Result<(), Moment> {
        let span = self.span();
        while self.spent.front().is_some_and(|spent| spent.after(span) <= now) {
            self.spent.pop_front();
        }
        let tokens = usize::try_from(per_window(self.limit_per_s)).unwrap_or(usize::MAX);
        // After the limit was lowered more tokens may be out than there are.
        if let Some(returns_first) =
            self.spent.len().checked_sub(tokens).and_then(|over| self.spent.get(over))
        {
            return Err(returns_first.after(span));
        }
        self.spent.push_back(now);
        Ok(())
    }

    fn span(&self) -> Duration {
        WINDOW.max(Duration::from_secs(1) / self.limit_per_s.get())
    }
}

/// How many are allowed within one window.
fn per_window(limit_per_s: NonZeroU32) -> u32 {
    (limit_per_s.get() / 10).max(1)
}

/// What happened, measured without regard to what was allowed.
#[derive(Debug, Default)]
pub(super) struct Meter {
    recent: VecDeque<Moment>,
    pub(super) peak_in_window: u32,
    pub(super) overruns_total: u64,
    pub(super) total: u64,
}

impl Meter {
    pub(super) fn count(&mut self, now: Moment, limit_per_s: NonZeroU32) {
        while self.recent.front().is_some_and(|earlier| earlier.after(WINDOW) <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.total += 1;
        let in_window = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        self.peak_in_window = self.peak_in_window.max(in_window);
        if in_window > per_window(limit_per_s) {
            self.overruns_total += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(per_s: u32) -> NonZeroU32 {
        NonZeroU32::new(per_s).expect("not zero")
    }

    fn at(ms: u64) -> Moment {
        Moment(Duration::from_millis(ms))
    }

    #[test]
    fn after_a_rest_a_tenth_of_the_limit_goes_at_once_and_the_next_one_waits() {
        let mut pace = Pace::new(limit(50));
        for _ in 0..5 {
            assert_eq!(pace.take(at(1_000)), Ok(()));
        }
        assert_eq!(pace.take(at(1_000)), Err(at(1_100)));
        assert_eq!(pace.take(at(1_100)), Ok(()));
    }

    #[test]
    fn below_ten_a_second_they_go_one_by_one() {
        let mut pace = Pace::new(limit(2));
        assert_eq!(pace.take(at(0)), Ok(()));
        assert_eq!(pace.take(at(499)), Err(at(500)));
        assert_eq!(pace.take(at(500)), Ok(()));
    }

    #[test]
    fn a_lowered_limit_holds_from_the_next_one_on() {
        let mut pace = Pace::new(limit(100));
        for _ in 0..10 {
            assert_eq!(pace.take(at(0)), Ok(()));
        }
        pace.set_limit(limit(20));
        assert_eq!(pace.take(at(50)), Err(at(100)));
        assert_eq!(pace.take(at(100)), Ok(()));
    }

    #[test]
    fn the_meter_finds_the_peak_wherever_it_lies() {
        let mut meter = Meter::default();
        for ms in [0, 60, 99, 120, 150, 159, 400] {
            meter.count(at(ms), limit(40));
        }
        assert_eq!((meter.peak_in_window, meter.overruns_total, meter.total), (5, 1, 7));
    }

    proptest! {
        #[test]
        fn no_window_ever_sees_more_than_the_limit_allows(
            per_s in 1_u32..500,
            gaps_us in prop::collection::vec(0_u64..40_000, 1..400),
        ) {
            let (mut pace, mut meter) = (Pace::new(limit(per_s)), Meter::default());
            let mut now = Duration::ZERO;
            for gap_us in gaps_us {
                now += Duration::from_micros(gap_us);
                if pace.take(Moment(now)).is_ok() {
                    meter.count(Moment(now), limit(per_s));
                }
            }
            prop_assert_eq!(meter.overruns_total, 0);
            prop_assert!(meter.peak_in_window <= per_window(limit(per_s)));
        }
    }
}
