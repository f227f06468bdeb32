//! Calls that may have their effect yet: they are on their way, or whoever sent them gave them up, and nobody saw how
//! they ended.
//!
//! Asking again, and being answered, does not take the first call back. It hurts where its opposite was done meanwhile:
//! servers that a rollback has started are stopped, shares that were given back are taken away. So nobody relies on
//! an opposite, and no release ends, before such a call can land no more.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scope::{Progress, Scope};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::{EffectId, ForwardArn, GroupArn, InstanceId};
use crate::state::{EffectRecord, Leg, ReleaseState, Unseen};
use crate::time::Timestamp;
use crate::world::World;

/// How long after its sender gave it up a call is reckoned with. A choice, for AWS publishes no bound: longer than
/// what is simulated, and not much longer than a server needs to be healthy again.
const LANDS_WITHIN: Duration = Duration::from_secs(30);

/// Whatever the release began has landed, or never will; else the wait for that. That the world shows what a call wants
/// does not mean that the call has landed: somebody else may have done it, or an earlier try.
pub(super) fn require_all_landed(state: &ReleaseState, world: &World) -> Result<(), Progress> {
    require_ended(state, world, undoes_its_opposite)?;
    require_landed(state, world, |_, effect| undoes_its_opposite(effect))
}

/// No such call is on its way; else the wait for its end, which is not for ever.
fn require_ended(
    state: &ReleaseState,
    world: &World,
    matters: impl Fn(&Effect) -> bool,
) -> Result<(), Progress> {
    let mut on_its_way = state.in_flight().filter(|(_, record)| matters(&record.effect));
    // Every call comes to an end earlier; one of which nobody hears keeps no release open for ever.
    let patience = state.plan.service.patience.step.saturating_add(LANDS_WITHIN);
    let until = |record: &EffectRecord| world.by_own_clock(record.intended_at).after(patience);
    if let Some((id, record)) = on_its_way.find(|(_, record)| world.at < until(record)) {
        let on = WaitingOn::Effect { id: id.clone() };
        return Err(Progress::WaitUntil(on, until(record), Then::GoOn));
    }
    Ok(())
}

/// Whatever the way out began has come to an end, seen or not; else the wait for that, which holds when patience is over.
pub(super) fn require_way_out_ended(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut on_its_way = scope.state.in_flight().filter(|(id, _)| is_of_the_way_out(scope, id));
    on_its_way.next().map_or(Ok(()), |(id, _)| Err(Scope::not_ended(id)))
}

/// What the way out began has landed, or never will: only then what undid it stays. The way back leads users to the new
/// servers as well, for want of old ones.
pub(super) fn require_way_out_landed(scope: &Scope<'_>) -> Result<(), Progress> {
    let before = |forward: &ForwardArn| scope.plan().front(forward).map(|front| &front.weights_before);
    let leads_elsewhere = |effect: &Effect| matches!(effect, Effect::SetWeights { forward, weights } if before(forward) != Some(weights));
    let matters = |id: &EffectId, effect: &Effect| {
        leads_elsewhere(effect) || (is_of_the_way_out(scope, id) && undoes_its_opposite(effect))
    };
    require_landed(scope.state, scope.world, matters)
}

/// Whoever is to be stopped or taken out of a group, by a call whose end nobody saw, is by now, or will not be.
pub(super) fn require_departures_landed(scope: &Scope<'_>) -> Result<(), Progress> {
    let departs = |effect: &Effect| matches!(effect, Effect::Stop { .. } | Effect::Deregister { .. });
    require_landed(scope.state, scope.world, |id, effect| is_of_the_way_out(scope, id) && departs(effect))
}

/// Whoever of these is to come into a group, by a call that is on its way or whose end nobody saw, is there by now, or
/// will not be: nobody is ended before that.
pub(super) fn require_arrivals_landed<'i>(
    scope: &Scope<'_>,
    ids: impl Iterator<Item = &'i InstanceId>,
) -> Result<(), Progress> {
    let ids: BTreeSet<&InstanceId> = ids.collect();
    let arrives = |effect: &Effect| {
        let Effect::Register { instances, .. } = effect else { return false };
        instances.iter().any(|id| ids.contains(id))
    };
    require_ended(scope.state, scope.world, arrives)?;
    require_landed(scope.state, scope.world, |_, effect| arrives(effect))
}

fn is_of_the_way_out(scope: &Scope<'_>, id: &EffectId) -> bool {
    id.as_str().starts_with(&format!("{}/{}/", scope.plan().release, Leg::Out.name()))
}

/// No such call whose end nobody saw can land any more; else the wait for the last of them.
fn require_landed(
    state: &ReleaseState,
    world: &World,
    matters: impl Fn(&EffectId, &Effect) -> bool,
) -> Result<(), Progress> {
    let unseen = state.unseen.iter().filter(|(id, unseen)| matters(id, &unseen.effect));
    let Some(until) = unseen.map(|(_, unseen)| may_land_until(world, unseen)).max() else { return Ok(()) };
    if world.at >= until {
        return Ok(());
    }
    let goal = WaitingOn::Settling { what: "calls whose end nobody saw", missing: Vec::new() };
    Err(Progress::WaitUntil(goal, until, Then::GoOn))
}

fn may_land_until(world: &World, unseen: &Unseen) -> Timestamp {
    world.at_the_latest(unseen.given_up_at).after(LANDS_WITHIN)
}

/// Where such a call lands after its opposite was done, it undoes that. Not so the others: a launch has its token, a move its generation,
/// and what is terminated stays so; a registration is looked for where it would hurt ([`require_arrivals_landed`],
/// [`may_come_into`]), and who is opened late is closed by the next look.
pub(super) fn undoes_its_opposite(effect: &Effect) -> bool {
    match effect {
        Effect::Start { .. }
        | Effect::Stop { .. }
        | Effect::Deregister { .. }
        | Effect::SetWeights { .. }
        | Effect::CloseToNew { .. }
        | Effect::Drain { .. } => true,
        Effect::Launch(_)
        | Effect::Terminate { .. }
        | Effect::Register { .. }
        | Effect::Open { .. }
        | Effect::Configure { .. }
        | Effect::WarmUp { .. }
        | Effect::Move(_)
        | Effect::Announce { .. } => false,
    }
}

/// A server that was to be closed or drained, by a call whose end nobody saw, obeys it yet, until it has obeyed a later
/// daemon.
pub(super) fn may_be_closed(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let closings = scope.state.unseen.values().filter(|unseen| closes(&unseen.effect, id));
    let Some(given_up) = closings.map(|unseen| unseen.given_up_seq).max() else { return false };
    let mut openings = scope.state.effects.values().filter(|record| opens(&record.effect, id));
    !openings.any(|record| record.succeeded() && record.intended_seq > given_up)
}

/// The release closed or drained it, as far as its journal tells, and did not open it since.
pub(super) fn was_closed(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let records = || scope.state.effects.values();
    let closed = records().filter(|record| closes(&record.effect, id) && !record.was_refused());
    let opened = records().filter(|record| opens(&record.effect, id) && record.succeeded());
    let last_closed = closed.map(|record| record.intended_seq).max();
    last_closed.is_some() && last_closed > opened.map(|record| record.intended_seq).max()
}

fn closes(effect: &Effect, id: &InstanceId) -> bool {
    matches!(effect, Effect::CloseToNew { instance } | Effect::Drain { instance, .. } if instance == id)
}

fn opens(effect: &Effect, id: &InstanceId) -> bool {
    matches!(effect, Effect::Open { instance, .. } if instance == id)
}

/// Somebody may come into this group yet, after a look that finds it empty: by a call that is on its way, or whose end
/// nobody saw.
pub(super) fn may_come_into(scope: &Scope<'_>, group: &GroupArn) -> bool {
    let is_here = |effect: &Effect| matches!(effect, Effect::Register { group: other, .. } if other == group);
    let is_coming =
        |unseen: &Unseen| is_here(&unseen.effect) && scope.world.at < may_land_until(scope.world, unseen);
    scope.state.in_flight().any(|(_, record)| is_here(&record.effect))
        || scope.state.unseen.values().any(is_coming)
}
