//! Recorded time and chance.

use segue_domain::time::Timestamp;
pub use segue_journal::Moment;

/// The wall clock, for times that are recorded. Waiting uses `tokio::time`, so that tests can pause it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Chance, for jitter; seeded in tests.
pub trait Entropy: Send + Sync {
    /// A number from 0 up to, not including, `bound`; 0 when `bound` is 0.
    fn below(&self, bound: u64) -> u64;
}
