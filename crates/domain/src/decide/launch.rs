//! Step `launch`: as many instances run as the plan says.
//!
//! Guarantees: stopped spares of the very AMI are started first; a batch is launched by one call with one
//! token; what comes short or dies is launched again under the next attempt, which is recorded before, and
//! elsewhere when there was no room (`room`), until the batch is given up.
//! Assumptions: EC2's list may not show for minutes what it has launched.
//! If killed here: the same ids bring the same instances.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::scope::{Acts, Progress, Scope, Taken, Try, begun, next_try};
use super::{registry, room};
use crate::decision::{Then, WaitingOn};
use crate::effect::{Done, Effect, Intent, LaunchBatch, Outcome};
use crate::event::Event;
use crate::ids::{EffectId, ForwardArn, InstanceId};
use crate::instance::{InstanceState, Origin};
use crate::state::{BatchState, EffectRecord};
use crate::step::Step;
use crate::time::Timestamp;

/// How long EC2 may not show what it has launched, and a minute for clocks that differ.
/// Source: EC2 API, eventual consistency: back off up to five minutes.
pub(super) const VISIBLE_WITHIN: Duration = Duration::from_mins(6);
/// EC2's clock and ours differ by so much at the most.
const EC2S_CLOCK_APART: Duration = Duration::from_mins(5);

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    let strays = strays(scope);
    if !strays.is_empty() {
        return Ok(Progress::Record(strays));
    }
    registry::require_tagged(scope, &scope.state.green())?;
    if let Some(lost) = lost_for_good(scope) {
        return Ok(Progress::Failed(format!("{lost} was to be part of the new fleet and is gone")));
    }
    let mut acts = Acts::new(scope);
    start_spares(&mut acts, scope);
    let mut given_up = 0_u32;
    for (index, batch) in (0_u32..).zip(&scope.state.batches) {
        given_up = given_up.saturating_add(top_up(&mut acts, scope, index, batch)?);
    }
    let running = scope.state.green().iter().filter(|id| scope.runs(id)).count();
    let coming = scope.plan().green_size().saturating_sub(given_up);
    let missing = coming.saturating_sub(u32::try_from(running).unwrap_or(u32::MAX));
    if missing == 0 && acts.is_idle() {
        return Ok(Progress::Done);
    }
    let goal = WaitingOn::Instances { missing };
    // One spare that cannot be started keeps nobody else's place empty.
    Ok(if scope.state.is_done(Step::Admit) { acts.or_go_on(goal) } else { acts.or_wait(goal) })
}

/// A spare or a canary that is gone before all were admitted: the plan named it, and the plan does not hold.
fn lost_for_good(scope: &Scope<'_>) -> Option<InstanceId> {
    let plan = scope.plan();
    if scope.state.is_done(Step::Admit) {
        return None;
    }
    plan.spares.iter().chain(&plan.takeover).find(|id| scope.is_gone(id)).cloned()
}

/// Spares and canaries of this load balancer that died after all were admitted. Its first batch brings as many more. A
/// spare that is only stopped is started again instead.
fn dead_by_name(scope: &Scope<'_>, forward: &ForwardArn) -> u32 {
    if !scope.state.is_done(Step::Admit) {
        return 0;
    }
    let spares = scope.plan().spares.iter().filter(|id| scope.is_gone(id));
    let dead = |id: &&InstanceId| has_died(scope, id);
    let dead = spares.chain(scope.plan().takeover.iter().filter(dead));
    let dead = dead.filter(|id| scope.state.home(id) == forward).count();
    u32::try_from(dead).unwrap_or(u32::MAX)
}

fn start_spares(acts: &mut Acts<'_>, scope: &Scope<'_>) {
    let stopped: Vec<InstanceId> = scope
        .plan()
        .spares
        .iter()
        .filter(|id| scope.world.instance(id).is_some_and(|it| it.state == InstanceState::Stopped))
        .cloned()
        .collect();
    acts.want_each("spares", &scope.plan().spares, &stopped, |instances| Effect::Start { instances });
}

/// Asks for whoever the batch lacks. Answers how many of them nobody asks for any more.
fn top_up(acts: &mut Acts<'_>, scope: &Scope<'_>, index: u32, batch: &BatchState) -> Result<u32, Progress> {
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(planned) = scope.plan().batches.get(place) else {
        return Err(Progress::Failed(format!("batch {index} is not in the plan")));
    };
    let lost: Vec<InstanceId> = batch.launched.iter().filter(|id| has_died(scope, id)).cloned().collect();
    let alive = u32::try_from(batch.launched.len() - lost.len()).unwrap_or(u32::MAX);
    let first = scope.plan().batches.iter().position(|it| it.forward == planned.forward);
    let dead = if first == Some(place) { dead_by_name(scope, &planned.forward) } else { 0 };
    let wanted = planned.count.saturating_add(dead);
    let missing = wanted.saturating_sub(alive);
    if missing == 0 || (batch.is_given_up() && lost.is_empty()) {
        return Ok(missing);
    }
    let effect = launch_effect(scope, index, batch, planned);
    let subject = format!("{index}/{}", batch.attempt);
    let id = scope.id(&subject, &effect);
    // The same token is for the same place, whatever was learnt since.
    let effect = scope.state.effects.get(&id).map_or(effect, |record| record.effect.clone());
    // A batch that was to launch nobody has nothing to ask for before its count is raised.
    let answered = batch.count == 0 || scope.state.effects.get(&id).is_some_and(EffectRecord::succeeded);
    let refused = match next_try(scope.state, &id, scope.world) {
        Try::Refused(why) => Some(why),
        Try::Now(_) | Try::Later => None,
    };
    if !answered && refused.is_none() {
        acts.want(&subject, effect);
        return Ok(0);
    }
    require_visible(scope, &id)?;
    let (state, attempt) = (scope.state, batch.attempt);
    let failed = room::Failed { state, batch: planned, index, attempt, missing, refused };
    let count = match failed.for_good() {
        _ if batch.is_given_up() => 0,
        None => missing,
        // The others serve, and whoever else comes in the place of the dead is not kept waiting.
        Some(_) if scope.state.is_done(Step::Admit) => 0,
        Some(why) => return Err(Progress::Failed(why)),
    };
    Err(Progress::Record(vec![Event::BatchRaised { batch: index, attempt: attempt + 1, count, lost }]))
}

/// Asks every launch again whose end nobody saw: its token brings what it brought, or brings it now.
pub(super) fn settle(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut intents = Vec::new();
    for (id, record) in &scope.state.effects {
        if !matches!(record.effect, Effect::Launch(_)) {
            continue;
        }
        match &record.ended {
            None => return Err(Scope::not_ended(id)),
            Some((Outcome::Unknown(_), _)) => match next_try(scope.state, id, scope.world) {
                Try::Now(attempt) => {
                    intents.push(Intent { id: id.clone(), attempt, effect: record.effect.clone() });
                }
                Try::Later | Try::Refused(_) => {
                    return Err(Scope::not_ended(id));
                }
            },
            Some((Outcome::Done(_) | Outcome::Refused { .. }, _)) => require_visible(scope, id)?,
        }
    }
    begun(intents)
}

/// When a later try was refused, an earlier one, whose end nobody saw, may have come through: until EC2's list
/// must show what that brought, nothing is launched in its place and nothing is taken for gone.
pub(super) fn require_visible(scope: &Scope<'_>, id: &EffectId) -> Result<(), Progress> {
    let Some(record) = scope.state.effects.get(id) else { return Ok(()) };
    let visible_at = match &record.ended {
        Some((Outcome::Refused { .. }, at)) if record.attempt > 1 => {
            scope.world.at_the_latest(*at).after(VISIBLE_WITHIN)
        }
        Some((Outcome::Refused { .. } | Outcome::Done(_) | Outcome::Unknown(_), _)) | None => return Ok(()),
    };
    if scope.world.at >= visible_at {
        return Ok(());
    }
    let goal = WaitingOn::Settling { what: "EC2's list of a launch that was refused", missing: Vec::new() };
    Err(Progress::WaitUntil(goal, visible_at, Then::GoOn))
}

/// What EC2 lists under the tags of a launch of ours, and its answer did not name: the token of a launch is
/// spent when one of its instances was terminated, and then only the tags tell of the others. Taken in only
/// with an intent of this very journal, and never what the plan knows in another role: a journal that was lost
/// counts releases from the beginning.
pub(super) fn strays(scope: &Scope<'_>) -> Vec<Event> {
    let unheard_of = unheard_of(scope);
    let mut events = Vec::new();
    if unheard_of.is_empty() {
        return events;
    }
    for (id, record) in &scope.state.effects {
        let (Effect::Launch(batch), Some((outcome, _))) = (&record.effect, &record.ended) else { continue };
        let mut ids: Vec<InstanceId> = match outcome {
            Outcome::Done(Done::Launched(ids)) => ids.clone(),
            Outcome::Done(Done::Nothing | Done::Moved(_)) | Outcome::Refused { .. } => Vec::new(),
            // Its token is asked again first.
            Outcome::Unknown(_) => continue,
        };
        let known = ids.len();
        ids.extend(unheard_of.get(&(batch.batch, batch.attempt)).into_iter().flatten().cloned());
        if ids.len() > known {
            let outcome = Outcome::Done(Done::Launched(ids));
            events.push(Event::Ended { id: id.clone(), attempt: record.attempt, outcome });
        }
    }
    events
}

/// By batch and attempt: the list is gone through once, however many batches there are.
fn unheard_of(scope: &Scope<'_>) -> BTreeMap<(u32, u32), Vec<InstanceId>> {
    let (plan, brought) = (scope.plan(), scope.state.brought());
    let mine = plan.release.to_string();
    let known =
        |id| [&scope.state.blue, &plan.spares, &plan.takeover, &brought].iter().any(|ids| ids.contains(id));
    let mut unheard_of: BTreeMap<(u32, u32), Vec<InstanceId>> = BTreeMap::new();
    for (id, it) in scope.world.instances.known().into_iter().flatten() {
        let Origin::Release { release, batch, attempt } = &it.origin else { continue };
        if *release == mine && !known(id) && it.launched_at.after(EC2S_CLOCK_APART) >= scope.state.began_at {
            unheard_of.entry((*batch, *attempt)).or_default().push(id.clone());
        }
    }
    unheard_of
}

/// Everything that RunInstances gets for an attempt that was not made yet.
fn launch_effect(
    scope: &Scope<'_>,
    index: u32,
    batch: &BatchState,
    planned: &crate::plan::BatchPlan,
) -> Effect {
    let plan = scope.plan();
    let room::Place { subnet, instance_type } = room::best(scope.state, planned);
    Effect::Launch(LaunchBatch {
        release: plan.release.clone(),
        service: plan.service.name.clone(),
        version: plan.image.version.clone(),
        image: plan.image.id.clone(),
        template: plan.service.launch.template.clone(),
        subnet,
        instance_type,
        count: batch.count,
        batch: index,
        attempt: batch.attempt,
    })
}

/// Not on its way up, or forgotten by EC2 after it was terminated. One that is not listed yet may only be
/// invisible.
pub(super) fn has_died(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let Some(instance) = scope.world.instance(id) else { return !may_be_invisible(scope, id) };
    match instance.state {
        InstanceState::Pending | InstanceState::Running => false,
        InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::ShuttingDown
        | InstanceState::Terminated => true,
    }
}

/// This release launched it a moment ago.
pub(super) fn may_be_invisible(scope: &Scope<'_>, id: &InstanceId) -> bool {
    visible_at(scope, id).is_some_and(|at| scope.world.at < at)
}

/// Until when one that is not listed may be listed yet.
pub(super) fn unlisted_until(scope: &Scope<'_>, id: &InstanceId) -> Option<Timestamp> {
    let is_unlisted = scope.world.instance(id).is_none();
    visible_at(scope, id).filter(|at| is_unlisted && scope.world.at < *at)
}

/// By then EC2's list must show it; none for what others launched.
fn visible_at(scope: &Scope<'_>, id: &InstanceId) -> Option<Timestamp> {
    // Looked for among the launches alone: of other effects there are thousands.
    if !scope.state.batches.iter().any(|batch| batch.launched.contains(id) || batch.lost.contains(id)) {
        return None;
    }
    scope.state.effects.values().find_map(|record| match &record.ended {
        Some((Outcome::Done(Done::Launched(ids)), at)) if ids.contains(id) => {
            Some(scope.world.at_the_latest(*at).after(VISIBLE_WITHIN))
        }
        Some(_) | None => None,
    })
}

/// The new instances that this release got ready by itself: not the canaries that it takes over.
pub(super) fn fresh(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    scope.state.green().difference(&scope.plan().takeover).cloned().collect()
}
