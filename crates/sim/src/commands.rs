//! What `segue-sim` can be asked for. Each command knows whether something was violated; those that only make many
//! runs have figures ([`figures::Figures`]).

pub mod determinism;
pub mod figures;
pub mod fuzz;
pub mod planted;
pub mod seed;
pub mod shrink;
pub mod sweep;

use crate::plan::Plan;
use crate::run::{Outcome, Watching, run};

/// Plays it; a run that breaks down is a violation like any other.
fn played(plan: &Plan, dies_at: &[u64]) -> Outcome {
    let play = || run(plan, dies_at, Watching::default());
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(play)).unwrap_or_else(|panic| broken(&panic))
}

fn broken(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it said nothing");
    Outcome { violations: vec![format!("it broke down: {words}")], ..Outcome::default() }
}
