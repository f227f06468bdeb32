//! One run: a plan is played from its beginning to a healed end, and looked at.
//!
//! Faults stop at a fixed time (the world heals), and after it everything must end: that is how a release that
//! hangs for ever is told from one that waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use segue_engine::fakes::Site;
use segue_journal::Record;
use tokio::time::{Instant, sleep, timeout};

use crate::end;
use crate::ground::Ground;
use crate::nature;
use crate::people;
use crate::plan::Plan;
use crate::strike::{Kind, Strikes, Struck};

/// No fault strikes later.
pub(crate) const HEALS: Duration = Duration::from_mins(20);
/// Everything has ended by then.
const HORIZON: Duration = Duration::from_hours(3);
/// Before the world is looked at for the last time: seals, leases and drains are over.
const CALM: Duration = Duration::from_mins(1);
/// From the end of that time to the end of the old servers, whatever strikes until then.
const CLEARED: Duration = Duration::from_mins(15);
const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// From a daemon's death to its next life, at the most.
const RESTART_MS: u64 = 20_000;

/// What came of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Each law that was broken, in the words of whoever saw it. Empty is good.
    pub violations: Vec<String>,
    /// How the releases ended, by the verdict's name; `held` or `unfinished` without one.
    pub ends: BTreeMap<String, u64>,
    pub calls: u64,
    pub deaths: u64,
    pub virtual_ms: u64,
    /// Two runs of one plan have the same.
    pub trace: u64,
    pub struck: BTreeSet<Struck>,
    /// Places at which the daemon could have died.
    pub points: u64,
}

/// Somebody who watches a run, and changes nothing of it.
pub trait Watcher: Send + Sync {
    /// Told of each call, and of what struck it.
    fn call(&self, site: &Site, kinds: &[Kind]) {
        let _ = (site, kinds);
    }

    /// Told of each record, and when it was written.
    fn record(&self, now_ms: u64, record: &Record) {
        let _ = (now_ms, record);
    }
}

/// Everybody who watches a run. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Watchers(Vec<Arc<dyn Watcher>>);

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} watchers", self.0.len())
    }
}

impl Watchers {
    #[must_use]
    pub fn and(mut self, watcher: Arc<dyn Watcher>) -> Self {
        self.0.push(watcher);
        self
    }

    pub(crate) fn call(&self, site: &Site, kinds: &[Kind]) {
        self.0.iter().for_each(|it| it.call(site, kinds));
    }

    pub(crate) fn record(&self, now_ms: u64, record: &Record) {
        self.0.iter().for_each(|it| it.record(now_ms, record));
    }
}

/// Plays a plan; the daemon dies at these points, too.
pub fn run(plan: &Plan, dies_at: &[u64], watchers: &Watchers) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without I/O starts");
    runtime.block_on(play(plan, dies_at, watchers))
}

async fn play(plan: &Plan, dies_at: &[u64], watchers: &Watchers) -> Outcome {
    let ground = Ground::new(plan, watchers);
    let heals_at_ms = u64::try_from(HEALS.as_millis()).unwrap_or(u64::MAX);
    let (strikes, log) = Strikes::new(plan.clone(), heals_at_ms, ground.shared_spells(), watchers.clone());
    ground.world.choke().set_weather(Box::new(strikes));
    for point in dies_at {
        ground.world.choke().crash_at_point(*point);
    }
    let ended = {
        let places = 0..usize::try_from(plan.daemons).unwrap_or(1);
        let daemons = futures_util::future::join_all(places.map(|place| keep(&ground, place)));
        let nature = futures_util::future::join_all(
            plan.happenings.iter().map(|happening| nature::happen(&ground, *happening)),
        );
        let mut told = ground.journal.told();
        let released = async {
            tokio::select! {
                biased;
                _ = told.wait_for(|told| told.is_endless) => return,
                () = people::follow_the_script(&ground) => {}
            }
            loop {
                people::see_all_to_their_ends(&ground).await;
                // What was planned may come later than the last release: the world is looked at when all is calm.
                sleep(CALM).await;
                if !people::is_any_on(&ground) {
                    see_the_kept_to_their_end(&ground).await;
                }
                if !people::is_any_on(&ground) {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            ended = timeout(HORIZON, released) => ended.is_ok(),
            _ = daemons => unreachable!("daemons are started again for ever"),
            () = async { nature.await; std::future::pending().await } => unreachable!("it only waits"),
        }
    };
    let mut outcome = end::look(&ground, ended).await;
    let log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcome.violations.extend(log.violations.iter().cloned());
    outcome.calls = log.calls;
    outcome.trace = log.trace;
    outcome.struck.clone_from(&log.struck);
    outcome.deaths = u64::try_from(ground.world.choke().deaths().len()).unwrap_or(u64::MAX);
    outcome.points = u64::try_from(ground.world.choke().points().len()).unwrap_or(u64::MAX);
    outcome
}

/// Until the old servers are gone, where they are kept for a short while only; or until a release is on again.
async fn see_the_kept_to_their_end(ground: &Ground) {
    let Some(keep_old) = ground.plan.keeps_old_for() else { return };
    sleep(keep_old).await;
    let began = Instant::now();
    let told = ground.journal.told();
    let is_any_left = || {
        let releases = told.borrow().releases.clone();
        !end::kept(ground, releases.values().map(AsRef::as_ref)).is_empty()
    };
    // While the world has not healed any look may fail, and one that fails says nothing of them.
    let may_help = || began.elapsed() < CLEARED || !people::is_healed(ground);
    while may_help() && !people::is_any_on(ground) && is_any_left() {
        sleep(LOOKS_AGAIN).await;
    }
}

/// Starts a daemon again and again.
async fn keep(ground: &Ground, place: usize) {
    let chance = ground.plan.chance().named("restart").nth(u64::try_from(place).unwrap_or(0));
    for life in 0.. {
        ground.start(place, life).death().await;
        ground.bury(place);
        let restart = Duration::from_millis(chance.nth(life).below(RESTART_MS));
        // Whoever held the lease has it until then, and where there are two the other one takes over no sooner.
        if ground.leader().is_none() {
            ground.world.nobody_acts_for(restart);
        }
        sleep(restart).await;
    }
}
