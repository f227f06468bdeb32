//! How the calls at the ports went, counted for the metrics page.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Call;
use crate::ports::Class;

/// Calls since the daemon started, by port and method. As many rows as the ports have methods.
#[derive(Debug, Default)]
pub struct CallStats {
    rows: Mutex<BTreeMap<Call, CallStat>>,
}

/// One method's calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallStat {
    pub ok: u64,
    pub retry: u64,
    pub refused: u64,
    pub unknown: u64,
    pub bug: u64,
    /// Time spent in calls, waiting for a place included.
    pub spent: Duration,
}

impl CallStats {
    pub(super) fn count(&self, call: Call, spent: Duration, failed: Option<Class>) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(call).or_default();
        row.spent = row.spent.saturating_add(spent);
        let counter = match failed {
            None => &mut row.ok,
            Some(Class::Retry) => &mut row.retry,
            Some(Class::Refused) => &mut row.refused,
            Some(Class::Unknown) => &mut row.unknown,
            Some(Class::Bug) => &mut row.bug,
        };
        *counter = counter.saturating_add(1);
    }

    pub fn rows(&self) -> BTreeMap<Call, CallStat> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
