//! `seed`: one run again, with every call told if that is wanted.

use segue_engine::fakes::Site;
use segue_journal::Record;

use crate::plan::Plan;
use crate::run::{Outcome, Watching, run};
use crate::strike::Kind;

/// Whether each call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    No,
    Yes,
}

/// Plays one plan.
pub fn seed(plan: &Plan, trace: Trace) -> Outcome {
    let watching = match trace {
        Trace::No => Watching::default(),
        Trace::Yes => Watching { call: Some(tell_call), record: Some(tell_record) },
    };
    run(plan, &[], watching)
}

/// A line for a call: when, which, and what strikes it.
fn tell_call(site: &Site, kinds: &[Kind]) {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    println!("{:>10.3} s  {} {} {}", seconds(site.now_ms), site.method, site.nth, kinds.join(" "));
}

impl Trace {
    /// Who tells an append of a large fleet: thousands of records in one are a line.
    pub(crate) fn teller(self) -> Option<fn(u64, &[Record])> {
        match self {
            Self::No => None,
            Self::Yes => Some(tell_append),
        }
    }
}

/// A line for an append: when, and its first record and its last one.
fn tell_append(now_ms: u64, records: &[Record]) {
    let Some(first) = records.first() else { return };
    tell_record(now_ms, first);
    if let [_, between @ .., last] = records {
        println!("{:>14}and {} more", "", between.len());
        tell_record(now_ms, last);
    }
}

/// A line for a record: when, which, and what it says.
fn tell_record(now_ms: u64, record: &Record) {
    let sentence = segue_journal::view::sentence(&record.fact);
    println!(
        "{:>10.3} s  {} {} (epoch {}): {sentence}",
        seconds(now_ms),
        record.stream,
        record.seq,
        record.epoch
    );
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}
