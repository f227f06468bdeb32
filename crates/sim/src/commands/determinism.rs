//! `determinism`: each seed twice; a simulation that does not go the same way again proves nothing.

use crate::plan::Plan;
use crate::pool;

use super::played;

/// The seeds whose two runs differed.
pub fn determinism(first: u64, seeds: u64) -> Vec<u64> {
    let jobs: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let same = pool::each(&jobs, |seed| {
        let plan = Plan::drawn(*seed);
        played(&plan, &[]) == played(&plan, &[])
    });
    jobs.into_iter().zip(same).filter(|(_, same)| !same).map(|(seed, _)| seed).collect()
}
