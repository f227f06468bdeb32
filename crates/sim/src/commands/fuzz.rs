//! `fuzz`: many seeds, a swarm of faults for each.

use tokio::time::Instant;

use super::figures::Figures;
use super::played;
use crate::plan::Plan;
use crate::pool;

/// Runs `seeds` of them, from the first on.
pub fn fuzz(first: u64, seeds: u64) -> Figures {
    let jobs: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let began = Instant::now();
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
