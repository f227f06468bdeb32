//! `planted`: each known mistake, put in on purpose, must be found within its budget of seeds; where another layer of
//! safety hides it, with that layer away too. It is found when a law is named that the same run without it keeps.

use std::collections::BTreeSet;
use std::fmt;

use segue_engine::fakes::Law;
use serde::Serialize;

use super::played;
use crate::bug::Bug;
use crate::plan::Plan;
use crate::pool;

/// One mistake, perhaps with the layer that hides it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trial {
    bug: Bug,
    layer_off: Option<Bug>,
}

/// Layers that hide a mistake: without them it must be seen.
const HIDDEN_BY: &[(Bug, Bug)] = &[
    (Bug::UnknownIsZero, Bug::NoRecheck),
    (Bug::StaleIsFresh, Bug::NoRecheck),
    (Bug::NoRecheck, Bug::UnknownIsZero),
    (Bug::Unfenced, Bug::Unplaced),
    (Bug::ReleaseHidden, Bug::Unplaced),
];

/// Mistakes that other laws may see as well, each with the law that it is planted for: it is found when that one names
/// it.
const PLANTED_FOR: &[(Bug, &str)] = &[
    (Bug::TerminatesOthers, "S5"),
    (Bug::KeptForNothing, "S13"),
    (Bug::RetriesAtOnce, "S23"),
    (Bug::ReleaseHidden, "S25"),
    (Bug::KeptForEver, "L2"),
    (Bug::BlueStaysClosed, "L3"),
    (Bug::SlotTwice, "A2"),
    (Bug::ReleasedAllTheSame, "A6"),
];

/// Mistakes against laws that the product asserts itself, each with its law.
const ASSERTED: &[(Bug, &str)] = &[
    (Bug::PaceIgnored, "S10"),
    (Bug::StepsSkipped, "S12"),
    (Bug::TerminatesAtOnce, "S13"),
    (Bug::GateSkipped, "S18"),
    (Bug::PauseIgnored, "S19"),
    (Bug::PlanReloaded, "S20"),
];

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub bug: &'static str,
    pub layer_off: Option<&'static str>,
    /// Seeds that it took; none when it was not found.
    pub seeds: Option<u64>,
    /// Every law that was broken in the run that found it, the one that saw it first before the others.
    pub laws: Vec<String>,
    /// What the first one said.
    pub what: String,
}

/// All trials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    pub budget: u64,
    pub rows: Vec<Found>,
}

/// Makes the mistakes that the product itself would see: each must hold the release before it does anything, so that
/// A3 and nothing else is broken, and the hold names the law; where there is no way back it holds to the end (L1). What
/// was not so.
pub fn asserted(first: u64, budget: u64) -> Vec<String> {
    let is_held = |bug: Bug, law: &str| {
        let plans = (first..).take(usize::try_from(budget).unwrap_or(usize::MAX)).map(plan);
        let mut outcomes = plans.map(|plan| played(&plan.with(&[bug]).asserting(), &[]).violations);
        match outcomes.find(|violations| !violations.is_empty()) {
            None => Err(format!("{}: not made in {budget} seeds", bug.name())),
            Some(said) if said.iter().all(|it| is_hold(it) && it.contains(law)) => Ok(()),
            Some(said) => Err(format!("{}: {}", bug.name(), said.join("; "))),
        }
    };
    ASSERTED.iter().filter_map(|(bug, law)| is_held(*bug, law).err()).collect()
}

fn is_hold(violation: &str) -> bool {
    let breaks = |law: Law| violation.starts_with(law.number());
    breaks(Law::NoBug) || (breaks(Law::EveryReleaseEnds) && violation.contains("it holds: Bug"))
}

/// Half of the plans are a mixture of everything, and half are the worst in the worst moment.
fn plan(seed: u64) -> Plan {
    if seed.is_multiple_of(2) { Plan::drawn(seed) } else { Plan::directed(seed) }
}

/// Tries each mistake with seeds from `first` on, at most `budget` of them. With `only`, that one alone.
pub fn planted(first: u64, budget: u64, only: Option<&str>, mut told: impl FnMut(&Found) + Send) -> Table {
    let layer_of = |bug: Bug| HIDDEN_BY.iter().find(|(hidden, _)| *hidden == bug).map(|(_, layer)| *layer);
    let wanted = |bug: &Bug| only.is_none_or(|name| bug.name() == name);
    let bugs = Bug::ALL.iter().copied().filter(wanted);
    let trials: Vec<Trial> = bugs.map(|bug| Trial { bug, layer_off: layer_of(bug) }).collect();
    let mut rows = Vec::new();
    pool::each_to(
        &trials,
        |trial| search(*trial, first, budget),
        |_, found| {
            told(&found);
            rows.push(found);
        },
    );
    rows.sort_by_key(|found| Bug::ALL.iter().position(|bug| bug.name() == found.bug));
    Table { budget, rows }
}

fn search(trial: Trial, first: u64, budget: u64) -> Found {
    let without: Vec<Bug> = trial.layer_off.into_iter().collect();
    let bugs = [&[trial.bug][..], &without].concat();
    let mut found = Found {
        bug: trial.bug.name(),
        layer_off: trial.layer_off.map(Bug::name),
        seeds: None,
        laws: Vec::new(),
        what: String::new(),
    };
    for (seed, count) in (first..).zip(1..=budget) {
        let outcome = played(&plan(seed).with(&bugs), &[]);
        let broken: Vec<(&str, &str)> =
            outcome.violations.iter().filter_map(|violation| named(violation)).collect();
        let Some((_, what)) = broken.first().filter(|_| is_seen_by(trial.bug, &broken)) else { continue };
        if !played(&plan(seed).with(&without), &[]).violations.is_empty() {
            continue;
        }
        (found.seeds, found.laws, found.what) = (Some(count), laws(&broken), (*what).to_owned());
        break;
    }
    found
}

/// Whether the law for which it is planted is among these, if it is planted for one.
fn is_seen_by(bug: Bug, broken: &[(&str, &str)]) -> bool {
    let mut wanted = PLANTED_FOR.iter().filter(|(planted, _)| *planted == bug);
    wanted.all(|(_, law)| broken.iter().any(|(by, _)| by == law))
}

/// The laws of these violations, each once.
fn laws(broken: &[(&str, &str)]) -> Vec<String> {
    let mut laws: Vec<String> = Vec::new();
    for (law, _) in broken {
        if !laws.iter().any(|it| it == law) {
            laws.push((*law).to_owned());
        }
    }
    laws
}

/// The law that a violation names, and the rest of it; none for a run that broke down.
fn named(violation: &str) -> Option<(&str, &str)> {
    let (law, what) = violation.split_once(": ")?;
    let number = law.strip_prefix(['S', 'L', 'A'])?;
    number.parse::<u32>().is_ok().then_some((law, what))
}

impl Table {
    /// Mistakes that were found in none of their trials.
    pub fn missed(&self) -> Vec<&'static str> {
        let seen = |name: &str| self.rows.iter().any(|row| row.bug == name && row.seeds.is_some());
        let mut missed: Vec<&str> = self.rows.iter().map(|row| row.bug).filter(|name| !seen(name)).collect();
        missed.dedup();
        missed
    }

    /// The laws that some mistake was found by.
    fn named(&self) -> BTreeSet<&str> {
        self.rows.iter().flat_map(|row| &row.laws).map(String::as_str).collect()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = self.seeds.map_or_else(|| "none".to_owned(), |seeds| seeds.to_string());
        let layer = self.layer_off.unwrap_or("");
        let laws = self.laws.join(" ");
        write!(f, "{:<24} {layer:<24} {seeds:>6}  {laws:<16} {}", self.bug, self.what)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24} {:<24} {:>6}  {:<16} symptom", "bug", "layer off", "seeds", "laws")?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let named: Vec<&str> = self.named().into_iter().collect();
        writeln!(f, "named: {}", named.join(" "))?;
        write!(
            f,
            "missed: {}",
            if self.missed().is_empty() { "none".to_owned() } else { self.missed().join(", ") }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_law_with_its_number_finds_a_mistake() {
        assert_eq!(named("S13: 120 ms: i-1 is ended"), Some(("S13", "120 ms: i-1 is ended")));
        assert_eq!(named("L1: the run did not end"), Some(("L1", "the run did not end")));
        assert_eq!(named("it broke down: S13: no such thing"), None);
        assert_eq!(named("S: nothing"), None);
    }

    #[test]
    fn every_law_of_a_run_is_kept_once_and_the_first_stays_first() {
        assert_eq!(laws(&[("S6", ""), ("S2", ""), ("S6", ""), ("L1", "")]), ["S6", "S2", "L1"]);
    }
}
