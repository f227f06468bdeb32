//! What no release may do, as far as its own journal tells: each law is a function of the state and the event that
//! is to follow, and is looked at before the event is written.
//!
//! They say again, in other words and in one place, what the steps keep by how they decide. A decision that would
//! break one is not followed: the release holds and a person is called. Their numbers are those of
//! docs/simulation.md, which has the laws that only the world can tell as well.

mod effects;
mod turns;

use std::fmt;

use crate::event::Event;
use crate::state::ReleaseState;

/// A law that an event would break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number: `S13`.
    pub law: &'static str,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.what)
    }
}

/// What is wrong with an event after this state, if anything.
type Check = fn(&ReleaseState, &Event) -> Option<String>;

const LAWS: &[(&str, Check)] = &[
    ("S5", effects::s5_only_ours),
    ("S6", effects::s6_unknown_is_never_zero),
    ("S10", effects::s10_pace),
    ("S12", turns::s12_order),
    ("S13", turns::s13_no_return),
    ("S18", turns::s18_gate_first),
    ("S19", turns::s19_pause_means_pause),
    ("S20", effects::s20_plan_is_fixed),
    ("A6", turns::a6_words_are_kept),
];

/// Every law that the event would break.
pub fn broken(before: &ReleaseState, event: &Event) -> impl Iterator<Item = Broken> {
    LAWS.iter().filter_map(move |(law, check)| Some(Broken { law, what: check(before, event)? }))
}
