//! The wall clock, for the one thing that needs it: time stamps of control calls. Everything else in
//! this crate counts from its own start and never asks what day it is.

use std::fmt;
use std::sync::Arc;

use crate::auth::UnixMs;

/// Where the time of day comes from; a test brings its own.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> UnixMs + Send + Sync>);

impl WallClock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_fn(|| {
            let ms = jiff::Timestamp::now().as_millisecond();
            UnixMs(u64::try_from(ms).expect("the machine's clock stands after 1970"))
        })
    }

    pub fn from_fn(now: impl Fn() -> UnixMs + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> UnixMs {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}
