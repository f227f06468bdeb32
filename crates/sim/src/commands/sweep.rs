//! `sweep` and `pairs`: a run without faults, in which the daemon dies once at each place at which it can, or
//! twice at some pairs of them.

use std::time::Instant;

use super::figures::Figures;
use super::played;
use crate::chance::Chance;
use crate::plan::Plan;
use crate::pool;
use crate::script::Script;

/// Every place of every script, once.
pub fn sweep(began: Instant) -> Figures {
    let jobs: Vec<(Script, Vec<u64>)> =
        Script::ALL.iter().flat_map(|script| (1..=points(*script)).map(|at| (*script, vec![at]))).collect();
    deaths(&jobs, began)
}

/// So many pairs of places, drawn from all scripts.
pub fn pairs(sample: u64, seed: u64, began: Instant) -> Figures {
    let points: Vec<(Script, u64)> = Script::ALL.iter().map(|script| (*script, points(*script))).collect();
    let chance = Chance::of_seed(seed).named("pairs");
    let pair = |n: u64| {
        let chance = chance.nth(n);
        let (script, points) = chance.one_of(&points).copied()?;
        let first = 1 + chance.named("first").below(points);
        // The points after a death are numbered on: half of the second deaths come soon after the first.
        let apart = if chance.named("soon").hits(500_000) { 20 } else { points };
        Some((script, vec![first, first + 1 + chance.named("apart").below(apart)]))
    };
    let jobs: Vec<(Script, Vec<u64>)> = (0..sample).filter_map(pair).collect();
    deaths(&jobs, began)
}

fn points(script: Script) -> u64 {
    played(&Plan::calm(0, script), &[]).points
}

fn deaths(jobs: &[(Script, Vec<u64>)], began: Instant) -> Figures {
    let outcomes = pool::each(jobs, |(script, at)| played(&Plan::calm(0, *script), at));
    let mut figures = Figures::default();
    for ((script, at), outcome) in jobs.iter().zip(&outcomes) {
        figures.add(&format!("{} died at {at:?}", script.name()), outcome);
    }
    figures.took(began.elapsed());
    figures
}
