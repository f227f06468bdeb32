//! What a step function gets to see, what it may answer, and how it asks for effects.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::AppStatus;
use crate::decision::{Cause, Gate, Reason, Source, Then, WaitingOn};
use crate::effect::{Effect, IDS_AT_ONCE, Intent, Outcome};
use crate::event::Event;
use crate::ids::{CheckName, EffectId, InstanceId};
use crate::instance::InstanceState;
use crate::plan::Plan;
use crate::reading::Why;
use crate::service::Patience;
use crate::state::{EffectRecord, Leg, ReleaseState};
use crate::step::Step;
use crate::time::Timestamp;
use crate::world::World;

/// One step, looked at in one world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) state: &'a ReleaseState,
    pub(super) world: &'a World,
    pub(super) step: Step,
}

/// What the ids of a step's effects begin with.
pub(super) fn id_prefix(state: &ReleaseState, step: Step) -> String {
    format!("{}/{}/{step}/", state.plan.release, state.leg.name())
}

/// What a step says of itself.
pub(super) enum Progress {
    Done,
    Record(Vec<Event>),
    Do(Vec<Intent>),
    /// The deadline is the step's patience since the last progress.
    Wait(WaitingOn, Then),
    /// The deadline is part of the goal.
    WaitUntil(WaitingOn, Timestamp, Then),
    Failed(String),
    /// It did what it should, and the answer was no.
    Turn(Cause),
    Park(Reason),
    Ask(Gate),
    Refuse(Vec<CheckName>),
}

impl Progress {
    /// Something could not be read, and without it nothing is decided.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self, Self::Wait(WaitingOn::Reading { .. }, _))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

/// What is due comes first: it is begun, and the step goes on with the next look.
pub(super) fn begun(due: Vec<Intent>) -> Result<(), Progress> {
    if due.is_empty() { Ok(()) } else { Err(Progress::Do(due)) }
}

/// What a step function returns: what it comes to, or what keeps it from coming there.
pub(super) type Taken = Result<Progress, Progress>;

impl<'a> Scope<'a> {
    pub(super) fn plan(&self) -> &'a Plan {
        &self.state.plan
    }

    pub(super) fn patience(&self) -> &'a Patience {
        &self.state.plan.service.patience
    }

    /// Every effect of this step has an id that begins so.
    pub(super) fn id_prefix(&self) -> String {
        id_prefix(self.state, self.step)
    }

    pub(super) fn id(&self, subject: &str, effect: &Effect) -> EffectId {
        EffectId::new(format!("{}{}/{subject}", self.id_prefix(), effect.verb()))
    }

    /// Since when the step has been on; the release's beginning if it is not.
    pub(super) fn entered_at(&self) -> Timestamp {
        let record = self.state.steps.iter().rev().find(|record| record.step == self.step);
        self.world.by_own_clock(record.map_or(self.state.began_at, |record| record.entered_at))
    }

    /// The end of the step's patience, from the last progress on. That nobody was there to make any is no lack of it:
    /// whoever has just come looks for `settle` at least.
    pub(super) fn patience_ends(&self) -> Timestamp {
        let patience = self.patience();
        let ends = self.world.by_own_clock(self.state.progress_at).after(patience.step);
        ends.max(self.world.watched_since.after(patience.settle.min(patience.step)))
    }

    /// The goal of an earlier step must be true still; what it takes to make it true comes first.
    pub(super) fn require_done(
        &self,
        step: Step,
        take: impl FnOnce(&Scope<'a>) -> Taken,
    ) -> Result<(), Progress> {
        let progress = take(&Scope { step, ..*self })?;
        if progress.is_done() { Ok(()) } else { Err(progress) }
    }

    /// A reading that is missing; without it nothing is decided.
    pub(super) fn blind(what: Source, why: &Why) -> Progress {
        Progress::Wait(WaitingOn::Reading { what, why: why.clone() }, Then::Hold)
    }

    /// A call is on its way, and nothing goes on before its end.
    pub(super) fn not_ended(id: &EffectId) -> Progress {
        Progress::Wait(WaitingOn::Effect { id: id.clone() }, Then::Hold)
    }

    /// The instances of EC2's list, or the wait for it.
    pub(super) fn require_instances(&self) -> Result<(), Progress> {
        match self.world.instances.why() {
            None => Ok(()),
            Some(why) => Err(Self::blind(Source::Instances, why)),
        }
    }

    /// What an instance says of itself, or the wait for it.
    pub(super) fn require_app(&self, id: &InstanceId) -> Result<&'a AppStatus, Progress> {
        self.world.app(id).map_err(|why| Self::blind(Source::App(id.clone()), why))
    }

    /// Runs by EC2's word. Unknown instances are not running: the caller has required the list.
    pub(super) fn runs(&self, id: &InstanceId) -> bool {
        self.world.instance(id).is_some_and(|it| it.state == InstanceState::Running)
    }

    /// Is down or gone by EC2's word. One that EC2 does not list any more is gone.
    pub(super) fn is_down(&self, id: &InstanceId) -> bool {
        self.world.instances.known().is_some_and(|all| all.get(id).is_none_or(|it| it.state.is_down()))
    }

    /// Is terminated, or not listed. The caller has required the list.
    pub(super) fn is_gone(&self, id: &InstanceId) -> bool {
        self.world.instance(id).is_none_or(|it| it.state.is_gone())
    }

    /// Runs, or is not listed by EC2: such a one may run all the same.
    pub(super) fn may_run(&self, id: &InstanceId) -> bool {
        self.runs(id) || self.world.instance(id).is_none()
    }

    pub(super) fn running(&self, ids: &BTreeSet<InstanceId>) -> BTreeSet<InstanceId> {
        ids.iter().filter(|id| self.runs(id)).cloned().collect()
    }
}

/// Collects what a step wants done in one pass.
pub(super) struct Acts<'a> {
    scope: Scope<'a>,
    intents: Vec<Intent>,
    waiting: Option<EffectId>,
    refused: Option<String>,
}

impl<'a> Acts<'a> {
    pub(super) fn new(scope: &Scope<'a>) -> Self {
        Self { scope: *scope, intents: Vec::new(), waiting: None, refused: None }
    }

    /// Wants the effect done: asks for it, or for another try, or waits for the one that is on its way.
    pub(super) fn want(&mut self, subject: &str, effect: Effect) {
        let id = self.scope.id(subject, &effect);
        match next_try(self.scope.state, &id, self.scope.world) {
            Try::Now(attempt) => self.intents.push(Intent { id, attempt, effect }),
            Try::Later => match other_shares(self.scope.state, &id, &effect) {
                Some(done) => self.intents.push(Intent { id, attempt: done.attempt + 1, effect }),
                None => {
                    self.waiting.get_or_insert(id);
                }
            },
            Try::Refused(why) => {
                self.refused.get_or_insert(why);
            }
        }
    }

    /// Wants it done for each of `wanted`, as many by one call as one call takes. `all` are those of whom some may be
    /// wanted: as long as they stay the same, each of them stays in its call, whoever else is done already.
    pub(super) fn want_each<'i>(
        &mut self,
        subject: &str,
        all: impl IntoIterator<Item = &'i InstanceId>,
        wanted: &[InstanceId],
        effect: impl Fn(Vec<InstanceId>) -> Effect,
    ) {
        for (subject, instances) in calls(subject, all, wanted) {
            self.want(&subject, effect(instances));
        }
    }

    /// Nothing is wanted, nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.intents.is_empty() && self.waiting.is_none() && self.refused.is_none()
    }

    /// In whose words something was refused for good.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// What may be begun now, whatever else was refused or is on its way.
    pub(super) fn into_begun(self) -> Vec<Intent> {
        self.intents
    }

    /// What the pass comes to; `goal` is waited for when everything was done and the world does not show it.
    pub(super) fn or_wait(self, goal: WaitingOn) -> Progress {
        self.or_wait_then(goal, Then::WayBack)
    }

    /// As [`Self::or_wait`], with what happens when the goal does not come.
    pub(super) fn or_wait_then(self, goal: WaitingOn, then: Then) -> Progress {
        if let Some(why) = self.refused {
            return Progress::Failed(why);
        }
        if !self.intents.is_empty() {
            return Progress::Do(self.intents);
        }
        match self.waiting {
            Some(id) if in_flight(self.scope.state, &id) => Progress::Wait(WaitingOn::Effect { id }, then),
            Some(_) | None => Progress::Wait(goal, then),
        }
    }

    /// As [`Self::or_wait`], where what is refused for one keeps nobody else waiting.
    pub(super) fn or_go_on(self, goal: WaitingOn) -> Progress {
        let others_go_on = !self.intents.is_empty() || self.waiting.is_some();
        let refused = self.refused.filter(|_| !others_go_on);
        Self { refused, ..self }.or_wait(goal)
    }

    /// As [`Self::or_wait`], where neither a refusal nor a goal that does not come is a reason to go back.
    pub(super) fn or_hold(self, goal: WaitingOn) -> Progress {
        let step = self.scope.step;
        match self.refused {
            Some(why) => Progress::Park(Reason::CannotGoOn { step, why }),
            None => self.or_wait_then(goal, Then::Hold),
        }
    }

    /// As [`Self::or_wait`], for a step whose goal was met when nothing is wanted.
    pub(super) fn or_done(self, goal: WaitingOn) -> Progress {
        if self.is_idle() { Progress::Done } else { self.or_wait(goal) }
    }
}

/// Who of `wanted` is named by which call, and what each call's subject is: as many by one as one takes.
pub(super) fn calls<'i>(
    subject: &str,
    all: impl IntoIterator<Item = &'i InstanceId>,
    wanted: &[InstanceId],
) -> Vec<(String, Vec<InstanceId>)> {
    let wanted: BTreeSet<&InstanceId> = wanted.iter().collect();
    let all: Vec<&InstanceId> = all.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let calls = all.chunks(IDS_AT_ONCE).enumerate().map(|(number, some)| {
        let some = some.iter().filter(|id| wanted.contains(**id)).map(|id| InstanceId::clone(id)).collect();
        // Where one call is enough it has no number, as before there were several.
        let subject = if number == 0 { subject.to_owned() } else { format!("{subject}/{number}") };
        (subject, some)
    });
    calls.filter(|(_, some): &(String, Vec<InstanceId>)| !some.is_empty()).collect()
}

/// Shares that were given under this id, and are not the ones that are wanted now: somebody has died since, and the world
/// will never show them.
fn other_shares<'s>(state: &'s ReleaseState, id: &EffectId, wanted: &Effect) -> Option<&'s EffectRecord> {
    let given = state.effects.get(id).filter(|record| record.succeeded());
    given.filter(|record| matches!(wanted, Effect::SetWeights { .. }) && record.effect != *wanted)
}

fn in_flight(state: &ReleaseState, id: &EffectId) -> bool {
    state.effects.get(id).is_some_and(|record| record.ended.is_none())
}

/// Whether an effect is tried now.
pub(super) enum Try {
    Now(u32),
    /// In flight, settling, or resting after an unknown end.
    Later,
    Refused(String),
}

pub(super) fn next_try(state: &ReleaseState, id: &EffectId, world: &World) -> Try {
    let Some(record) = state.effects.get(id) else { return Try::Now(1) };
    let again = Try::Now(record.attempt + 1);
    match &record.ended {
        None => Try::Later,
        Some((Outcome::Refused { why, .. }, _)) => Try::Refused(why.clone()),
        Some((Outcome::Done(_), at))
            if world.since(*at) < state.plan.service.patience.settle && !was_undone(state, record) =>
        {
            Try::Later
        }
        Some((Outcome::Unknown(_), at)) if world.since(*at) < rest(record.attempt) => Try::Later,
        Some((Outcome::Done(_) | Outcome::Unknown(_), _)) => again,
    }
}

/// Its opposite was begun since: the world will not show it, however long that is waited for. Only the way back wants
/// one and the other by turns, as servers die and come back.
fn was_undone(state: &ReleaseState, done: &EffectRecord) -> bool {
    let mut since = state.effects.values().filter(|other| Some(other.intended_seq) > done.ended_seq);
    matches!(state.leg, Leg::Back { .. }) && since.any(|other| are_opposite(&done.effect, &other.effect))
}

/// The one takes back what the other did.
fn are_opposite(one: &Effect, other: &Effect) -> bool {
    let (opens, leads) = (
        matches!((one, other),
            (Effect::Open { instance, .. }, Effect::CloseToNew { instance: same })
            | (Effect::CloseToNew { instance }, Effect::Open { instance: same, .. }) if instance == same),
        matches!((one, other),
            (Effect::SetWeights { forward, .. }, Effect::SetWeights { forward: same, .. }) if forward == same),
    );
    opens || (leads && one != other)
}

/// The pause before an effect with an unknown end is tried again: 250 ms, doubled each time, 30 s at the most.
/// The jitter belongs to the calls within a try.
pub(super) fn rest(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(7);
    Duration::from_millis(250 << doublings).min(Duration::from_secs(30))
}
