//! The laws that can be seen in the journal, each looked at in the moment of the append. Those that can only be
//! seen in the world are looked at there, in the moment of the deed (`engine::fakes`); those of the end, at the end.

mod eyes;
mod intents;
mod release;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::decision::Verdict;
use segue_domain::effect::{Done, Effect, Outcome};
use segue_domain::event::{Event, ServiceEvent, Word};
use segue_domain::ids::{BoardId, ReleaseId};
use segue_domain::laws::{Broken, broken};
use segue_domain::moves::Direction;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;
use segue_engine::fakes::Law;
use segue_journal::Record;

pub(crate) use eyes::Eyes;

/// The most violations of one run that are kept.
const KEPT: usize = 20;
/// More records than this, and a release of a few servers goes on for ever. A long one has a few hundred.
pub(crate) const RECORDS_MAX: u64 = 3_000;
/// More waves in a row that moved nothing, and a release does not rest between them: with its pauses it begins some
/// dozen in the time after which it holds.
const FRUITLESS_MAX: u32 = 60;

/// One event of a release, looked at where it happened.
pub(crate) struct Case<'a> {
    /// None for the first event.
    pub(crate) before: Option<&'a ReleaseState>,
    pub(crate) event: &'a Event,
    pub(crate) world: &'a dyn Eyes,
}

/// A law of the journal: what is wrong, if anything.
type Check = fn(&Case<'_>) -> Option<String>;

/// What an event and the world tell. What the state before it tells is [`segue_domain::laws`].
const CHECKS: &[(Law, Check)] = &[
    (Law::UnknownIsNeverZero, intents::s6_unknown_is_never_zero),
    (Law::Order, intents::s12_only_the_kept),
    (Law::BackNeedsAPlace, intents::s14_back_needs_a_place),
    (Law::ToldNeverBlocks, release::s22_told_never_blocks),
    (Law::NoBug, release::a3_no_bug),
    (Law::NobodyStaysBehind, release::a9_nobody_stays_behind),
];

/// A release's end, as it was written.
struct Closing {
    epoch: u64,
    at: Timestamp,
    heard_ms: u64,
}

/// Hears everything that is appended.
pub(crate) struct Court {
    world: Arc<dyn Eyes>,
    /// A release with more goes on for ever.
    records_max: u64,
    /// By so much the clocks of two daemons differ at the most.
    clocks_apart: Duration,
    highest_epoch: u64,
    active: Option<ReleaseId>,
    moved: BTreeMap<(ReleaseId, Direction, BoardId), u64>,
    records: BTreeMap<ReleaseId, u64>,
    /// Waves in a row that moved nothing.
    fruitless: BTreeMap<ReleaseId, u32>,
    closed: BTreeMap<ReleaseId, Closing>,
    /// Whose abort was taken.
    aborted: BTreeSet<ReleaseId>,
    is_endless: bool,
    violations: Vec<String>,
}

impl Court {
    pub(crate) fn new(world: Arc<dyn Eyes>, records_max: u64) -> Self {
        Self {
            world,
            records_max,
            clocks_apart: Duration::ZERO,
            highest_epoch: 0,
            active: None,
            moved: BTreeMap::new(),
            records: BTreeMap::new(),
            fruitless: BTreeMap::new(),
            closed: BTreeMap::new(),
            aborted: BTreeSet::new(),
            is_endless: false,
            violations: Vec::new(),
        }
    }

    /// Its daemons have clocks of their own.
    pub(crate) fn with_clocks_apart(self, clocks_apart: Duration) -> Self {
        Self { clocks_apart, ..self }
    }

    /// When a release was closed, by the world's time.
    pub(crate) fn closed_ms(&self, release: &ReleaseId) -> Option<u64> {
        self.closed.get(release).map(|closing| closing.heard_ms)
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.world.elapsed_ms()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.clone()
    }

    pub(crate) fn is_endless(&self) -> bool {
        self.is_endless
    }

    pub(crate) fn convict(&mut self, law: impl fmt::Display, what: &str) {
        if self.violations.len() < KEPT {
            self.violations.push(format!("{law}: {} ms: {what}", self.world.elapsed_ms()));
        }
    }

    pub(crate) fn hear_release(&mut self, before: Option<&ReleaseState>, record: &Record, event: &Event) {
        self.s15_one_chain(record);
        let world = Arc::clone(&self.world);
        let case = Case { before, event, world: world.as_ref() };
        for (law, check) in CHECKS {
            if let Some(what) = check(&case) {
                self.convict(*law, &what);
            }
        }
        if let Some(before) = before {
            for Broken { law, what } in broken(before, event) {
                self.convict(law, &what);
            }
            self.s11_moved_once(before, event);
            self.s13_kept_as_promised(before, record, event);
            self.a6_words_are_kept(&before.plan.release, event);
            self.l4_no_livelock(&before.plan.release);
            self.l4_no_hurry(&before.plan.release, event);
        }
    }

    /// S25: a release begins when none is on.
    pub(crate) fn hear_service(&mut self, record: &Record) {
        self.s15_one_chain(record);
        match record.fact.service() {
            Some(ServiceEvent::Began { release, .. }) => {
                if let Some(active) = self.active.replace(release.clone()) {
                    self.convict(Law::OneRelease, &format!("{release} began while {active} was on"));
                }
            }
            Some(ServiceEvent::Finished { release, .. }) => {
                self.active.take_if(|active| active == release);
            }
            Some(ServiceEvent::AdoptionBegan { .. } | ServiceEvent::AdoptionEnded { .. }) | None => {}
        }
    }

    /// No epoch is lower than one that has appended before.
    fn s15_one_chain(&mut self, record: &Record) {
        if record.epoch < self.highest_epoch {
            let what = format!("epoch {} appended after {}", record.epoch, self.highest_epoch);
            self.convict(Law::OneChain, &what);
        }
        self.highest_epoch = self.highest_epoch.max(record.epoch);
    }

    /// A board that was moved is not moved again the same way: unless its server died, nobody brought it back.
    fn s11_moved_once(&mut self, before: &ReleaseState, event: &Event) {
        let Event::Ended { id, outcome: Outcome::Done(Done::Moved(result)), .. } = event else { return };
        let Some(Effect::Move(effect)) = before.effects.get(id).map(|it| &it.effect) else {
            return;
        };
        let stayed = |board: &BoardId| result.exceptions.iter().any(|it| it.board == *board);
        for one in effect.wave.moves.iter().filter(|one| !stayed(&one.board)) {
            let key = (before.plan.release.clone(), effect.wave.direction, one.board.clone());
            let first = self.moved.insert(key, one.epoch);
            if first.is_some_and(|first| first != one.epoch) && self.world.deaths() == 0 {
                let what = format!("{} was moved {} twice", one.board, effect.wave.direction.name());
                self.convict(Law::MovedOnce, &what);
            }
        }
    }

    /// Old servers are kept for as long as was promised: by the clock of whoever closed the release and ends them. Where
    /// those are two, by the true time as well, and not shorter than by what their clocks may differ.
    fn s13_kept_as_promised(&mut self, before: &ReleaseState, record: &Record, event: &Event) {
        let (release, now_ms) = (&before.plan.release, self.world.elapsed_ms());
        if let Event::Closed { .. } = event {
            let closing = Closing { epoch: record.epoch, at: record.at, heard_ms: now_ms };
            self.closed.insert(release.clone(), closing);
        }
        let Event::Intended(intent) = event else { return };
        let (Effect::Terminate { .. }, Some(closing)) = (&intent.effect, self.closed.get(release)) else {
            return;
        };
        let by_the_records = record.at.since(closing.at);
        // An end may be written long after it was decided on.
        let by_the_world = Duration::from_millis(now_ms.saturating_sub(closing.heard_ms));
        let kept = match closing.epoch == record.epoch {
            true => by_the_records,
            false => by_the_records.max(by_the_world) + self.clocks_apart,
        };
        let short = before.plan.service.full.keep_old.saturating_sub(kept);
        if !short.is_zero() {
            self.convict(Law::NoReturn, &format!("{} is {short:?} too early", intent.id));
        }
    }

    /// The product's own law of that name goes by the way back that was begun; this one by the word alone.
    fn a6_words_are_kept(&mut self, release: &ReleaseId, event: &Event) {
        if let Event::Said { word: Word::Abort, .. } = event {
            self.aborted.insert(release.clone());
        }
        let is_released = matches!(event, Event::Closed { verdict: Verdict::Released | Verdict::Passed });
        if is_released && self.aborted.contains(release) {
            self.convict("A6", &format!("{release} was aborted by a word, and is released all the same"));
        }
    }

    fn l4_no_livelock(&mut self, release: &ReleaseId) {
        let records = self.records.entry(release.clone()).or_default();
        *records += 1;
        if *records == self.records_max {
            self.is_endless = true;
            self.convict(Law::NoLivelock, &format!("{release} has {} records", self.records_max));
        }
    }

    /// Nor does it begin one wave after another that moves nothing. A person's word begins the count anew.
    fn l4_no_hurry(&mut self, release: &ReleaseId, event: &Event) {
        let row = self.fruitless.entry(release.clone()).or_default();
        if let Event::Said { .. } = event {
            *row = 0;
        }
        let Event::Ended { outcome: Outcome::Done(Done::Moved(result)), .. } = event else { return };
        let is_fruitless = result.boards_moved + result.boards_gone == 0;
        *row = if is_fruitless { *row + 1 } else { 0 };
        if *row == FRUITLESS_MAX {
            self.convict(
                Law::NoLivelock,
                &format!("{release} began {FRUITLESS_MAX} waves in a row for nothing"),
            );
        }
    }
}
