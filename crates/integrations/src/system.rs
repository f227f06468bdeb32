//! The machine's clock and chance: the one place where either is read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use segue_domain::time::Timestamp;
use segue_engine::ports::{Clock, Entropy, Moment};

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the Clock that everybody else asks")]
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).expect("the machine's clock stands after 1970");
        Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// What the wall clock showed when this was made, and what has passed since, asleep or not: a clock that is set meanwhile
/// moves no deadline and makes no sample newer. What others check against their own clocks (signatures) takes
/// [`SystemClock`].
#[derive(Debug)]
pub struct SteadyClock {
    began_at: Timestamp,
    began: Moment,
    /// The latest that it has shown, in milliseconds: what has passed is told by several clocks, and they are read one
    /// after the other.
    shown: AtomicI64,
}

impl SteadyClock {
    pub fn starting(wall: &dyn Clock) -> Self {
        Self { began_at: wall.now(), began: Moment::now(), shown: AtomicI64::new(i64::MIN) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let now = self.began_at.after(Moment::now().since(self.began)).as_ms();
        Timestamp::from_ms(self.shown.fetch_max(now, Ordering::AcqRel).max(now))
    }
}

/// Numbers for jitter. Not for secrets.
#[derive(Debug)]
pub struct RandomEntropy(Mutex<fastrand::Rng>);

impl RandomEntropy {
    /// Another sequence in every process, so that two daemons do not wait in step.
    pub fn new() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    /// The same sequence for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Default for RandomEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for RandomEntropy {
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_after_this_was_written_and_before_its_reader_retires() {
        let (written, retired) = (1_795_000_000_000, 4_000_000_000_000);
        assert!((written..retired).contains(&SystemClock.now().as_ms()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_moves_no_steady_clock() {
        /// Shows what was set.
        struct Set(std::sync::atomic::AtomicI64);
        impl Clock for Set {
            fn now(&self) -> Timestamp {
                Timestamp::from_ms(self.0.load(std::sync::atomic::Ordering::SeqCst))
            }
        }
        let wall = Set(1_000_000.into());
        let steady = SteadyClock::starting(&wall);
        wall.0.store(400, std::sync::atomic::Ordering::SeqCst);
        tokio::time::advance(std::time::Duration::from_secs(3)).await;
        assert_eq!(steady.now(), Timestamp::from_ms(1_003_000));
    }

    #[test]
    fn the_same_seed_brings_the_same_numbers_and_all_are_below_the_bound() {
        let draw = |seed| {
            let entropy = RandomEntropy::from_seed(seed);
            (0..100).map(|_| entropy.below(1_000)).collect::<Vec<u64>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|number| *number < 1_000));
        assert_eq!(RandomEntropy::from_seed(7).below(0), 0);
    }
}
