//! What happens to the world, and what people do, whatever the daemon is doing: at a time, or at a place in the
//! release where it is worst.

use std::ops::Range;

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
    /// So long after a release was released for the first time.
    Released { after_ms: u64 },
}

/// Which servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Old,
    New,
}

/// How a launched instance never gets up ([`segue_engine::fakes::Fate`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Short,
    Dies,
    Mute,
}

impl Way {
    /// What a number that was drawn stands for is its place here.
    const ALL: &'static [Self] = &[Self::Short, Self::Dies, Self::Mute];

    fn drawn(chance: Chance) -> Self {
        chance.one_of(Self::ALL).copied().unwrap_or(Self::Short)
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A server's hardware is gone.
    Dies(Side),
    /// All servers of one side are gone.
    AllDie(Side),
    /// A server fails the load balancer's checks for so long, and is there all the same.
    Ill {
        side: Side,
        for_ms: u64,
    },
    /// All servers of one side do.
    AllIll {
        side: Side,
        for_ms: u64,
    },
    /// Everything in one of the zones is gone.
    ZoneLost {
        zone: u8,
    },
    /// There is no room in one of the zones for so long.
    ZoneFull {
        zone: u8,
        for_ms: u64,
    },
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
    /// Prometheus has no number for every other server, or two, for so long.
    Partial {
        for_ms: u64,
    },
    /// Prometheus takes each server for another for so long: addresses were used again.
    Mixed {
        for_ms: u64,
    },
    /// Prometheus does not answer for so long.
    MetricsAway {
        for_ms: u64,
    },
    /// EC2 and the load balancer refuse every call as one too many for so long.
    Throttled {
        for_ms: u64,
    },
    /// The journal does not answer for so long.
    JournalAway {
        for_ms: u64,
    },
    /// Somebody who knew the address opens a board on a server that is closed.
    Returns,
    /// The next launched instance never gets up.
    BadLaunch {
        way: Way,
    },
    /// The next launched instance is not listed for so long.
    ListedLate {
        for_ms: u64,
    },
    /// A board whose clients will not attach to a new server.
    Stubborn,
    /// A board with a client that does not speak the contract.
    Plain,
    /// No server takes a board over for so long.
    MovesRefused {
        for_ms: u64,
    },
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
    /// A person asks for another release meanwhile.
    AsksForAnother,
    /// A person terminates a server in the console.
    EndsByHand(Side),
    /// An autoscaler of somebody else's takes a server out of the load balancer and terminates it.
    Leaves(Side),
    /// A person starts a stopped server in the console.
    StartsByHand,
    /// A person takes the tags of everything that is stopped away for so long.
    UntagsKept {
        for_ms: u64,
    },
    /// A person takes a server's tags away for so long.
    Untags {
        side: Side,
        for_ms: u64,
    },
}

/// Happenings of one run at the most.
const MOST: u64 = 6;
/// A run without faults is over within this.
const BUSY_MS: u64 = 180_000;
/// Steps of the releases of a run, about.
const STEPS: u64 = 26;
/// From a step's beginning.
const SOON_MS: u64 = 20_000;
/// Most of what happens is aimed at a step.
const AIMED: u32 = 650_000;
const ONE_IN_THREE: u32 = 333_333;
const ZONES: u64 = 3;
/// The steps of a release in which it hurts.
const WORST_STEPS: Range<u64> = 4..12;
/// Admit, observe and close.
const FIRST_USERS: Range<u64> = 5..8;
/// Before the step has done anything.
const AT_ONCE_MS: u64 = 80;

/// Draws what happens in a run.
pub(crate) fn drawn(chance: Chance) -> Vec<Happening> {
    let count = chance.named("count").below(MOST + 1);
    let one = |n| Happening { at: at(chance.named("at").nth(n)), what: event(chance.named("what").nth(n)) };
    (0..count).map(one).collect()
}

/// The worst that can happen, soon after a step began.
pub(crate) fn directed(chance: Chance) -> Vec<Happening> {
    const WORST: &[Event] = &[
        Event::AllDie(Side::Old),
        Event::AllDie(Side::New),
        Event::Dies(Side::Old),
        Event::Dies(Side::New),
        Event::Aborts,
        Event::Pauses { for_ms: 120_000 },
        Event::Freezes { for_ms: 60_000 },
        Event::Empty { for_ms: 60_000 },
        Event::Stale { for_ms: 60_000 },
        Event::Partial { for_ms: 60_000 },
        Event::Mixed { for_ms: 60_000 },
        Event::AllIll { side: Side::Old, for_ms: 30_000 },
        Event::AllIll { side: Side::New, for_ms: 30_000 },
        Event::Ill { side: Side::Old, for_ms: 60_000 },
        Event::Ill { side: Side::New, for_ms: 60_000 },
        Event::Returns,
        Event::MovesRefused { for_ms: 60_000 },
        Event::Stubborn,
        Event::Untags { side: Side::Old, for_ms: 180_000 },
        Event::Untags { side: Side::New, for_ms: 180_000 },
    ];
    let one = |n| {
        let chance = chance.nth(n);
        let nth = u32::try_from(chance.named("step").below(STEPS)).unwrap_or(0);
        let at = At::Step { nth, after_ms: chance.named("after").below(SOON_MS / 4) };
        Some(Happening { at, what: chance.named("worst").one_of(WORST).copied()? })
    };
    let mut all: Vec<Happening> = (0..=chance.named("count").below(3)).filter_map(one).collect();
    if chance.named("in a pause").below(4) == 0 {
        all.extend(in_a_pause(chance.named("pause")));
    }
    if chance.named("on old samples").below(4) == 0 {
        all.extend(on_old_samples(chance.named("samples")));
    }
    if chance.named("too few").below(4) == 0 {
        all.extend(too_few(chance.named("few")));
    }
    all
}

/// A new server dies before the old ones are closed, and whoever is launched in its place never serves.
fn too_few(chance: Chance) -> [Happening; 2] {
    let nth = step_of(FIRST_USERS, chance);
    let after_ms = chance.named("after").below(SOON_MS / 4);
    let way = Way::drawn(chance.named("way"));
    [
        Happening { at: At::Step { nth, after_ms }, what: Event::BadLaunch { way } },
        Happening { at: At::Step { nth, after_ms: after_ms + 1 }, what: Event::Dies(Side::New) },
    ]
}

/// Nobody is scraped from about when the new servers get their first users, and meanwhile somebody wants all of it
/// back: the last samples say of servers with boards that they have none.
fn on_old_samples(chance: Chance) -> [Happening; 2] {
    let nth = step_of(FIRST_USERS, chance);
    let after_ms = chance.named("after").below(SOON_MS / 4);
    let aborted_ms = after_ms + chance.named("abort").below(SOON_MS);
    [
        Happening { at: At::Step { nth, after_ms }, what: Event::Stale { for_ms: 300_000 } },
        Happening { at: At::Step { nth, after_ms: aborted_ms }, what: Event::Aborts },
    ]
}

/// In one run of three something happens while old servers are kept, or soon after.
pub(crate) fn after_the_verdict(chance: Chance, keep_old_ms: u64) -> Option<Happening> {
    const WHAT: &[Event] = &[
        Event::StartsByHand,
        Event::Freezes { for_ms: 60_000 },
        Event::JournalAway { for_ms: 60_000 },
        Event::Throttled { for_ms: 60_000 },
        Event::AsksForAnother,
        Event::UntagsKept { for_ms: 30_000 },
    ];
    let after_ms = chance.named("after").below(keep_old_ms.saturating_add(SOON_MS));
    let what = chance.named("what").one_of(WHAT).copied();
    what.filter(|_| chance.named("any").hits(ONE_IN_THREE))
        .map(|what| Happening { at: At::Released { after_ms }, what })
}

/// One step of these.
fn step_of(steps: Range<u64>, chance: Chance) -> u32 {
    let step = steps.start + chance.named("step").below(steps.end - steps.start);
    u32::try_from(step).unwrap_or(0)
}

/// Somebody pauses, and meanwhile everything changes.
fn in_a_pause(chance: Chance) -> [Happening; 2] {
    let nth = step_of(WORST_STEPS, chance);
    let side = if chance.named("side").below(2) == 0 { Side::Old } else { Side::New };
    let after_ms = chance.named("after").below(AT_ONCE_MS);
    let pause = At::Step { nth, after_ms };
    let death = At::Step { nth, after_ms: after_ms + 30_000 };
    [
        Happening { at: pause, what: Event::Pauses { for_ms: 90_000 } },
        Happening { at: death, what: Event::AllDie(side) },
    ]
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
    let zone = u8::try_from(chance.named("zone").below(ZONES)).unwrap_or(0);
    match chance.named("event").below(48) {
        0..=3 => Event::Dies(side),
        4 | 5 => Event::AllDie(side),
        6 => Event::ZoneLost { zone },
        7 => Event::ZoneFull { zone, for_ms: for_ms(120_000) },
        8 | 9 => Event::Joins,
        10 | 11 => Event::Stale { for_ms: for_ms(300_000) },
        12 | 13 => Event::Empty { for_ms: for_ms(300_000) },
        14 => Event::MetricsAway { for_ms: for_ms(300_000) },
        15 => Event::Throttled { for_ms: for_ms(300_000) },
        16 => Event::JournalAway { for_ms: for_ms(300_000) },
        17 | 18 => Event::Returns,
        19..=21 => Event::BadLaunch { way: Way::drawn(chance.named("for")) },
        22 => Event::ListedLate { for_ms: for_ms(300_000) },
        23 => Event::Stubborn,
        24 => Event::MovesRefused { for_ms: for_ms(180_000) },
        25..=27 => Event::Freezes { for_ms: 20_000 + for_ms(130_000) },
        28..=30 => Event::Aborts,
        31 | 32 => Event::Pauses { for_ms: for_ms(1_200_000) },
        33 => Event::Retries,
        34 => Event::Promotes,
        35 => Event::AsksForAnother,
        36 | 37 => Event::EndsByHand(side),
        38 => Event::StartsByHand,
        39 => Event::Leaves(side),
        40 | 41 => Event::Ill { side, for_ms: for_ms(120_000) },
        42 | 43 => Event::AllIll { side, for_ms: for_ms(120_000) },
        44 => Event::Partial { for_ms: for_ms(300_000) },
        45 => Event::Mixed { for_ms: for_ms(300_000) },
        46 => Event::Plain,
        _ => Event::Untags { side, for_ms: for_ms(600_000) },
    }
}
