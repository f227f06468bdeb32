//! Way back, step `discard`: what this release brought is gone. Spares are stopped again, as they were found.
//!
//! Guarantees: every launch whose end is unknown is asked again under its token first, so that nothing stays
//! behind unseen; nothing is terminated that may hold a board or is in a target group.
//! Assumptions: an instance that was never admitted cannot be reached by clients.
//! If killed here: terminating again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope};
use super::{empty, launch, registry};
use crate::decision::{Then, WaitingOn};
use crate::effect::{Effect, Intent, Outcome};
use crate::ids::{GroupArn, InstanceId};
use crate::instance::Origin;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    match try_take(scope) {
        Ok(progress) | Err(progress) => progress,
    }
}

fn try_take(scope: &Scope<'_>) -> Result<Progress, Progress> {
    scope.require_instances()?;
    settle_launches(scope)?;
    registry::require_groups(scope, &registry::all_groups(scope))?;
    let fresh = brought(scope);
    if scope.state.was_entered(Step::Admit) {
        let holders: BTreeSet<InstanceId> =
            fresh.iter().filter(|id| !super::retire::was_stopped(scope, id)).cloned().collect();
        empty::watch(scope, &holders)?;
    }
    let mut acts = Acts::new(scope);
    let mut listed = registry::deregister(&mut acts, scope, &fresh);
    listed.extend(leave_green_group(&mut acts, scope));
    if !listed.is_empty() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "deregistration", missing: listed }));
    }
    end_instances(&mut acts, scope, &fresh);
    let staying: Vec<InstanceId> = fresh.iter().filter(|id| !is_ended(scope, id)).cloned().collect();
    if staying.is_empty() && acts.is_idle() {
        return Ok(Progress::Done);
    }
    Ok(acts.or_wait(WaitingOn::Settling { what: "the new servers' end", missing: staying }))
}

/// Launched by this release by the journal's word or by their tags, and spares; never a taken-over canary.
fn brought(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    let mut brought = launch::fresh(scope);
    brought.extend(scope.state.batches.iter().flat_map(|batch| &batch.lost).cloned());
    let name = scope.plan().release.to_string();
    let tagged = scope.world.instances.known().into_iter().flatten().filter(|(_, it)| match &it.origin {
        Origin::Release { release, .. } => *release == name,
        Origin::Adopted => false,
    });
    brought.extend(tagged.map(|(id, _)| id.clone()));
    brought
}

/// Asks every launch again whose end nobody saw: its token brings what it brought, or brings it now.
fn settle_launches(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut intents = Vec::new();
    for (id, record) in &scope.state.effects {
        if !matches!(record.effect, Effect::Launch(_)) {
            continue;
        }
        match &record.ended {
            None => return Err(Progress::Wait(WaitingOn::Effect { id: id.clone() }, Then::Hold)),
            Some((Outcome::Unknown(_), _)) => match super::scope::next_try(scope.state, id, scope.world.at) {
                super::scope::Try::Now(attempt) => {
                    intents.push(Intent { id: id.clone(), attempt, effect: record.effect.clone() });
                }
                super::scope::Try::Later | super::scope::Try::Refused(_) => {
                    return Err(Progress::Wait(WaitingOn::Effect { id: id.clone() }, Then::Hold));
                }
            },
            Some((Outcome::Done(_) | Outcome::Refused(_), _)) => {}
        }
    }
    if intents.is_empty() { Ok(()) } else { Err(Progress::Do(intents)) }
}

/// Taken-over canaries leave green's group, and keep their own.
fn leave_green_group(acts: &mut Acts<'_>, scope: &Scope<'_>) -> Vec<InstanceId> {
    let group: &GroupArn = &scope.plan().green_group;
    let listed: Vec<InstanceId> = scope
        .plan()
        .takeover
        .iter()
        .filter(|id| registry::health(scope, group, id).is_some())
        .cloned()
        .collect();
    if !listed.is_empty() {
        acts.want(
            &format!("{group}/takeover"),
            Effect::Deregister { group: group.clone(), instances: listed.clone() },
        );
    }
    listed
}

fn end_instances(acts: &mut Acts<'_>, scope: &Scope<'_>, fresh: &BTreeSet<InstanceId>) {
    let spares = &scope.plan().spares;
    let stop: Vec<InstanceId> =
        fresh.iter().filter(|id| spares.contains(*id) && scope.runs(id)).cloned().collect();
    if !stop.is_empty() {
        acts.want("spares", Effect::Stop { instances: stop });
    }
    let terminate: Vec<InstanceId> =
        fresh.iter().filter(|id| !spares.contains(*id) && !is_ended(scope, id)).cloned().collect();
    if !terminate.is_empty() {
        acts.want("new", Effect::Terminate { instances: terminate });
    }
}

/// A spare is stopped, anything else is gone. What the journal knows and EC2 does not list yet is not gone:
/// it may only be invisible; what EC2 never listed within the patience of the step is.
fn is_ended(scope: &Scope<'_>, id: &InstanceId) -> bool {
    match scope.world.instance(id) {
        Some(it) if scope.plan().spares.contains(id) => it.state.is_down(),
        Some(it) => it.state.is_gone(),
        None => scope.world.at >= scope.entered_at().after(scope.patience().settle),
    }
}
