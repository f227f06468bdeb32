//! Runs of every kind, as many as a change's checks have time for.

use std::num::NonZeroUsize;

use segue_sim::commands::figures::Figures;
use segue_sim::commands::{determinism, fuzz, planted, sweep};

/// Seeds that every change is held to: 1 to this.
const FIXED: u64 = 2_000;
/// Seeds that a change is the first to play.
const FRESH: u64 = 1_000;
/// Says where the fresh seeds begin. `make test` draws it from the commit, which so always plays the same.
const FROM: &str = "SEGUE_SIM_FROM";
/// For each mistake at the most. Whether a rare one is met within a few thousand seeds changes with every change of
/// time.
const BUDGET: u64 = 6_000;
const TWICE: u64 = 120;
const PAIRS: u64 = 500;

fn breaks_nothing(figures: &Figures) {
    println!("{figures}");
    assert!(figures.runs > 0, "nothing was run: {figures}");
    assert_eq!(figures.violated, 0, "{figures}");
}

#[test]
fn the_fixed_seeds_break_no_law() {
    breaks_nothing(&fuzz::fuzz(1, FIXED, |_, _| {}));
}

/// Where nobody says where they begin they are those after the fixed ones.
#[test]
fn fresh_seeds_break_no_law() {
    #[expect(clippy::disallowed_methods, reason = "a test has no command line of its own")]
    let from = std::env::var(FROM).ok();
    let first = from.map_or(FIXED + 1, |from| from.parse().expect("it is a seed"));
    let again =
        format!("{FRESH} fresh seeds from {first} on: `segue-sim seed S --trace` plays one of them again");
    println!("{again}");
    let figures = fuzz::fuzz(first, FRESH, |run, outcome| println!("{run}: {:?}", outcome.violations));
    println!("{figures}");
    assert_eq!((figures.runs, figures.violated), (FRESH, 0), "{again}\n{figures}");
}

#[test]
fn every_seed_goes_the_same_way_twice() {
    let twice = determinism::determinism(1, TWICE);
    assert_eq!((twice.seeds, twice.differing.len()), (TWICE, 0), "{twice}");
}

#[test]
fn every_scenario_survives_the_daemons_death_at_every_place() {
    let figures = sweep::sweep(NonZeroUsize::MIN);
    breaks_nothing(&figures);
    assert_eq!((figures.deaths, figures.died_twice), (figures.runs, 0), "each run has one death: {figures}");
}

#[test]
fn pairs_of_deaths_are_survived() {
    let figures = sweep::pairs(PAIRS, 1);
    breaks_nothing(&figures);
    assert_eq!(figures.runs, PAIRS, "{figures}");
    // A daemon that comes up when nearly all is done has few places left at which it can die.
    assert!(figures.died_twice * 10 >= figures.runs * 8, "most die twice: {figures}");
}

#[test]
fn every_planted_mistake_is_found_or_hidden_by_the_layer_that_hides_it() {
    let table = planted::planted(1, BUDGET, None, |_| {});
    println!("{table}");
    assert_eq!(table.wrong(), Vec::<String>::new(), "{table}");
}
