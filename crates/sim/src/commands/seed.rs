//! `seed` and `plan`: one run again, with every call told if that is wanted.

use std::sync::Arc;

use segue_engine::fakes::Site;
use segue_journal::Record;

use super::lately;
use crate::run::{Watcher, Watchers};
use crate::strike::Kind;

/// Whether each call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    No,
    Yes,
}

impl Trace {
    /// Who tells it, if anybody does.
    pub fn watchers(self) -> Watchers {
        match self {
            Self::No => Watchers::default(),
            Self::Yes => Watchers::default().and(Arc::new(Teller)),
        }
    }

    /// Who tells an append of a large fleet: thousands of records in one are a line.
    pub(crate) fn teller(self) -> Option<fn(u64, &[Record])> {
        match self {
            Self::No => None,
            Self::Yes => Some(tell_append),
        }
    }
}

/// Tells each call and each record in a line.
struct Teller;

impl Watcher for Teller {
    fn call(&self, site: &Site, kinds: &[Kind]) {
        println!("{}", lately::call(site, kinds));
    }

    fn record(&self, now_ms: u64, record: &Record) {
        println!("{}", lately::record(now_ms, record));
    }
}

/// A line for an append: when, and its first record and its last one.
fn tell_append(now_ms: u64, records: &[Record]) {
    let Some(first) = records.first() else { return };
    println!("{}", lately::record(now_ms, first));
    if let [_, between @ .., last] = records {
        println!("{:>14}and {} more", "", between.len());
        println!("{}", lately::record(now_ms, last));
    }
}
