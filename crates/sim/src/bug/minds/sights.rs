//! What a misguided one sees: a state or a world that is not so.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::app::AppState;
use segue_domain::board_list::BoardList;
use segue_domain::effect::{Done, Effect, Outcome};
use segue_domain::ids::InstanceId;
use segue_domain::instance::InstanceState;
use segue_domain::plan::Front;
use segue_domain::reading::Reading;
use segue_domain::state::{Leg, Promoted, ReleaseState, Stance};
use segue_domain::step::Step;
use segue_domain::target::{TargetHealth, Weights};
use segue_domain::world::World;

use crate::bug::{Bug, Bugs};

/// What is seen otherwise than it is.
type Sight = fn(&mut ReleaseState, &mut World);

/// Every mistaken sight that is planted.
pub(super) fn mistake(bugs: &Bugs, state: &mut ReleaseState, world: &mut World) {
    const SIGHTS: &[(Bug, Sight)] = &[
        (Bug::UnknownIsZero, unknown_is_zero),
        (Bug::NoRecheck, no_recheck),
        (Bug::OneZero, one_zero),
        (Bug::StaysRegistered, stays_registered),
        (Bug::BackWithoutCapacity, back_without_capacity),
        (Bug::CloseWithoutCapacity, close_without_capacity),
        (Bug::IllIsHealthy, ill_is_healthy),
        (Bug::SlotBelieved, slots_lead_there),
        (Bug::OneForward, shares_elsewhere_as_wanted),
        (Bug::OneHome, all_new_ones_at_the_first),
        (Bug::WeightsDropped, weights_as_wanted),
        (Bug::PauseIgnored, pause_ignored),
        (Bug::PaceIgnored, pace_ignored),
        (Bug::NotConfigured, unseen_is_done),
        (Bug::RetireWithoutEmpty, old_ones_are_empty),
        (Bug::OrphansLeft, launched_are_gone),
        (Bug::JoinedIgnored, only_the_planned),
        (Bug::BlueStaysClosed, old_ones_are_open),
        (Bug::GateSkipped, promoted),
        (Bug::KeepsTurning, never_fruitless),
    ];
    for (bug, sight) in SIGHTS {
        if bugs.has(*bug) {
            sight(state, world);
        }
    }
}

fn step(state: &ReleaseState) -> Option<Step> {
    state.current().map(|record| record.step)
}

fn unknown_is_zero(_: &mut ReleaseState, world: &mut World) {
    for count in world.boards.values_mut().filter(|count| count.known().is_none()) {
        *count = Reading::fresh(0);
    }
}

fn no_recheck(_: &mut ReleaseState, world: &mut World) {
    for (id, count) in &world.boards {
        let Some(count) = count.known() else { continue };
        if let Some(Reading::Known { value, .. }) = world.apps.get_mut(id) {
            value.boards = *count;
        }
        if let (0, Some(list)) = (count, world.board_lists.get_mut(id)) {
            *list = Reading::fresh(BoardList::new(id.clone(), &[]));
        }
    }
}

fn one_zero(state: &mut ReleaseState, _: &mut World) {
    let apart = state.plan.service.patience.zeros_apart;
    for zeros in state.zeros.values_mut() {
        let first = zeros.first().map(|first| first.before(apart));
        zeros.splice(0..0, first);
    }
}

fn leaving(state: &ReleaseState) -> BTreeSet<InstanceId> {
    match step(state) {
        Some(Step::Retire) => state.blue.clone(),
        Some(Step::Discard) => state.brought(),
        Some(_) | None => BTreeSet::new(),
    }
}

fn stays_registered(state: &mut ReleaseState, world: &mut World) {
    let leaving = leaving(state);
    for targets in world.targets.values_mut() {
        if let Reading::Known { value, .. } = targets {
            value.retain(|id, _| !leaving.contains(id));
        }
    }
}

fn ill_is_healthy(_: &mut ReleaseState, world: &mut World) {
    let known = world.targets.values_mut().filter_map(|targets| match targets {
        Reading::Known { value, .. } => Some(value),
        Reading::Unknown(_) => None,
    });
    for health in known.flat_map(|targets| targets.values_mut()).filter(|it| **it == TargetHealth::Unhealthy)
    {
        *health = TargetHealth::Healthy;
    }
}

fn slots_lead_there(state: &mut ReleaseState, world: &mut World) {
    if state.leg != Leg::Out {
        return;
    }
    for slot in state.plan.service.routing.slots() {
        let new = state.green().into_iter().find(|id| state.route(id) == Some(&slot.route));
        if let (Some(id), Some(Reading::Known { value, .. })) = (new, world.targets.get_mut(&slot.group)) {
            value.insert(id, TargetHealth::Healthy);
        }
    }
}

fn back_without_capacity(state: &mut ReleaseState, _: &mut World) {
    if state.leg != Leg::Out {
        without_floors(state);
    }
}

fn close_without_capacity(state: &mut ReleaseState, _: &mut World) {
    if state.leg == Leg::Out {
        without_floors(state);
    }
}

fn without_floors(state: &mut ReleaseState) {
    state.plan.floor = 0;
    state.plan.fronts.iter_mut().for_each(|front| front.floor = 0);
}

fn all_new_ones_at_the_first(state: &mut ReleaseState, _: &mut World) {
    let first = state.plan.service.routing.first.forward.clone();
    state.plan.batches.iter_mut().for_each(|batch| batch.forward = first.clone());
}

fn shares_elsewhere_as_wanted(state: &mut ReleaseState, world: &mut World) {
    let first = &state.plan.service.routing.first.forward;
    let read = world.weights.get(first).cloned();
    let first = first.clone();
    weights_as_wanted(state, world);
    world.weights.extend(read.map(|read| (first, read)));
}

fn weights_as_wanted(state: &mut ReleaseState, world: &mut World) {
    let wanted: fn(&Front) -> &Weights = match (&state.leg, step(state)) {
        (Leg::Back { .. }, _) => |front| &front.weights_before,
        (Leg::Out, Some(Step::Admit | Step::Observe)) => |front| &front.weights_shared,
        (Leg::Out, _) => |front| &front.weights_after,
    };
    let shown = state.plan.fronts.iter().map(|it| (it.forward.clone(), Reading::fresh(wanted(it).clone())));
    world.weights = shown.collect();
}

fn pause_ignored(state: &mut ReleaseState, _: &mut World) {
    if matches!(state.stance, Stance::Paused { .. }) {
        state.stance = Stance::Going;
    }
}

fn pace_ignored(state: &mut ReleaseState, _: &mut World) {
    state.plan.service.handover.wave_boards = 10_000;
}

fn unseen_is_done(state: &mut ReleaseState, _: &mut World) {
    for record in state.effects.values_mut() {
        if let (Effect::Configure { .. } | Effect::WarmUp { .. }, Some((outcome @ Outcome::Unknown(_), _))) =
            (&record.effect, &mut record.ended)
        {
            *outcome = Outcome::Done(Done::Nothing);
        }
    }
}

fn old_ones_are_empty(state: &mut ReleaseState, world: &mut World) {
    if step(state) != Some(Step::Retire) {
        return;
    }
    let apart = state.plan.service.patience.zeros_apart;
    for id in &state.blue {
        world.boards.insert(id.clone(), Reading::fresh(0));
        world.board_lists.insert(id.clone(), Reading::fresh(BoardList::new(id.clone(), &[])));
        if let Some(Reading::Known { value, .. }) = world.apps.get_mut(id) {
            value.boards = 0;
        }
        state.zeros.insert(id.clone(), vec![world.at.before(apart * 2), world.at.before(apart)]);
    }
}

fn launched_are_gone(state: &mut ReleaseState, world: &mut World) {
    if step(state) != Some(Step::Discard) {
        return;
    }
    let brought = state.brought();
    if let Reading::Known { value, .. } = &mut world.instances {
        value.retain(|id, _| !brought.contains(id));
    }
    for targets in world.targets.values_mut() {
        if let Reading::Known { value, .. } = targets {
            value.retain(|id, _| !brought.contains(id));
        }
    }
}

fn only_the_planned(state: &mut ReleaseState, world: &mut World) {
    let (brought, plan) = (state.brought(), &state.plan);
    let named = |id: &InstanceId| {
        [&plan.blue, &plan.spares, &plan.takeover, &brought].iter().any(|it| it.contains(id))
    };
    if let Reading::Known { value, .. } = &mut world.instances {
        value.retain(|id, _| named(id));
    }
}

fn old_ones_are_open(state: &mut ReleaseState, world: &mut World) {
    if state.leg == Leg::Out {
        return;
    }
    for id in &state.blue {
        if let Some(Reading::Known { value, .. }) = world.apps.get_mut(id) {
            value.state = AppState::Serving;
        }
    }
}

fn promoted(state: &mut ReleaseState, _: &mut World) {
    state.promoted = Promoted::Yes;
}

fn never_fruitless(state: &mut ReleaseState, _: &mut World) {
    for tally in state.waves.values_mut() {
        tally.fruitless = 0;
    }
}

/// From the bake on new servers are believed to be as they were when they were first seen healthy.
pub(super) fn remember(
    state: &ReleaseState,
    world: &mut World,
    remembered: &mut BTreeMap<String, World>,
    key: String,
) {
    if !matches!(step(state), Some(Step::Observe | Step::Close | Step::Handover)) {
        return;
    }
    let first = remembered.entry(key).or_insert_with(|| world.clone());
    for id in state.green() {
        let was_healthy = first.instance(&id).is_some_and(|it| it.state == InstanceState::Running);
        let (Reading::Known { value, .. }, Some(instance), true) =
            (&mut world.instances, first.instance(&id), was_healthy)
        else {
            continue;
        };
        value.insert(id.clone(), instance.clone());
        if let Some(app) = first.apps.get(&id) {
            world.apps.insert(id.clone(), app.clone());
        }
        for (group, targets) in &mut world.targets {
            let health = first.targets(group).ok().and_then(|targets| targets.get(&id));
            if let (Reading::Known { value, .. }, Some(TargetHealth::Healthy)) = (targets, health) {
                value.insert(id.clone(), TargetHealth::Healthy);
            }
        }
    }
}
