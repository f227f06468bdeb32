//! `sweep` and `pairs`: scenarios without any other fault, in which the daemon dies once at each place at which it can,
//! or twice at some pairs of them.

use std::num::NonZeroUsize;

use tokio::time::Instant;

use super::figures::Figures;
use super::lately::Lately;
use super::played;
use crate::chance::Chance;
use crate::happening::{At, Event, Happening, Side, Way};
use crate::plan::Plan;
use crate::pool;
use crate::run::Outcome;
use crate::script::Script;

/// What happens in a scenario besides its script, and its place: the nth step of the run.
const BESIDES: &[(&str, Script, u32, Event)] = &[
    ("full, aborted in the launch", Script::Full, 2, Event::Aborts),
    ("full, aborted in the handover", Script::Full, 8, Event::Aborts),
    ("full, a new server never comes up", Script::Full, 1, Event::BadLaunch { way: Way::Dies }),
    ("full, a new server dies in the handover", Script::Full, 8, Event::Dies(Side::New)),
    ("full, an old server dies in the handover", Script::Full, 8, Event::Dies(Side::Old)),
    ("full, every new server dies when blue is closed", Script::Full, 8, Event::AllDie(Side::New)),
    ("canary, aborted in the bake", Script::Canary, 6, Event::Aborts),
];

/// A scenario: its name and its plan.
#[derive(Debug, Clone)]
struct Scenario {
    name: &'static str,
    plan: Plan,
    /// Places at which the daemon can die when it is not disturbed.
    points: u64,
    /// What is wrong before anybody dies. The sweep says so: without its places a scenario would be missing in silence.
    violations: Vec<String>,
}

/// Points of a daemon that came up after a death: within these the next one is soon.
const SOON: u64 = 20;

impl Scenario {
    /// What is wrong with it when nobody dies.
    fn wrong(&self) -> Vec<String> {
        let nowhere = (self.points == 0).then(|| "there is no place at which the daemon can die".to_owned());
        self.violations.iter().cloned().chain(nowhere).collect()
    }
}

/// One run: which scenario, and where the daemon dies.
struct Job<'a> {
    scenario: &'a Scenario,
    dies_at: Vec<u64>,
}

/// Every place of every scenario, once; or only each one of so many.
pub fn sweep(each: NonZeroUsize) -> Figures {
    let scenarios = scenarios();
    let all = scenarios.iter().flat_map(|scenario| {
        (1..=scenario.points).step_by(each.get()).map(move |at| Job { scenario, dies_at: vec![at] })
    });
    deaths(&scenarios, &all.collect::<Vec<_>>())
}

/// So many pairs of places, drawn from all scenarios.
pub fn pairs(sample: u64, seed: u64) -> Figures {
    let scenarios = scenarios();
    let dying: Vec<&Scenario> = scenarios.iter().filter(|scenario| scenario.points > 0).collect();
    let chance = Chance::of_seed(seed).named("pairs");
    let pair = |n: u64| {
        let chance = chance.nth(n);
        let scenario = chance.one_of(&dying)?;
        let first = 1 + chance.named("first").below(scenario.points);
        // The points after a death are numbered on: half of the second deaths come soon after the first, half of them
        // before there are no more.
        let left = scenario.points - first;
        let apart = if chance.named("soon").hits(500_000) { SOON } else { left.max(SOON) };
        Some(Job { scenario, dies_at: vec![first, first + 1 + chance.named("apart").below(apart)] })
    };
    deaths(&scenarios, &(0..sample).filter_map(pair).collect::<Vec<_>>())
}

fn scenarios() -> Vec<Scenario> {
    let scripts = Script::ALL.iter().map(|script| (script.name(), Plan::calm(0, *script)));
    let besides = BESIDES.iter().map(|(name, script, nth, what)| {
        let at = At::Step { nth: *nth, after_ms: 300 };
        (*name, Plan { happenings: vec![Happening { at, what: *what }], ..Plan::calm(0, *script) })
    });
    let all: Vec<(&str, Plan)> = scripts.chain(besides).collect();
    let undisturbed = pool::each(&all, |(_, plan)| played(plan, &[]));
    let scenario = |((name, plan), outcome): (_, Outcome)| Scenario {
        name,
        plan,
        points: outcome.points,
        violations: outcome.violations,
    };
    all.into_iter().zip(undisturbed).map(scenario).collect()
}

fn deaths(scenarios: &[Scenario], jobs: &[Job<'_>]) -> Figures {
    let began = Instant::now();
    let mut figures = Figures::default();
    for scenario in scenarios {
        figures.judge(&format!("{}, undisturbed", scenario.name), &scenario.wrong(), None);
    }
    pool::each_to(
        jobs,
        |Job { scenario, dies_at }| {
            let outcome = played(&scenario.plan, dies_at);
            let lately = Lately::of(&scenario.plan, dies_at, &outcome);
            (outcome, lately)
        },
        |Job { scenario, dies_at }, (outcome, lately)| {
            figures.add(&format!("{}, died at {dies_at:?}", scenario.name), &outcome, lately);
        },
    );
    figures.took(began.elapsed());
    figures
}
