//! Step `launch`: as many instances run as the plan says.
//!
//! Guarantees: stopped spares of the very AMI are started first; a batch is launched by one call with one
//! token; what comes short or dies is launched again under the next attempt, which is recorded before.
//! Assumptions: EC2's list may not show for minutes what it has launched.
//! If killed here: the same ids bring the same instances.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Try, next_try};
use crate::decision::WaitingOn;
use crate::effect::{Effect, LaunchBatch};
use crate::event::Event;
use crate::ids::InstanceId;
use crate::instance::InstanceState;
use crate::state::{BatchState, EffectRecord};
use crate::step::Step;

/// A batch that came short this often will not come.
const ATTEMPTS: u32 = 5;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    if let Err(progress) = scope.require_instances() {
        return progress;
    }
    if let Some(lost) = lost_for_good(scope) {
        return Progress::Failed(format!("{lost} was to be part of the new fleet and is gone"));
    }
    let mut acts = Acts::new(scope);
    start_spares(&mut acts, scope);
    for (index, batch) in (0_u32..).zip(&scope.state.batches) {
        match top_up(&mut acts, scope, index, batch) {
            Ok(()) => {}
            Err(progress) => return progress,
        }
    }
    let running = scope.state.green().iter().filter(|id| scope.runs(id)).count();
    let missing = scope.plan().green_size().saturating_sub(u32::try_from(running).unwrap_or(u32::MAX));
    if missing == 0 && acts.is_idle() {
        return Progress::Done;
    }
    acts.or_wait(WaitingOn::Instances { missing })
}

/// For the steps after: the launch as work still to do, when an instance died since.
pub(super) fn lapsed(scope: &Scope<'_>) -> Option<Progress> {
    let progress = take(&Scope { step: Step::Launch, ..*scope });
    (!progress.is_done()).then_some(progress)
}

/// A spare or a canary that is gone cannot be replaced by a batch: the plan named it.
fn lost_for_good(scope: &Scope<'_>) -> Option<InstanceId> {
    let plan = scope.plan();
    plan.spares
        .iter()
        .chain(&plan.takeover)
        .find(|id| scope.world.instance(id).is_none_or(|it| it.state.is_gone()))
        .cloned()
}

fn start_spares(acts: &mut Acts<'_>, scope: &Scope<'_>) {
    let stopped: Vec<InstanceId> = scope
        .plan()
        .spares
        .iter()
        .filter(|id| scope.world.instance(id).is_some_and(|it| it.state == InstanceState::Stopped))
        .cloned()
        .collect();
    if !stopped.is_empty() {
        acts.want("spares", Effect::Start { instances: stopped });
    }
}

fn top_up(acts: &mut Acts<'_>, scope: &Scope<'_>, index: u32, batch: &BatchState) -> Result<(), Progress> {
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    let Some(planned) = scope.plan().batches.get(place) else {
        return Err(Progress::Failed(format!("batch {index} is not in the plan")));
    };
    let lost: Vec<InstanceId> = batch.launched.iter().filter(|id| has_died(scope, id)).cloned().collect();
    let alive = u32::try_from(batch.launched.len() - lost.len()).unwrap_or(u32::MAX);
    let missing = planned.count.saturating_sub(alive);
    if missing == 0 {
        return Ok(());
    }
    let effect = launch_effect(scope, index, batch, planned);
    let subject = format!("{index}/{}", batch.attempt);
    let id = scope.id(&subject, &effect);
    let answered = scope.state.effects.get(&id).is_some_and(EffectRecord::succeeded);
    let refused = match next_try(scope.state, &id, scope.world.at) {
        Try::Refused(why) => Some(why),
        Try::Now(_) | Try::Later => None,
    };
    if !answered && refused.is_none() {
        acts.want(&subject, effect);
        return Ok(());
    }
    if batch.attempt >= ATTEMPTS {
        let why = refused.unwrap_or_else(|| format!("{missing} instances of batch {index} did not stay"));
        return Err(Progress::Failed(why));
    }
    let attempt = batch.attempt + 1;
    Err(Progress::Record(vec![Event::BatchRaised { batch: index, attempt, count: missing, lost }]))
}

/// Everything that RunInstances gets, the same for the same attempt.
fn launch_effect(
    scope: &Scope<'_>,
    index: u32,
    batch: &BatchState,
    planned: &crate::plan::BatchPlan,
) -> Effect {
    let plan = scope.plan();
    Effect::Launch(LaunchBatch {
        release: plan.release.clone(),
        service: plan.service.name.clone(),
        version: plan.image.version.clone(),
        image: plan.image.id.clone(),
        template: plan.service.launch.template.clone(),
        subnet: planned.subnet.clone(),
        count: batch.count,
        batch: index,
        attempt: batch.attempt,
    })
}

/// Listed, and not on its way up. One that is not listed yet may only be invisible.
fn has_died(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.world.instance(id).is_some_and(|it| match it.state {
        InstanceState::Pending | InstanceState::Running => false,
        InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::ShuttingDown
        | InstanceState::Terminated => true,
    })
}

/// The new instances that this release got ready by itself: not the canaries that it takes over.
pub(super) fn fresh(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    scope.state.green().difference(&scope.plan().takeover).cloned().collect()
}
