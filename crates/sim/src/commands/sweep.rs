//! `sweep` and `pairs`: scenarios without any other fault, in which the daemon dies once at each place at which it can,
//! or twice at some pairs of them.

use tokio::time::Instant;

use super::figures::Figures;
use super::played;
use crate::chance::Chance;
use crate::happening::{At, Event, Happening, Side, Way};
use crate::plan::Plan;
use crate::pool;
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
    points: u64,
}

/// One run: which scenario, and where the daemon dies.
struct Job<'a> {
    scenario: &'a Scenario,
    dies_at: Vec<u64>,
}

/// Every place of every scenario, once.
pub fn sweep() -> Figures {
    let scenarios = scenarios();
    let all = scenarios
        .iter()
        .flat_map(|scenario| (1..=scenario.points).map(move |at| Job { scenario, dies_at: vec![at] }));
    deaths(&all.collect::<Vec<_>>())
}

/// So many pairs of places, drawn from all scenarios.
pub fn pairs(sample: u64, seed: u64) -> Figures {
    let scenarios = scenarios();
    let chance = Chance::of_seed(seed).named("pairs");
    let pair = |n: u64| {
        let chance = chance.nth(n);
        let scenario = chance.one_of(&scenarios)?;
        let first = 1 + chance.named("first").below(scenario.points);
        // The points after a death are numbered on: half of the second deaths come soon after the first.
        let apart = if chance.named("soon").hits(500_000) { 20 } else { scenario.points };
        Some(Job { scenario, dies_at: vec![first, first + 1 + chance.named("apart").below(apart)] })
    };
    deaths(&(0..sample).filter_map(pair).collect::<Vec<_>>())
}

fn scenarios() -> Vec<Scenario> {
    let scripts = Script::ALL.iter().map(|script| (script.name(), Plan::calm(0, *script)));
    let besides = BESIDES.iter().map(|(name, script, nth, what)| {
        let at = At::Step { nth: *nth, after_ms: 300 };
        (*name, Plan { happenings: vec![Happening { at, what: *what }], ..Plan::calm(0, *script) })
    });
    let all: Vec<(&str, Plan)> = scripts.chain(besides).collect();
    let points = pool::each(&all, |(_, plan)| played(plan, &[]).points);
    let scenario = |((name, plan), points)| Scenario { name, plan, points };
    all.into_iter().zip(points).map(scenario).collect()
}

fn deaths(jobs: &[Job<'_>]) -> Figures {
    let began = Instant::now();
    let mut figures = Figures::default();
    pool::each_to(
        jobs,
        |job| played(&job.scenario.plan, &job.dies_at),
        |job, outcome| {
            figures.add(&format!("{}, died at {:?}", job.scenario.name, job.dies_at), &outcome);
        },
    );
    figures.took(began.elapsed());
    figures
}
