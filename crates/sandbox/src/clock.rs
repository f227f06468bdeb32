//! What time it is in the sandbox.
//!
//! The wall clock is read at the start; from then on tokio's clock counts, so that time never jumps and a test
//! can pause it. Only dates that others write by their own wall clock are held against the real one.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::world::At;

/// The wall clock, for dates of others. The sandbox's own clock stands still while the machine sleeps, and
/// would take everybody else's for far in the future afterwards.
pub(crate) fn wall() -> Timestamp {
    Timestamp::now()
}

/// The sandbox's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_at: At,
}

impl Clock {
    /// A clock that shows `wall` now.
    pub(crate) fn starting_at(wall: Timestamp) -> Self {
        let ms = u64::try_from(wall.as_millisecond()).unwrap_or_default();
        Self { started: Instant::now(), started_at: At::from_ms(ms) }
    }

    pub(crate) fn now(&self) -> At {
        self.started_at.plus(self.started.elapsed())
    }

    /// The moment at which this clock will show `at`; now, when that has passed.
    pub(crate) fn instant(&self, at: At) -> Instant {
        self.started + at.since(self.started_at)
    }
}
