//! `fuzz`: many seeds, a swarm of faults for each.

use std::time::Instant;

use super::figures::Figures;
use super::played;
use crate::plan::Plan;
use crate::pool;

/// Runs `seeds` of them, from the first on.
pub fn fuzz(first: u64, seeds: u64, began: Instant) -> Figures {
    let jobs: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let mut figures = Figures::default();
    pool::each_to(
        &jobs,
        |seed| played(&Plan::drawn(*seed), &[]),
        |seed, outcome| {
            figures.add(&format!("seed {seed}"), &outcome);
        },
    );
    figures.took(began.elapsed());
    figures
}
