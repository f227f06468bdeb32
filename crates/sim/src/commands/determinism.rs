//! `determinism`: each seed twice; a simulation that does not go the same way again proves nothing.

use std::fmt;

use serde::Serialize;
use tokio::time::Instant;

use super::played;
use crate::plan::Plan;
use crate::pool;

/// What two runs of each seed came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Twice {
    pub seeds: u64,
    /// The seeds whose two runs differed.
    pub differing: Vec<u64>,
    pub seconds: f64,
}

/// Runs `seeds` of them twice, from the first on.
pub fn determinism(first: u64, seeds: u64) -> Twice {
    let began = Instant::now();
    let jobs: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let same = pool::each(&jobs, |seed| {
        let plan = Plan::drawn(*seed);
        played(&plan, &[]) == played(&plan, &[])
    });
    let differing = jobs.into_iter().zip(same).filter(|(_, same)| !same).map(|(seed, _)| seed).collect();
    Twice { seeds, differing, seconds: began.elapsed().as_secs_f64() }
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for seed in &self.differing {
            writeln!(f, "seed {seed} went another way the second time")?;
        }
        writeln!(f, "seeds      {}", self.seeds)?;
        writeln!(f, "differing  {}", self.differing.len())?;
        write!(f, "time       {:.1} s", self.seconds)
    }
}
