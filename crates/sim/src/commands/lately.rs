//! What was done last before a law was broken: a run that failed is played once more, and looked at up to there.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use segue_engine::fakes::Site;
use segue_journal::Record;
use serde::Serialize;

use super::watched;
use crate::plan::Plan;
use crate::run::{Outcome, Watcher, Watchers};
use crate::strike::Kind;

/// Operations that are told before a violation.
const TOLD: usize = 50;

/// Where a run was when its first law was broken. An operation is a call at a port, or a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lately {
    /// The world's time at that moment; at the end of the run where the law is one of the end.
    pub at_ms: u64,
    /// The last operation's number, from 1.
    pub operation: u64,
    /// The last operations up to it, the oldest first.
    pub operations: Vec<String>,
}

impl Lately {
    /// Plays a run that failed again; none of one that did not.
    pub(super) fn of(plan: &Plan, dies_at: &[u64], outcome: &Outcome) -> Option<Self> {
        if outcome.violations.is_empty() {
            return None;
        }
        let broken_ms = outcome.violations.iter().filter_map(|violation| moment(violation)).min();
        let last = Arc::new(Last { until_ms: broken_ms, seen: Mutex::default() });
        let again = watched(plan, dies_at, &Watchers::default().and(Arc::<Last>::clone(&last)));
        let seen = std::mem::take(&mut *last.seen.lock().unwrap_or_else(PoisonError::into_inner));
        Some(Self {
            at_ms: broken_ms.unwrap_or(again.virtual_ms),
            operation: seen.operation,
            operations: seen.operations.into(),
        })
    }
}

impl fmt::Display for Lately {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.operations.len();
        write!(f, "  at {:.3} s, after operation {}; the last {told}:", seconds(self.at_ms), self.operation)?;
        self.operations.iter().try_for_each(|operation| write!(f, "\n    {operation}"))
    }
}

/// When it was broken, if its law is not one of the end: `S2: 1200 ms: …`.
fn moment(violation: &str) -> Option<u64> {
    let (_, rest) = violation.split_once(": ")?;
    let (ms, _) = rest.split_once(" ms: ")?;
    ms.parse().ok()
}

/// The last operations up to a time.
struct Last {
    until_ms: Option<u64>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    operation: u64,
    operations: VecDeque<String>,
}

impl Last {
    fn take(&self, now_ms: u64, line: impl FnOnce() -> String) {
        if self.until_ms.is_some_and(|until_ms| now_ms > until_ms) {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.operation += 1;
        if seen.operations.len() == TOLD {
            seen.operations.pop_front();
        }
        seen.operations.push_back(line());
    }
}

impl Watcher for Last {
    fn call(&self, site: &Site, kinds: &[Kind]) {
        self.take(site.now_ms, || call(site, kinds));
    }

    fn record(&self, now_ms: u64, record: &Record) {
        self.take(now_ms, || self::record(now_ms, record));
    }
}

/// A line for a call: when, which, and what strikes it.
pub(super) fn call(site: &Site, kinds: &[Kind]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let line = format!("{:>10.3} s  {} {} {}", seconds(site.now_ms), site.method, site.nth, kinds.join(" "));
    line.trim_end().to_owned()
}

/// A line for a record: when, which, and what it says.
pub(super) fn record(now_ms: u64, record: &Record) -> String {
    let sentence = segue_journal::view::sentence(&record.fact);
    let Record { stream, seq, epoch, .. } = record;
    format!("{:>10.3} s  {stream} {seq} (epoch {epoch}): {sentence}", seconds(now_ms))
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bug::Bug;
    use crate::commands::played;
    use crate::script::Script;

    #[test]
    fn a_run_that_kept_every_law_is_not_played_again() {
        let plan = Plan::calm(0, Script::Full);
        assert_eq!(Lately::of(&plan, &[], &played(&plan, &[])), None);
    }

    #[test]
    fn the_operations_end_where_the_first_law_was_broken() {
        let plan = Plan::calm(0, Script::Full).with(&[Bug::StaysRegistered]);
        let outcome = played(&plan, &[]);
        let at_ms = outcome.violations.iter().filter_map(|violation| moment(violation)).min();
        let lately = Lately::of(&plan, &[], &outcome).expect("it fails");
        assert_eq!(Some(lately.at_ms), at_ms, "{:?}", outcome.violations);
        assert_eq!(lately.operations.len(), TOLD);
        assert!(lately.operation > 50, "{lately}");
        let moment = format!("{:>10.3} s", seconds(lately.at_ms));
        assert!(
            lately.operations.iter().all(|line| line.as_str() < moment.as_str() || line.starts_with(&moment))
        );
        assert!(lately.operations.last().is_some_and(|line| line.starts_with(&moment)), "{lately}");
    }

    #[test]
    fn a_law_of_the_end_has_no_moment() {
        assert_eq!(moment("S3: 1250 ms: i-1 was terminated"), Some(1_250));
        assert_eq!(moment("L1: the run did not end"), None);
    }
}
