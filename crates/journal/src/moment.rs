//! A moment by the machine's own clocks, those that nobody can set.
//!
//! The clock that deadlines are counted by stands still while a machine is suspended, and a lease does not: whoever
//! wakes has to know how long it slept.

use std::time::Duration;

use tokio::time::Instant;

/// When something was, for measuring what has passed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: Instant,
    /// How long the machine had been suspended by then, since it was started.
    slept: Duration,
}

impl Moment {
    pub fn now() -> Self {
        Self { at: Instant::now(), slept: slept() }
    }

    /// What has passed from `earlier` to this, sleep and all; zero when that was later.
    pub fn since(self, earlier: Self) -> Duration {
        let slept = self.slept.saturating_sub(earlier.slept);
        let slept = if slept < READ_APART { Duration::ZERO } else { slept };
        self.at.saturating_duration_since(earlier.at).saturating_add(slept)
    }
}

/// Two clocks are read for it, one after the other: what lies between the readings is no sleep, and a sleep that is as
/// short is within any lease's margin.
const READ_APART: Duration = Duration::from_secs(1);

/// Source: `clock_gettime(2)`: `CLOCK_BOOTTIME` is `CLOCK_MONOTONIC` and the time that the system is suspended.
#[cfg(target_os = "linux")]
fn slept() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let awake = clock_gettime(ClockId::Monotonic);
    let all = clock_gettime(ClockId::Boottime);
    let nanos =
        |time: rustix::time::Timespec| i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    Duration::from_nanos(u64::try_from(nanos(all) - nanos(awake)).unwrap_or(0))
}

/// Only where no daemon is run for others: nobody tells.
#[cfg(not(target_os = "linux"))]
fn slept() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
impl Moment {
    /// So much later, and some of it suspended.
    pub(crate) fn later(self, awake: Duration, asleep: Duration) -> Self {
        Self { at: self.at + awake, slept: self.slept + asleep }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_slept_has_passed_as_well() {
        let (awake, asleep) = (Duration::from_secs(2), Duration::from_mins(10));
        let before = Moment::now();
        let after = before.later(awake, asleep);
        assert_eq!(after.since(before), Duration::from_secs(602));
        assert_eq!(before.since(after), Duration::ZERO);
    }

    #[test]
    fn a_machine_that_is_awake_sleeps_not() {
        let before = Moment::now();
        let after = before.later(Duration::ZERO, Duration::from_millis(4));
        assert_eq!(after.since(before), Duration::ZERO, "it took as long to read the clocks");
        assert!(Moment::now().slept.abs_diff(before.slept) < READ_APART);
    }
}
