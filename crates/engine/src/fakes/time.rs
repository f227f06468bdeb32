//! The wall clock that follows tokio's, and chance from a seed.

use std::sync::{Mutex, PoisonError};

use segue_domain::time::Timestamp;
use tokio::time::Instant;

use crate::ports::{Clock, Entropy};

/// The world's beginning plus what tokio's clock has run since, and what this clock is ahead of the true one.
#[derive(Debug, Clone, Copy)]
pub struct FakeClock {
    began: Instant,
    ahead_ms: i64,
}

impl FakeClock {
    pub(super) fn new(began: Instant, ahead_ms: i64) -> Self {
        Self { began, ahead_ms }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let right = super::at(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Timestamp::from_ms(right.as_ms().saturating_add(self.ahead_ms))
    }
}

/// The same numbers for the same seed.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<fastrand::Rng>);

impl SeededEntropy {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(0..bound)
    }
}
