//! What happens to the world, and what people do, whatever the daemon is doing: at a time, or at a place in the
//! release where it is worst.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happening {
    pub at: At,
    pub what: Event,
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// Milliseconds since the run began.
    Ms(u64),
    /// So long after a release entered its nth step, counted over all releases of the run.
    Step { nth: u32, after_ms: u64 },
}

/// Which servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Old,
    New,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A server's hardware is gone.
    Dies(Side),
    /// All servers of one side are gone: a zone, or a bad day.
    AllDie(Side),
    /// An autoscaler adds a server of the version that ran first.
    Joins,
    /// Prometheus answers with old samples for so long.
    Stale {
        for_ms: u64,
    },
    /// Prometheus answers success, and nobody is in it, for so long.
    Empty {
        for_ms: u64,
    },
    /// Somebody who knew the address opens a board on a server that is closed.
    Returns,
    /// The next launched instance never gets up, in one of three ways.
    BadLaunch {
        way: u8,
    },
    /// A board whose clients will not attach to a new server.
    Stubborn,
    /// The daemon that leads stops for so long, as if its machine were suspended, and then goes on.
    Freezes {
        for_ms: u64,
    },
    /// A person aborts whatever release is on.
    Aborts,
    /// A person pauses whatever release is on, for so long.
    Pauses {
        for_ms: u64,
    },
    /// A person says `retry` or `promote` to whatever release is on, as people click what is there.
    Retries,
    Promotes,
}

/// Happenings of one run at the most.
const MOST: u64 = 6;
/// A run without faults is over within this.
const BUSY_MS: u64 = 180_000;
/// Steps of the releases of a run, about.
const STEPS: u64 = 26;
/// From a step's beginning.
const SOON_MS: u64 = 20_000;
/// Half of what happens is aimed at a step.
const AIMED: u32 = 500_000;

/// Draws what happens in a run.
pub(crate) fn drawn(chance: Chance) -> Vec<Happening> {
    let count = chance.named("count").below(MOST + 1);
    (0..count)
        .map(|n| Happening { at: at(chance.named("at").nth(n)), what: event(chance.named("what").nth(n)) })
        .collect()
}

fn at(chance: Chance) -> At {
    if chance.named("aimed").hits(AIMED) {
        let nth = u32::try_from(chance.named("step").below(STEPS)).unwrap_or(0);
        At::Step { nth, after_ms: chance.named("after").below(SOON_MS) }
    } else {
        At::Ms(chance.named("ms").below(BUSY_MS))
    }
}

fn event(chance: Chance) -> Event {
    let side = if chance.named("side").below(2) == 0 { Side::Old } else { Side::New };
    let for_ms = |most: u64| chance.named("for").below(most);
    match chance.named("event").below(26) {
        0..=3 => Event::Dies(side),
        4 => Event::AllDie(side),
        5 | 6 => Event::Joins,
        7 | 8 => Event::Stale { for_ms: for_ms(600_000) },
        9 | 10 => Event::Empty { for_ms: for_ms(600_000) },
        11 | 12 => Event::Returns,
        13..=15 => Event::BadLaunch { way: u8::try_from(for_ms(3)).unwrap_or(0) },
        16 => Event::Stubborn,
        17..=19 => Event::Freezes { for_ms: 20_000 + for_ms(130_000) },
        20..=22 => Event::Aborts,
        23 => Event::Pauses { for_ms: for_ms(3 * 3_600_000) },
        24 => Event::Retries,
        _ => Event::Promotes,
    }
}
