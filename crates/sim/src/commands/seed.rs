//! `seed`: one run again, with every call told if that is wanted.

use segue_engine::fakes::Site;

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
    let tell: Option<fn(&Site, &[Kind])> = match trace {
        Trace::No => None,
        Trace::Yes => Some(tell),
    };
    run(plan, &[], Watching { tell })
}

/// A line for a call: when, which, and what strikes it.
fn tell(site: &Site, kinds: &[Kind]) {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let seconds = std::time::Duration::from_millis(site.now_ms).as_secs_f64();
    println!("{seconds:>10.3} s  {} {} {}", site.method, site.nth, kinds.join(" "));
}
