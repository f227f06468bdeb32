//! Eventual consistency: how long it takes until what was done is seen.
//!
//! <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>. Whoever launched an instance may
//! be told a moment later that there is none. All lags are zero unless the configuration says otherwise.

use std::time::Duration;

use super::at::At;

/// How late things show.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lags {
    /// A launch: listed by nobody, and `InvalidInstanceID.NotFound` by its id.
    pub(crate) launch: Duration,
    /// `CreateTags`.
    pub(crate) tags: Duration,
    /// `RegisterTargets`: `Target.NotRegistered`, and neither checked nor sent anything.
    pub(crate) targets: Duration,
}

/// Whether the calls of EC2 see an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    Hidden { until: At },
    Seen,
}

impl Sight {
    /// After a launch at `now`.
    pub(super) fn after(lag: Duration, now: At) -> Self {
        if lag.is_zero() { Self::Seen } else { Self::Hidden { until: now.plus(lag) } }
    }

    pub(super) const fn due(self) -> Option<At> {
        match self {
            Self::Hidden { until } => Some(until),
            Self::Seen => None,
        }
    }

    pub(super) fn at(self, now: At) -> Self {
        match self {
            Self::Hidden { until } if until <= now => Self::Seen,
            Self::Hidden { .. } | Self::Seen => self,
        }
    }
}
