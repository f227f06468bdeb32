//! The state of a release: the fold of its events, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::{Cause, Gate, Reason, Verdict};
use crate::effect::{Effect, Outcome};
use crate::event::{CheckResult, Vital};
use crate::ids::{CheckName, EffectId, ForwardArn, GroupArn, InstanceId, Route};
use crate::moves::Direction;
use crate::plan::Plan;
use crate::step::{How, Step};
use crate::time::Timestamp;

/// Everything that a release remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseState {
    pub plan: Plan,
    pub began_at: Timestamp,
    /// The servers that are left: the plan's, and whoever joined them since.
    pub blue: BTreeSet<InstanceId>,
    /// The groups of the weighted forwards in which they are registered, or were.
    pub blue_groups: BTreeMap<InstanceId, BTreeSet<GroupArn>>,
    /// Of those that the plan does not name, since when they are known.
    pub joined: BTreeMap<InstanceId, Timestamp>,
    /// Out or back; the steps of the way back are fixed when it begins.
    pub leg: Leg,
    /// Steps in the order in which they were entered.
    pub steps: Vec<StepRecord>,
    pub checks: BTreeMap<CheckName, CheckResult>,
    pub effects: BTreeMap<EffectId, EffectRecord>,
    pub batches: Vec<BatchState>,
    pub routes: BTreeMap<InstanceId, Route>,
    /// Who was of the new fleet when all of it was admitted. Told by the journal's order: another daemon's clock may be
    /// behind.
    pub admitted: Option<BTreeSet<InstanceId>>,
    pub bake: Option<Bake>,
    pub waves: BTreeMap<Direction, WaveTally>,
    pub boards_at_close: Option<u64>,
    /// Times of distinct fresh zero samples, for each server that is being emptied, oldest first.
    pub zeros: BTreeMap<InstanceId, Vec<Timestamp>>,
    pub no_return: Option<Timestamp>,
    pub stance: Stance,
    /// The gate at `admit` was answered with yes. An answer to one question answers no other.
    pub promoted: Promoted,
    /// A person said that the bake was good enough.
    pub judged: Promoted,
    /// So many able servers are enough for the way back by a person's word, whatever the floor: in all (None), or at a
    /// load balancer.
    pub enough: BTreeMap<Option<ForwardArn>, u32>,
    /// To whom users may have come: whom it asked to register, to open or to take out of a group, who was admitted, to whom
    /// it moved boards. A call's next try may name others: nobody is forgotten.
    pub led_to: BTreeSet<InstanceId>,
    /// Whom it asked EC2 to stop or terminate, when they were empty and out of every group. Nobody is forgotten here
    /// either.
    pub asked_to_end: BTreeSet<InstanceId>,
    /// Whom it terminated, and AWS said so.
    pub terminated: BTreeSet<InstanceId>,
    /// When a server that had been found empty was seen with boards: zeros from before say nothing.
    pub occupied: BTreeMap<InstanceId, Timestamp>,
    /// The last event that brought the release nearer to its end.
    pub progress_at: Timestamp,
    /// By effect, the last try whose end nobody saw; a registration names whomever any such try named. A later try that
    /// was done does not take those calls back, and a person's `retry` does not either.
    pub unseen: BTreeMap<EffectId, Unseen>,
    /// The last event that was taken in.
    pub seq: Seq,
}

/// Which event of its stream something was, the plan being the first. What came before what is told by it: the clocks of
/// two daemons differ, and a clock may stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(u64);

impl Seq {
    pub(crate) const FIRST: Self = Self(1);

    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Tries of a call that were given up, and may be carried out yet. When, is told of the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub effect: Effect,
    pub given_up_at: Timestamp,
    pub given_up_seq: Seq,
}

/// Which way the release goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    Out,
    Back { cause: Cause, steps: Vec<Step> },
}

impl Leg {
    /// A word for ids, so that an effect on the way back is not the one on the way out.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Back { .. } => "back",
        }
    }
}

/// Whether the engine may decide anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stance {
    Going,
    Paused { since: Timestamp },
    Asking { gate: Gate, since: Timestamp },
    Held { reason: Reason, since: Timestamp },
    Closed { verdict: Verdict, at: Timestamp },
}

/// A person's `promote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promoted {
    No,
    Yes,
}

/// One step that was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    pub step: Step,
    pub entered_at: Timestamp,
    pub done: Option<(How, Timestamp)>,
}

/// One effect, the last time that it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRecord {
    pub effect: Effect,
    pub attempt: u32,
    pub intended_at: Timestamp,
    pub intended_seq: Seq,
    /// None while it is in flight.
    pub ended: Option<(Outcome, Timestamp)>,
    /// The event that told its end.
    pub ended_seq: Option<Seq>,
    /// It was done before this try, and the world did not show it: done again is no progress.
    pub repeated: Repeated,
}

/// Whether an earlier try of an effect was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    No,
    Yes,
}

/// One launch batch, with what it has brought so far under all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchState {
    pub attempt: u32,
    /// How many the current attempt launches.
    pub count: u32,
    pub launched: BTreeSet<InstanceId>,
    /// Launched, and dead or given up: replaced, where anybody is launched in their place.
    pub lost: BTreeSet<InstanceId>,
}

/// What is remembered of a bake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bake {
    pub began_at: Timestamp,
    pub start: BTreeMap<InstanceId, Vital>,
    pub enough_boards: Option<u64>,
}

/// Waves of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaveTally {
    /// Waves that were intended.
    pub begun: u32,
    pub boards_moved: u64,
    pub clients_moved: u64,
    /// Moves that did not succeed, each time that one did not.
    pub exceptions: u64,
    /// Boards that left by themselves before their turn.
    pub gone: u64,
    /// Waves in a row, up to now, in which every board stayed.
    pub fruitless: u32,
    pub last_exception: Option<String>,
}

impl ReleaseState {
    /// The step that was entered and is not done; none before the first and between two. A step of the way
    /// out that was not done when the release turned back never will be.
    pub fn current(&self) -> Option<&StepRecord> {
        self.steps.last().filter(|record| record.done.is_none() && self.journey().contains(&record.step))
    }

    pub fn is_done(&self, step: Step) -> bool {
        self.steps.iter().any(|record| record.step == step && record.done.is_some())
    }

    pub fn was_entered(&self, step: Step) -> bool {
        self.steps.iter().any(|record| record.step == step)
    }

    /// The steps of the leg that is being gone.
    pub fn journey(&self) -> &[Step] {
        match &self.leg {
            Leg::Out => Step::way_out(self.plan.kind),
            Leg::Back { steps, .. } => steps,
        }
    }

    /// The step to enter next; none when the leg is at its end.
    pub fn next_step(&self) -> Option<Step> {
        self.journey().iter().copied().find(|step| !self.is_done(*step))
    }

    /// What this release launched and did not lose.
    pub fn launched(&self) -> BTreeSet<InstanceId> {
        self.batches.iter().flat_map(|batch| &batch.launched).cloned().collect()
    }

    /// What this release launched, and died or was given up.
    pub fn lost(&self) -> BTreeSet<InstanceId> {
        self.batches.iter().flat_map(|batch| &batch.lost).cloned().collect()
    }

    /// All that this release launched.
    pub fn brought(&self) -> BTreeSet<InstanceId> {
        self.launched().into_iter().chain(self.lost()).collect()
    }

    /// Green as far as it is known: launched, started and taken over.
    pub fn green(&self) -> BTreeSet<InstanceId> {
        let mut green = self.launched();
        green.extend(self.plan.spares.iter().cloned());
        green.extend(self.plan.takeover.iter().cloned());
        green
    }

    /// Who is got ready: at first all of green, and when all were admitted only whoever was launched since, in
    /// the place of one that died. What becomes of the others is the floor's business from then on.
    pub fn arriving(&self) -> BTreeSet<InstanceId> {
        let green = self.green();
        match &self.admitted {
            None => green,
            Some(admitted) => green.difference(admitted).cloned().collect(),
        }
    }

    /// The load balancer at which an instance serves: that of its batch, whatever became of it; that of the groups in which
    /// it was found; else as planned.
    pub fn home(&self, id: &InstanceId) -> &ForwardArn {
        if self.joined.contains_key(id) {
            return self.plan.service.routing.home_of(self.blue_groups.get(id).into_iter().flatten());
        }
        let mut batches = self.batches.iter().zip(&self.plan.batches);
        let own = batches.find(|(batch, _)| batch.launched.contains(id) || batch.lost.contains(id));
        own.map_or_else(|| self.plan.home(id), |(_, planned)| &planned.forward)
    }

    /// The route slot of an instance: leased by this release, or had before it.
    pub fn route(&self, id: &InstanceId) -> Option<&Route> {
        self.routes.get(id).or_else(|| self.plan.routes.get(id))
    }

    pub fn tally(&self, direction: Direction) -> WaveTally {
        self.waves.get(&direction).cloned().unwrap_or_default()
    }

    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.stance {
            Stance::Closed { verdict, .. } => Some(verdict),
            Stance::Going | Stance::Paused { .. } | Stance::Asking { .. } | Stance::Held { .. } => None,
        }
    }

    /// Effects that were intended and have no outcome.
    pub fn in_flight(&self) -> impl Iterator<Item = (&EffectId, &EffectRecord)> {
        self.effects.iter().filter(|(_, record)| record.ended.is_none())
    }
}

impl BatchState {
    /// Whoever it lacks is not launched any more.
    pub fn is_given_up(&self) -> bool {
        self.count == 0 && self.attempt > 1
    }
}

impl EffectRecord {
    pub fn succeeded(&self) -> bool {
        matches!(self.ended, Some((Outcome::Done(_), _)))
    }

    pub fn was_refused(&self) -> bool {
        matches!(self.ended, Some((Outcome::Refused { .. }, _)))
    }
}
