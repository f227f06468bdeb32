//! `planted`: each known mistake, put in on purpose, must be found within its budget of seeds. It is found when a law
//! is named that the same run without it keeps.
//!
//! Layers of safety hide one another. So a mistake is tried in the product as it is, and once more without each layer
//! beside it: where a layer hides it nothing may be seen while that is there, and it must be found when it is away.
//! Otherwise nobody would notice that a layer was taken out.

mod layers;

use std::collections::BTreeSet;
use std::fmt;

use segue_engine::fakes::Law;
use serde::Serialize;

use super::played;
use crate::bug::Bug;
use crate::plan::Plan;
use crate::pool;

use layers::{AS_IT_IS, BESIDE, Fate, Layer};

/// Seeds in which nothing may be seen of a mistake that is hidden, at the most.
const HIDDEN_FOR: u64 = 300;

/// Mistakes that other laws may see as well, each with the law that it is planted for: it is found when that one names
/// it.
const PLANTED_FOR: &[(Bug, &str)] = &[
    (Bug::TerminatesOthers, "S5"),
    (Bug::KeptForNothing, "S13"),
    (Bug::RetriesAtOnce, "S23"),
    (Bug::ReleaseHidden, "S25"),
    (Bug::SlotBelieved, "S9"),
    (Bug::KeptForEver, "L2"),
    (Bug::BlueStaysClosed, "L3"),
    (Bug::SlotTwice, "A2"),
    (Bug::ReleasedAllTheSame, "A6"),
    (Bug::AbortIgnored, "A6"),
];

/// One mistake, perhaps with a layer beside it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trial {
    bug: Bug,
    away: Option<Layer>,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub bug: &'static str,
    /// None in the product as it is.
    pub layer_away: Option<&'static str>,
    /// `found`, `held`, `hidden`, or `missed` when it should have been found.
    pub came: &'static str,
    /// Seeds that it took; where it is hidden, those in which nothing was to be seen.
    pub seeds: u64,
    /// Every law that was broken in the run that found it, the one that saw it first before the others.
    pub laws: Vec<String>,
    /// What the first one said.
    pub what: String,
    /// What is not as it should be.
    pub wrong: Option<String>,
}

/// All trials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    pub budget: u64,
    pub rows: Vec<Row>,
}

/// Half of the plans are a mixture of everything, and half are the worst in the worst moment.
fn plan(seed: u64) -> Plan {
    if seed.is_multiple_of(2) { Plan::drawn(seed) } else { Plan::directed(seed) }
}

/// Tries each mistake with seeds from `first` on, at most `budget` of them for each trial. With `only`, that one alone,
/// and what hides it.
pub fn planted(first: u64, budget: u64, only: Option<&str>, mut told: impl FnMut(&Row) + Send) -> Table {
    let trials = Bug::ALL.iter().copied().flat_map(trials);
    let wanted = trials.filter(|trial| only.is_none_or(|name| trial.is_of(name)));
    let places: Vec<(usize, Trial)> = wanted.enumerate().collect();
    let mut rows = Vec::new();
    pool::each_to(
        &places,
        |(_, trial)| trial.row(first, budget),
        |(place, _), row| {
            told(&row);
            rows.push((*place, row));
        },
    );
    rows.sort_by_key(|(place, _)| *place);
    Table { budget, rows: rows.into_iter().map(|(_, row)| row).collect() }
}

/// In the product as it is, and without each layer that is beside it.
fn trials(bug: Bug) -> Vec<Trial> {
    let beside = BESIDE.iter().filter(|(beside, _)| *beside == bug).map(|(_, layer)| Some(*layer));
    std::iter::once(None).chain(beside).map(|away| Trial { bug, away }).collect()
}

/// What the first run said in which something was seen.
struct Seen {
    seeds: u64,
    violations: Vec<String>,
}

impl Trial {
    /// Whether it is that mistake, or that one is what takes the layer away.
    fn is_of(self, name: &str) -> bool {
        self.bug.name() == name || self.away.is_some_and(|layer| layer.name() == name)
    }

    fn row(self, first: u64, budget: u64) -> Row {
        let fate = self.fate();
        let budget = if fate == Fate::Hidden { budget.min(HIDDEN_FOR) } else { budget };
        let seen = self.search(first, budget);
        let wrong = wrong(fate, seen.as_ref());
        let Some(Seen { seeds, violations }) = seen else {
            let came = if fate == Fate::Hidden { "hidden" } else { "missed" };
            return Row { came, seeds: budget, wrong, ..self.nothing() };
        };
        let broken: Vec<(&str, &str)> = violations.iter().filter_map(|violation| named(violation)).collect();
        let what = broken.first().map_or("", |(_, what)| *what).to_owned();
        let came = if violations.iter().all(|violation| is_hold(violation)) { "held" } else { "found" };
        Row { came, seeds, laws: laws(&broken), what, wrong, ..self.nothing() }
    }

    fn nothing(self) -> Row {
        Row {
            bug: self.bug.name(),
            layer_away: self.away.map(Layer::name),
            came: "missed",
            seeds: 0,
            laws: Vec::new(),
            what: String::new(),
            wrong: None,
        }
    }

    /// What must become of it. Without a layer beside it every mistake is found.
    fn fate(self) -> Fate {
        let mut others = AS_IT_IS.iter().filter(|(bug, _)| *bug == self.bug && self.away.is_none());
        others.next().map_or(Fate::Found, |(_, fate)| *fate)
    }

    /// The plan with these mistakes, and without the layer.
    fn plan(self, seed: u64, bug: Option<Bug>) -> Plan {
        let away = self.away.and_then(|layer| match layer {
            Layer::Laws => None,
            Layer::Without(other) => Some(other),
        });
        let plan = plan(seed).with(&bug.into_iter().chain(away).collect::<Vec<_>>());
        if self.away == Some(Layer::Laws) { plan } else { plan.asserting() }
    }

    /// The first seed in which a law is named that the same run without the mistake keeps.
    fn search(self, first: u64, budget: u64) -> Option<Seen> {
        (first..).zip(1..=budget).find_map(|(seed, seeds)| {
            let violations = played(&self.plan(seed, Some(self.bug)), &[]).violations;
            let is_new =
                self.is_seen(&violations) && played(&self.plan(seed, None), &[]).violations.is_empty();
            is_new.then_some(Seen { seeds, violations })
        })
    }

    /// Whether a law is named; where it is planted for one, and neither a hold nor a layer that is still there hides that,
    /// it must be that one. Of a mistake that should be hidden nothing at all may be said.
    fn is_seen(self, violations: &[String]) -> bool {
        if self.fate() == Fate::Hidden {
            return !violations.is_empty();
        }
        let broken: Vec<&str> = violations.iter().filter_map(|it| Some(named(it)?.0)).collect();
        let wanted = PLANTED_FOR.iter().find(|(planted, _)| *planted == self.bug).map(|(_, law)| *law);
        let has_layer = self.away.is_none() && BESIDE.iter().any(|(bug, _)| *bug == self.bug);
        !broken.is_empty() && (has_layer || wanted.is_none_or(|law| broken.contains(&law)))
    }
}

/// What is not as it should be.
fn wrong(fate: Fate, seen: Option<&Seen>) -> Option<String> {
    match (fate, seen) {
        (Fate::Found | Fate::Held(_), None) => Some("was not found".to_owned()),
        (Fate::Hidden, Some(_)) => Some("should be hidden, and is found".to_owned()),
        (Fate::Held(law), Some(Seen { violations, .. })) => {
            let is_it = |violation: &String| is_hold(violation) && violation.contains(law);
            let other = violations.iter().find(|violation| !is_it(violation))?;
            Some(format!("should be held for {law}, and did harm: {other}"))
        }
        (Fate::Found, Some(_)) | (Fate::Hidden, None) => None,
    }
}

/// The product's own assertion, and what follows from it where there is no way back: the release holds to the end.
fn is_hold(violation: &str) -> bool {
    let breaks = |law: Law| violation.starts_with(law.number());
    breaks(Law::NoBug) || (breaks(Law::EveryReleaseEnds) && violation.contains("it holds: Bug"))
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
    /// Every trial that did not end as it should.
    pub fn wrong(&self) -> Vec<String> {
        let wrong = |row: &Row| Some(format!("{}: {}", row.title(), row.wrong.as_ref()?));
        self.rows.iter().filter_map(wrong).collect()
    }

    /// The laws that some mistake was found by.
    fn named(&self) -> BTreeSet<&str> {
        self.rows.iter().flat_map(|row| &row.laws).map(String::as_str).collect()
    }
}

impl Row {
    fn title(&self) -> String {
        let away = self.layer_away.map(|layer| format!(" without the layer {layer}"));
        format!("{}{}", self.bug, away.unwrap_or_default())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bug, came, seeds, what, .. } = self;
        let (layer, laws) = (self.layer_away.unwrap_or(""), self.laws.join(" "));
        write!(f, "{bug:<24} {layer:<16} {came:<6} {seeds:>6}  {laws:<16} {what}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ("bug", "layer away", "came", "seeds", "laws");
        writeln!(f, "{:<24} {:<16} {:<6} {:>6}  {:<16} symptom", head.0, head.1, head.2, head.3, head.4)?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let (named, wrong) = (self.named().into_iter().collect::<Vec<_>>(), self.wrong());
        writeln!(f, "named: {}", named.join(" "))?;
        write!(f, "wrong: {}", if wrong.is_empty() { "none".to_owned() } else { wrong.join("; ") })
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

    #[test]
    fn a_mistake_that_a_layer_hides_has_a_trial_without_that_layer() {
        for (bug, fate) in AS_IT_IS.iter().filter(|(_, fate)| *fate != Fate::Found) {
            let mut all = Bug::ALL.iter().copied().flat_map(trials);
            let is_tried = all.any(|trial| trial.away.is_some() && trial.is_of(bug.name()));
            assert!(is_tried, "{} is never tried without a layer: {fate:?}", bug.name());
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_told() {
        let seen = |said: &str| Some(Seen { seeds: 1, violations: vec![said.to_owned()] });
        assert!(wrong(Fate::Found, None).is_some());
        assert!(wrong(Fate::Found, seen("S3: 1 ms: gone").as_ref()).is_none());
        assert!(wrong(Fate::Hidden, seen("S3: 1 ms: gone").as_ref()).is_some());
        assert!(wrong(Fate::Hidden, None).is_none());
        assert!(wrong(Fate::Held("S10"), seen("A3: 1 ms: S10: too many").as_ref()).is_none());
        assert!(wrong(Fate::Held("S10"), seen("A3: 1 ms: S9: too many").as_ref()).is_some());
        assert!(wrong(Fate::Held("S10"), seen("S10: 1 ms: too many").as_ref()).is_some());
    }
}
