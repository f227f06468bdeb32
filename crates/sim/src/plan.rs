//! What goes wrong in one run: a value that can be drawn from a seed, written to a file, made smaller, and
//! played again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use segue_engine::Pacing;
use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Bugs};
use crate::chance::Chance;
use crate::happening::{self, Happening};
use crate::script::Script;
use crate::strike::{self, Kind, Struck};

/// One run's faults, and everything else that is drawn for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Latencies, and which calls are struck, follow from it.
    pub seed: u64,
    /// Daemons that share the journal: one acts, the others wait for its lease.
    pub daemons: u32,
    pub script: Script,
    /// The users come to one of so many load balancers by chance.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub balancers: u32,
    /// So many servers are brought, where it is not as many as run: then one load balancer may lack some while there
    /// are enough in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// There are no route slots: new servers are led to by their registration alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_slots: bool,
    /// The most that a call takes when nothing strikes it.
    pub latency_ms_max: u64,
    /// From one look of the engine to the next.
    pub tick_ms: u64,
    /// By so much a daemon's wall clock is before or after the true one, at the most; each life has its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clocks_off_ms: u64,
    /// So long old servers are kept after a release. Where it is short they are seen to their end.
    #[serde(default = "long", skip_serializing_if = "is_long")]
    pub keep_old_ms: u64,
    #[serde(default)]
    pub buckets: Buckets,
    /// How often each kind of fault strikes, in a million calls. A kind that is not named never does.
    pub rates: BTreeMap<Kind, u32>,
    /// What happens to the world, in the order in which it was drawn.
    pub happenings: Vec<Happening>,
    /// Single calls that are struck besides, each the nth of its kind.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aimed: BTreeSet<Struck>,
    /// Mistakes that are planted.
    #[serde(default, skip_serializing_if = "Bugs::is_empty")]
    pub bugs: Bugs,
    /// Whether whoever makes them looks at the product's own laws before anything is written, as the domain does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asserts: bool,
    /// When it is there, exactly these calls are struck, and the rates say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strikes: Option<BTreeSet<Struck>>,
}

/// A kind is left out of so many runs in a million: a run with all of them never gets far.
const LEFT_OUT: u32 = 333_333;
/// Half of the runs have two daemons, and in half of them a call takes its time.
const HALF: u32 = 500_000;
const BALANCERS: [u32; 3] = [1, 2, 3];
/// Two more than run.
const SIZE: u32 = 5;
const TICKS_MS: [u64; 3] = [2_000, 3_000, 5_000];
/// The last one is longer than a run goes on.
const KEEP_OLD_MS: [u64; 3] = [20_000, 120_000, LONG_MS];
const LONG_MS: u64 = 600_000;
/// Most machines have the time; some are seconds off, and one that nobody cares for minutes.
const CLOCKS_OFF_MS: [u64; 6] = [0, 0, 0, 2_000, 10_000, 240_000];
/// What a call takes within one region.
const LATENCY_MS_MAX: u64 = 60;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

/// Whether the daemons keep to AWS's token buckets. Where they do, a look at a dozen groups takes a second; where they
/// do not, one follows the other at once, and other moments meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buckets {
    Published,
    /// As in every plan that says nothing of it.
    #[default]
    None,
}

impl Buckets {
    fn drawn(chance: Chance) -> Self {
        if chance.named("buckets").hits(HALF) { Self::Published } else { Self::None }
    }

    pub(crate) fn pacing(self) -> Pacing {
        match self {
            Self::Published => Pacing::Published,
            Self::None => Pacing::Off,
        }
    }
}

impl Plan {
    /// A run without any fault.
    pub fn calm(seed: u64, script: Script) -> Self {
        Self {
            seed,
            daemons: 1,
            script,
            balancers: 1,
            size: None,
            without_slots: false,
            latency_ms_max: 0,
            tick_ms: 2_000,
            clocks_off_ms: 0,
            keep_old_ms: LONG_MS,
            buckets: Buckets::Published,
            rates: BTreeMap::new(),
            happenings: Vec::new(),
            aimed: BTreeSet::new(),
            bugs: Bugs::default(),
            asserts: false,
            strikes: None,
        }
    }

    /// A swarm of faults: each seed has a mixture of its own. One in four has hardly any, and the worst in the worst
    /// moment instead.
    pub fn drawn(seed: u64) -> Self {
        let chance = Chance::of_seed(seed);
        if chance.named("directed").below(4) == 0 {
            return Self::directed(seed);
        }
        let mixture = chance.named("mixture");
        let rate = |kind: Kind| {
            let own = mixture.named(kind.name());
            let share = own.named("share").below(1_000);
            let rate = u64::from(kind.per_million_max()) * share / 1_000;
            let rate = u32::try_from(rate).unwrap_or(u32::MAX);
            (!own.named("left out").hits(LEFT_OUT)).then_some((kind, rate))
        };
        Self {
            rates: Kind::ALL.iter().copied().filter_map(rate).collect(),
            happenings: with_after_the_verdict(happening::drawn(chance.named("happenings")), chance),
            ..Self::setting(seed)
        }
    }

    /// Hardly any faults, and the worst in the worst moment.
    pub(crate) fn directed(seed: u64) -> Self {
        let chance = Chance::of_seed(seed);
        let kind = chance.named("only kind").one_of(Kind::ALL).copied();
        let rate = kind.filter(|_| chance.named("any kind").hits(HALF));
        Self {
            rates: rate.into_iter().map(|kind| (kind, kind.per_million_max())).collect(),
            happenings: with_after_the_verdict(happening::directed(chance.named("happenings")), chance),
            ..Self::setting(seed)
        }
    }

    /// What every drawn run has, without a fault yet.
    fn setting(seed: u64) -> Self {
        let chance = Chance::of_seed(seed);
        Self {
            daemons: if chance.named("daemons").hits(HALF) { 2 } else { 1 },
            balancers: balancers(chance),
            size: size(chance),
            without_slots: without_slots(chance),
            latency_ms_max: if chance.named("latency").hits(HALF) { LATENCY_MS_MAX } else { 0 },
            tick_ms: chance.named("tick").one_of(&TICKS_MS).copied().unwrap_or(2_000),
            clocks_off_ms: chance.named("clocks").one_of(&CLOCKS_OFF_MS).copied().unwrap_or(0),
            keep_old_ms: keep_old_ms(chance),
            buckets: Buckets::drawn(chance),
            aimed: strike::aimed(chance.named("aimed")),
            ..Self::calm(seed, Script::drawn(chance.named("script")))
        }
    }

    /// The same run with mistakes.
    #[must_use]
    pub fn with(self, bugs: &[Bug]) -> Self {
        Self { bugs: Bugs::of(bugs), ..self }
    }

    /// The same, and the product's own laws are looked at.
    #[must_use]
    pub fn asserting(self) -> Self {
        Self { asserts: true, ..self }
    }

    /// The same run as a list of what struck, which no change of the code's chance can move.
    #[must_use]
    pub fn as_struck(&self, struck: &BTreeSet<Struck>) -> Self {
        Self { rates: BTreeMap::new(), aimed: BTreeSet::new(), strikes: Some(struck.clone()), ..self.clone() }
    }

    /// How long old servers are kept, if this run goes on until that is over.
    pub(crate) fn keeps_old_for(&self) -> Option<Duration> {
        (self.keep_old_ms < LONG_MS).then(|| Duration::from_millis(self.keep_old_ms))
    }

    pub fn chance(&self) -> Chance {
        Chance::of_seed(self.seed)
    }
}

fn balancers(chance: Chance) -> u32 {
    chance.named("balancers").one_of(&BALANCERS).copied().unwrap_or(1)
}

fn size(chance: Chance) -> Option<u32> {
    chance.named("size").one_of(&[None, None, Some(SIZE)]).copied().flatten()
}

/// One in six.
fn without_slots(chance: Chance) -> bool {
    chance.named("slots").below(6) == 0
}

fn keep_old_ms(chance: Chance) -> u64 {
    chance.named("keep old").one_of(&KEEP_OLD_MS).copied().unwrap_or(LONG_MS)
}

/// Where old servers are seen to their end something may happen to them until then.
fn with_after_the_verdict(mut happenings: Vec<Happening>, chance: Chance) -> Vec<Happening> {
    let keep_old_ms = keep_old_ms(chance);
    if keep_old_ms < LONG_MS {
        happenings.extend(happening::after_the_verdict(chance.named("kept"), keep_old_ms));
    }
    happenings
}

/// As plans were before it was drawn.
fn long() -> u64 {
    LONG_MS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_long(ms: &u64) -> bool {
    *ms == LONG_MS
}

/// As plans were before there could be several.
fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(balancers: &u32) -> bool {
    *balancers == one()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_file() {
        for seed in 0..50 {
            let plan = Plan::drawn(seed);
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }

    #[test]
    fn every_kind_of_fault_is_in_some_runs_and_out_of_others() {
        for kind in Kind::ALL {
            let with = (0..300).filter(|seed| Plan::drawn(*seed).rates.contains_key(kind)).count();
            assert!((120..250).contains(&with), "{kind:?} is in {with} of 300");
        }
    }
}
