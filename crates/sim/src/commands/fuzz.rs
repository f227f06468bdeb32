//! `fuzz`: many seeds, a swarm of faults for each.

use tokio::time::Instant;

use super::figures::Figures;
use super::lately::Lately;
use super::played;
use crate::plan::Plan;
use crate::pool;
use crate::run::Outcome;

/// Runs `seeds` of them, from the first on. Each that breaks a law is told at once.
pub fn fuzz(first: u64, seeds: u64, mut told: impl FnMut(&str, &Outcome) + Send) -> Figures {
    let jobs: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let began = Instant::now();
    let mut figures = Figures::default();
    pool::each_to(
        &jobs,
        |seed| {
            let plan = Plan::drawn(*seed);
            let outcome = played(&plan, &[]);
            let lately = Lately::of(&plan, &[], &outcome);
            (outcome, lately)
        },
        |seed, (outcome, lately)| {
            let run = format!("seed {seed}");
            if !outcome.violations.is_empty() {
                told(&run, &outcome);
            }
            figures.add(&run, &outcome, lately);
        },
    );
    figures.took(began.elapsed());
    figures
}
