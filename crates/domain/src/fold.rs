//! State from events. Total: every stream that this version's engine can append folds; anything else is an
//! [`Illegal`] that names the place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::decision::{Cause, Reason};
use crate::effect::{Done, Effect, Intent, Outcome};
use crate::event::{Event, Word};
use crate::ids::{EffectId, GroupArn, InstanceId};
use crate::moves::WaveResult;
use crate::plan::Plan;
use crate::state::{
    Bake, BatchState, EffectRecord, Leg, Promoted, ReleaseState, Repeated, Seq, Stance, StepRecord, Unseen,
    WaveTally,
};
use crate::step::Step;
use crate::time::Timestamp;

/// An event that cannot have happened where the stream says it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Illegal {
    /// Place in the stream, from 0.
    pub index: usize,
    pub what: &'static str,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.index, self.what)
    }
}

impl std::error::Error for Illegal {}

/// Folds a whole stream; `None` for an empty one.
pub fn fold<'a>(
    events: impl IntoIterator<Item = (Timestamp, &'a Event)>,
) -> Result<Option<ReleaseState>, Illegal> {
    let mut folding = Folding::default();
    for (at, event) in events {
        folding.take(at, event)?;
    }
    Ok(folding.end())
}

/// A fold under way: no event is kept, so that whoever reads a long stream need not hold it.
#[derive(Debug, Default)]
pub struct Folding {
    state: Option<ReleaseState>,
    taken: usize,
}

impl Folding {
    pub fn take(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        let index = self.taken;
        self.taken += 1;
        match (&mut self.state, event) {
            (None, Event::Planned(plan)) => {
                self.state = Some(ReleaseState::planned(plan.as_ref().clone(), at));
                Ok(())
            }
            (None, _) => Err(Illegal { index, what: "the first event is not the plan" }),
            (Some(state), _) => state.apply(at, event).map_err(|what| Illegal { index, what }),
        }
    }

    /// What came of it; `None` when nothing was taken.
    pub fn end(self) -> Option<ReleaseState> {
        self.state
    }
}

impl ReleaseState {
    /// The state right after the first record.
    pub fn planned(plan: Plan, at: Timestamp) -> Self {
        let batches = plan
            .batches
            .iter()
            .map(|batch| BatchState {
                attempt: 1,
                count: batch.count,
                launched: BTreeSet::new(),
                lost: BTreeSet::new(),
            })
            .collect();
        Self {
            blue: plan.blue.clone(),
            blue_groups: plan.blue_groups.clone(),
            joined: BTreeMap::new(),
            plan,
            began_at: at,
            leg: Leg::Out,
            steps: Vec::new(),
            checks: BTreeMap::new(),
            effects: BTreeMap::new(),
            batches,
            routes: BTreeMap::new(),
            admitted: None,
            bake: None,
            waves: BTreeMap::new(),
            boards_at_close: None,
            zeros: BTreeMap::new(),
            no_return: None,
            stance: Stance::Going,
            promoted: Promoted::No,
            judged: Promoted::No,
            enough: BTreeMap::new(),
            led_to: BTreeSet::new(),
            asked_to_end: BTreeSet::new(),
            terminated: BTreeSet::new(),
            occupied: BTreeMap::new(),
            progress_at: at,
            unseen: BTreeMap::new(),
            seq: Seq::FIRST,
        }
    }

    /// Takes one more event in.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), &'static str> {
        if matches!(self.stance, Stance::Closed { .. }) && !may_follow_the_end(event) {
            return Err("the release was closed before");
        }
        self.seq = self.seq.next();
        match event {
            Event::Planned(_) => return Err("a second plan"),
            Event::StepEntered { step } => self.enter(*step, at),
            Event::StepDone { step, how } => {
                let current = self.steps.last_mut().filter(|record| record.step == *step);
                current.ok_or("a step that was not entered is done")?.done = Some((*how, at));
                if *step == Step::Admit {
                    // Somebody else may have registered and opened them.
                    let green = self.green();
                    self.led_to.extend(green.iter().cloned());
                    self.admitted = Some(green);
                }
                self.progress_at = at;
            }
            Event::Checked { check, result } => {
                self.checks.insert(check.clone(), result.clone());
                self.progress_at = at;
            }
            Event::Intended(intent) => self.intend(intent, at),
            Event::Ended { id, attempt, outcome } => self.end(id, *attempt, outcome, at)?,
            Event::BatchRaised { batch, attempt, count, lost } => {
                self.raise(*batch, *attempt, *count, lost, at)?;
            }
            Event::Joined { servers } => self.join(servers, at)?,
            Event::SlotsLeased { routes } => {
                self.routes.extend(routes.iter().map(|(id, route)| (id.clone(), route.clone())));
                self.progress_at = at;
            }
            Event::BakeBegan { start } => {
                self.bake = Some(Bake { began_at: at, start: start.clone(), enough_boards: None });
                self.progress_at = at;
            }
            Event::EnoughBoards { boards } => {
                self.bake.as_mut().ok_or("no bake has begun")?.enough_boards = Some(*boards);
            }
            Event::BoardsCounted { on_blue } => self.boards_at_close = Some(*on_blue),
            Event::FoundEmpty { instance, sampled_at } => {
                let zeros = self.zeros.entry(instance.clone()).or_default();
                // By another clock than the one before: how far apart the two are nobody can say.
                if zeros.last().is_some_and(|last| last > sampled_at) {
                    zeros.clear();
                }
                zeros.push(*sampled_at);
                // Zeros that were taken back once may be taken back for ever: they are no progress any more.
                if !self.occupied.contains_key(instance) {
                    self.progress_at = at;
                }
            }
            Event::FoundOccupied { instance } => {
                self.zeros.remove(instance);
                self.occupied.insert(instance.clone(), at);
            }
            Event::WayBackBegan { cause } => self.turn_back(cause, at)?,
            Event::PointOfNoReturn => {
                self.no_return.get_or_insert(at);
            }
            Event::Asked { gate } => self.stance = Stance::Asking { gate: gate.clone(), since: at },
            Event::Held { reason } => self.stance = Stance::Held { reason: reason.clone(), since: at },
            Event::Closed { verdict } => self.stance = Stance::Closed { verdict: verdict.clone(), at },
            Event::Said { word, .. } => self.hear(*word, at),
        }
        Ok(())
    }

    fn raise(
        &mut self,
        place: u32,
        attempt: u32,
        count: u32,
        lost: &[InstanceId],
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let batch = self.batch(place)?;
        (batch.attempt, batch.count) = (attempt, count);
        for id in lost {
            batch.launched.remove(id);
            batch.lost.insert(id.clone());
        }
        // They are cleared away from now on.
        if count == 0 && !lost.is_empty() {
            self.progress_at = at;
        }
        Ok(())
    }

    fn batch(&mut self, place: u32) -> Result<&mut BatchState, &'static str> {
        let index = usize::try_from(place).unwrap_or(usize::MAX);
        self.batches.get_mut(index).ok_or("a batch that is not in the plan")
    }

    fn join(
        &mut self,
        servers: &BTreeMap<InstanceId, BTreeSet<GroupArn>>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        for (id, groups) in servers {
            if !self.blue.insert(id.clone()) {
                return Err("a server joins that was there before");
            }
            self.blue_groups.insert(id.clone(), groups.clone());
            self.joined.insert(id.clone(), at);
        }
        self.progress_at = at;
        Ok(())
    }

    fn enter(&mut self, step: Step, at: Timestamp) {
        self.steps.push(StepRecord { step, entered_at: at, done: None });
        self.progress_at = at;
        // A new step empties other servers, or the same ones again: zeros from before say nothing.
        if matches!(step, Step::Handover | Step::Return) {
            self.zeros.clear();
        }
    }

    fn intend(&mut self, intent: &Intent, at: Timestamp) {
        if let Effect::Move(effect) = &intent.effect {
            let tally = self.waves.entry(effect.wave.direction).or_default();
            tally.begun = tally.begun.max(effect.wave.number);
            self.led_to.extend(effect.wave.moves.iter().map(|one| one.to.clone()));
        }
        if let Effect::Stop { instances } | Effect::Terminate { instances } = &intent.effect {
            self.asked_to_end.extend(instances.iter().cloned());
        }
        // Whom it takes out of a group was in one, whoever had registered it.
        if let Effect::Register { instances, .. } | Effect::Deregister { instances, .. } = &intent.effect {
            self.led_to.extend(instances.iter().cloned());
        }
        if let Effect::Open { instance, .. } = &intent.effect {
            self.led_to.insert(instance.clone());
        }
        let before = self.effects.get(&intent.id);
        let was_done = before.is_some_and(|it| it.succeeded() || it.repeated == Repeated::Yes);
        let record = EffectRecord {
            effect: intent.effect.clone(),
            attempt: intent.attempt,
            intended_at: at,
            intended_seq: self.seq,
            ended: None,
            ended_seq: None,
            repeated: if was_done { Repeated::Yes } else { Repeated::No },
        };
        self.effects.insert(intent.id.clone(), record);
    }

    fn end(
        &mut self,
        id: &EffectId,
        attempt: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let record = self.effects.get_mut(id).ok_or("an effect that was not intended ended")?;
        if record.attempt != attempt {
            return Err("an attempt that was not intended ended");
        }
        record.ended = Some((outcome.clone(), at));
        record.ended_seq = Some(self.seq);
        let effect = record.effect.clone();
        let is_first = record.repeated == Repeated::No;
        match outcome {
            Outcome::Done(done) => {
                if is_first && brings_nearer(done) {
                    self.progress_at = at;
                }
                if let Effect::Move(effect) = &effect {
                    record.effect = Effect::Move(Arc::new(effect.without_moves()));
                }
                self.take_in(&effect, done)
            }
            Outcome::Unknown(_) => {
                // A move is known by its id wherever it lands; its boards are many.
                if !matches!(effect, Effect::Move(_)) {
                    self.give_up(id, effect, at);
                }
                Ok(())
            }
            Outcome::Refused { .. } => Ok(()),
        }
    }

    /// An earlier try that nobody saw end may be carried out as well.
    fn give_up(&mut self, id: &EffectId, effect: Effect, at: Timestamp) {
        let effect = match self.unseen.remove(id) {
            Some(earlier) => effect.with_whom_it_named(earlier.effect),
            None => effect,
        };
        self.unseen.insert(id.clone(), Unseen { effect, given_up_at: at, given_up_seq: self.seq });
    }

    fn take_in(&mut self, effect: &Effect, done: &Done) -> Result<(), &'static str> {
        match (effect, done) {
            (Effect::Launch(launch), Done::Launched(ids)) => {
                let batch = self.batch(launch.batch)?;
                let fresh = ids.iter().filter(|id| !batch.lost.contains(*id)).cloned();
                let fresh: Vec<_> = fresh.collect();
                batch.launched.extend(fresh);
            }
            (Effect::Move(effect), Done::Moved(result)) => {
                tally(self.waves.entry(effect.wave.direction).or_default(), result);
            }
            (Effect::Terminate { instances }, Done::Nothing) => {
                self.terminated.extend(instances.iter().cloned());
            }
            (
                Effect::Start { .. }
                | Effect::Stop { .. }
                | Effect::Register { .. }
                | Effect::Deregister { .. }
                | Effect::SetWeights { .. }
                | Effect::Open { .. }
                | Effect::CloseToNew { .. }
                | Effect::Configure { .. }
                | Effect::WarmUp { .. }
                | Effect::Drain { .. }
                | Effect::Announce { .. },
                Done::Nothing,
            ) => {}
            (Effect::Launch(_) | Effect::Move(_), Done::Nothing)
            | (_, Done::Launched(_) | Done::Moved(_)) => {
                return Err("an outcome of another effect");
            }
        }
        Ok(())
    }

    fn turn_back(&mut self, cause: &Cause, at: Timestamp) -> Result<(), &'static str> {
        if self.no_return.is_some() {
            return Err("there is no way back any more");
        }
        let reached = self.steps.last().map_or(Step::Resolve, |record| record.step);
        let steps = Step::way_back(reached).to_vec();
        self.leg = Leg::Back { cause: cause.clone(), steps };
        self.stance = Stance::Going;
        self.progress_at = at;
        Ok(())
    }

    fn hear(&mut self, word: Word, at: Timestamp) {
        match word {
            Word::Promote => {
                self.promote();
                self.stance = Stance::Going;
                self.progress_at = at;
            }
            Word::Pause => self.stance = Stance::Paused { since: at },
            // A pause of hours is no lack of progress.
            Word::Resume => {
                self.stance = Stance::Going;
                self.progress_at = at;
            }
            Word::Retry => {
                self.stance = Stance::Going;
                self.bake = None;
                self.judged = Promoted::No;
                self.forget_failures();
                self.progress_at = at;
            }
            // The way back begins in the same append.
            Word::Abort => self.stance = Stance::Going,
        }
    }

    /// A yes answers the question that was asked, and no later one.
    fn promote(&mut self) {
        match &self.stance {
            Stance::Asking { .. } => self.promoted = Promoted::Yes,
            Stance::Held { reason: Reason::NoCapacity { able, at, .. }, .. } => {
                self.enough.insert(at.clone(), *able);
            }
            Stance::Held { .. } => self.judged = Promoted::Yes,
            Stance::Going | Stance::Paused { .. } | Stance::Closed { .. } => {}
        }
    }

    /// A retry gives every effect that did not succeed a new first try, under its old id. Launches are
    /// remembered: what a launch may have brought has to be found, however it ended.
    fn forget_failures(&mut self) {
        self.effects.retain(|_, record| {
            matches!(record.ended, None | Some((Outcome::Done(_), _)))
                || matches!(record.effect, Effect::Launch(_))
        });
    }
}

/// After the verdict only the old servers' end is still to come.
fn may_follow_the_end(event: &Event) -> bool {
    matches!(event, Event::Intended(_) | Event::Ended { .. } | Event::PointOfNoReturn)
}

/// A wave in which every board stayed is no progress, however often it is repeated.
fn brings_nearer(done: &Done) -> bool {
    match done {
        Done::Nothing | Done::Launched(_) => true,
        Done::Moved(result) => result.boards_moved > 0 || result.boards_gone > 0,
    }
}

fn tally(tally: &mut WaveTally, result: &WaveResult) {
    tally.fruitless = if result.boards_moved + result.boards_gone > 0 { 0 } else { tally.fruitless + 1 };
    tally.boards_moved += u64::from(result.boards_moved);
    tally.clients_moved += u64::from(result.clients_moved);
    tally.gone += u64::from(result.boards_gone);
    tally.exceptions += u64::try_from(result.exceptions.len()).unwrap_or(u64::MAX);
    if let Some(last) = result.exceptions.last() {
        tally.last_exception = Some(format!("{}: {}", last.board, last.why));
    }
}
