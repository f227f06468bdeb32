//! What `segue-sim` can be asked for. Each command knows whether something was violated; those that only make many
//! runs have figures ([`figures::Figures`]).

pub mod determinism;
pub mod figures;
pub mod fuzz;
pub mod kept;
pub mod lately;
pub mod planted;
pub mod seed;
pub mod shrink;
pub mod sweep;

use tokio::time::Instant;

use crate::plan::Plan;
use crate::run::{Outcome, Watchers, run};
use figures::Figures;
use lately::Lately;

/// Plays one plan while somebody looks on, and tells its figures.
pub fn one(name: &str, plan: &Plan, watchers: &Watchers) -> Figures {
    let began = Instant::now();
    let outcome = watched(plan, &[], watchers);
    let mut figures = Figures::default();
    figures.add(name, &outcome, Lately::of(plan, &[], &outcome));
    figures.took(began.elapsed());
    figures
}

/// Plays it; a run that breaks down is a violation like any other.
fn played(plan: &Plan, dies_at: &[u64]) -> Outcome {
    watched(plan, dies_at, &Watchers::default())
}

/// The same, and somebody looks on.
fn watched(plan: &Plan, dies_at: &[u64], watchers: &Watchers) -> Outcome {
    let play = || run(plan, dies_at, watchers);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(play)).unwrap_or_else(|panic| broken(&panic))
}

fn broken(panic: &(dyn std::any::Any + Send)) -> Outcome {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it said nothing");
    Outcome { violations: vec![format!("it broke down: {words}")], ..Outcome::default() }
}
