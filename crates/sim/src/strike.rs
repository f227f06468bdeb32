//! Faults of single calls: which kinds there are, which calls they strike, and what was struck.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use segue_engine::fakes::{Method, Port, Site, Weather, What};
use segue_engine::ports::Class;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::chance::{Chance, FNV_OFFSET, fnv};
use crate::plan::Plan;
use crate::run::Watchers;

/// A kind of fault that a call can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Too many calls: refused before anything happened, and told so.
    Throttled,
    /// It fails, has no effect, and nobody knows that.
    Unheard,
    /// It has its effect, and the answer is lost.
    AnswerLost,
    /// Refused for good.
    Refused,
    /// It takes seconds.
    Slow,
    /// The request is on its way for so long that whoever sent it has given it up when it has its effect.
    LandsLate,
    /// The daemon dies before it.
    CrashBefore,
    /// The daemon dies after it, before it hears of it.
    CrashAfter,
}

impl Kind {
    pub const ALL: &'static [Self] = &[
        Self::Throttled,
        Self::Unheard,
        Self::AnswerLost,
        Self::Refused,
        Self::Slow,
        Self::LandsLate,
        Self::CrashBefore,
        Self::CrashAfter,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unheard => "unheard",
            Self::AnswerLost => "answer_lost",
            Self::Refused => "refused",
            Self::Slow => "slow",
            Self::LandsLate => "lands_late",
            Self::CrashBefore => "crash_before",
            Self::CrashAfter => "crash_after",
        }
    }

    /// How often at the most, in a million calls that change something.
    pub(crate) const fn per_million_max(self) -> u32 {
        match self {
            Self::Throttled => 200_000,
            Self::Unheard | Self::AnswerLost => 100_000,
            Self::Slow => 50_000,
            Self::Refused | Self::LandsLate | Self::CrashBefore | Self::CrashAfter => 10_000,
        }
    }

    /// Whether it can strike such a call at all. A reading has no effect that could be lost or come late, and the
    /// journal refuses nothing that is well made.
    fn can_strike(self, method: Method) -> bool {
        match self {
            Self::AnswerLost | Self::Refused => !method.reads() && !method.is_journal(),
            // One server takes its requests in their order: none comes after a later one was answered.
            Self::LandsLate => method == Method::Append || (is_aws(method) && !method.reads()),
            Self::Throttled | Self::Unheard | Self::Slow | Self::CrashBefore | Self::CrashAfter => true,
        }
    }

    fn what(self, method: Method, chance: Chance) -> What {
        let late_most_ms = if method == Method::Append { COMMITS_LATE_MS } else { LATE_MS };
        let late_ms = |bound| Duration::from_millis(chance.named("late").below(bound));
        match self {
            Self::Throttled => What::FailBefore(Class::Retry),
            Self::Unheard => What::FailBefore(Class::Unknown),
            Self::AnswerLost => What::FailAfter,
            Self::Refused => What::Refuse("struck".to_owned()),
            Self::Slow => What::Late(late_ms(SLOW_MS)),
            Self::LandsLate => What::LandsLate(late_ms(late_most_ms)),
            Self::CrashBefore => What::CrashBefore,
            Self::CrashAfter => What::CrashAfter,
        }
    }
}

fn is_aws(method: Method) -> bool {
    matches!(method.port(), Port::Cloud | Port::LoadBalancer)
}

/// A slow call's answer comes within this.
const SLOW_MS: u64 = 20_000;
/// A late one lands within this.
const LATE_MS: u64 = 20_000;
/// A commit may hang until its lease has long another holder.
const COMMITS_LATE_MS: u64 = 70_000;
/// Up to this number of a call.
const AIMED_AT: u64 = 6;
/// A tick reads twenty times as much as it changes: readings are struck so many times less.
const READINGS_SPARED: u32 = 10;

/// One call that was struck: stable under changes of everything that comes after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Struck {
    /// `Cloud::launch`
    pub call: String,
    /// Counts from 1, over all daemons.
    pub nth: u64,
    pub kind: Kind,
}

/// Some runs are aimed at: one or two calls that change something are struck by their numbers, however rare they are.
pub(crate) fn aimed(chance: Chance) -> BTreeSet<Struck> {
    let changing: Vec<Method> =
        Method::ALL.iter().copied().filter(|it| !it.reads() && !it.is_journal()).collect();
    let one = |n: u64| {
        let chance = chance.nth(n);
        let method = chance.named("method").one_of(&changing)?;
        let kind = chance.named("kind").one_of(Kind::ALL).copied()?;
        Some(Struck { call: method.name().to_owned(), nth: 1 + chance.named("nth").below(AIMED_AT), kind })
    };
    (0..chance.named("count").below(3)).filter_map(one).collect()
}

/// Times in which everything of one kind fails.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spells {
    pub(crate) throttled_until_ms: u64,
    pub(crate) metrics_away_until_ms: u64,
    pub(crate) journal_away_until_ms: u64,
}

impl Spells {
    fn over(&self, site: &Site) -> Option<Kind> {
        let (method, now_ms) = (site.method, site.now_ms);
        let throttled = is_aws(method) && now_ms < self.throttled_until_ms;
        let away = (method.port() == Port::BoardMetrics && now_ms < self.metrics_away_until_ms)
            || (method.is_journal() && now_ms < self.journal_away_until_ms);
        match (throttled, away) {
            (true, _) => Some(Kind::Throttled),
            (false, true) => Some(Kind::Unheard),
            (false, false) => None,
        }
    }
}

/// What was seen at the choke point, for whoever told the world to go on like this.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) calls: u64,
    pub(crate) struck: BTreeSet<Struck>,
    pub(crate) violations: Vec<String>,
    /// Over every call's name, number and time: two runs with the same trace went the same way.
    pub(crate) trace: u64,
}

/// The weather of one run.
pub(crate) struct Strikes {
    plan: Plan,
    /// Nothing is struck from here on: the world has healed.
    heals_at_ms: u64,
    log: Arc<Mutex<Log>>,
    spells: Arc<Mutex<Spells>>,
    budget: Budget,
    watchers: Watchers,
}

impl Strikes {
    pub(crate) fn new(
        plan: Plan,
        heals_at_ms: u64,
        spells: Arc<Mutex<Spells>>,
        watchers: Watchers,
    ) -> (Self, Arc<Mutex<Log>>) {
        let log = Arc::new(Mutex::new(Log { trace: FNV_OFFSET, ..Log::default() }));
        let budget = Budget::default();
        (Self { plan, heals_at_ms, log: Arc::clone(&log), spells, budget, watchers }, log)
    }

    fn kinds(&self, site: &Site, chance: Chance) -> Vec<Kind> {
        if site.now_ms >= self.heals_at_ms {
            return Vec::new();
        }
        let listed = |kind: Kind| Struck { call: site.method.name().to_owned(), nth: site.nth, kind };
        let is_struck = |kind: Kind| {
            if let Some(strikes) = &self.plan.strikes {
                return strikes.contains(&listed(kind));
            }
            let rate = self.plan.rates.get(&kind).copied().unwrap_or(0);
            let rate = if site.method.reads() { rate / READINGS_SPARED } else { rate };
            chance.named(kind.name()).hits(rate) || self.plan.aimed.contains(&listed(kind))
        };
        Kind::ALL.iter().copied().filter(|kind| kind.can_strike(site.method) && is_struck(*kind)).collect()
    }

    fn note(&mut self, site: &Site, kinds: &[Kind]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.violations.extend(self.budget.s23_api_budget(site));
        log.calls = log.calls.saturating_add(1);
        let name = site.method.name().bytes().map(u64::from);
        log.trace = name.chain([site.nth, site.now_ms]).fold(log.trace, fnv);
        for kind in kinds {
            log.struck.insert(Struck { call: site.method.name().to_owned(), nth: site.nth, kind: *kind });
        }
    }
}

impl Weather for Strikes {
    fn over(&mut self, site: &Site, met: &mut Vec<What>) {
        let chance = self.plan.chance().named(site.method.name()).nth(site.nth);
        let kinds = self.kinds(site, chance);
        self.note(site, &kinds);
        let spell = self.spells.lock().unwrap_or_else(PoisonError::into_inner).over(site);
        let kinds: Vec<Kind> = kinds.into_iter().chain(spell).collect();
        self.watchers.call(site, &kinds);
        met.extend(kinds.into_iter().map(|kind| kind.what(site.method, chance.named(kind.name()))));
        let latency = chance.named("latency").below(self.plan.latency_ms_max + 1);
        if latency > 0 {
            met.push(What::Late(Duration::from_millis(latency)));
        }
    }
}
