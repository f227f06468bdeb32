//! What a release must see to decide its next thing.

use std::collections::BTreeSet;

use super::waves;
use crate::ids::{GroupArn, InstanceId};
use crate::state::ReleaseState;
use crate::step::Step;
use crate::world::Needs;

/// By the step that is on, or comes next; never by what was found.
pub fn needs(state: &ReleaseState) -> Needs {
    let Some(step) = state.current().map(|record| record.step).or_else(|| state.next_step()) else {
        return Needs::default();
    };
    let plan = &state.plan;
    let green = state.green();
    let everybody: BTreeSet<_> = state.blue.union(&green).cloned().collect();
    let mut needs = Needs { instances: everybody.clone(), ..Needs::default() };
    match step {
        Step::Resolve | Step::Launch | Step::Configure | Step::Warm => {}
        // One that was replaced may run again, and is closed and emptied like the others.
        Step::Shut => {
            needs.slots = slots_of(state, &state.blue);
            needs.instances.extend(state.lost());
        }
        // Whoever comes in the place of one that died gets a slot, whatever step is on.
        Step::Close => {
            needs.slots = slots_of_the_replaced(state);
            needs.instances.extend(state.lost());
        }
        Step::Announce => {
            // A canary's: whoever died before the bake, and was replaced, is looked for in the slots.
            if !state.lost().is_empty() {
                needs.slots = slots(state);
            }
            needs.instances.extend(state.lost());
            needs.ownership = state.lost();
        }
        Step::Preflight => {
            needs.slots = slots(state);
            needs.subnets.clone_from(&plan.service.launch.subnets);
        }
        Step::Admit => {
            needs.slots = slots_of(state, &green);
            needs.slots.extend(slots_of(state, &routed(state, state.lost())));
        }
        Step::Reopen => needs.slots = slots_of(state, &state.blue),
        Step::Observe => needs.vitals = everybody,
        // Whoever takes boards says what it holds already, as whoever is left does.
        Step::Handover => {
            needs.slots = slots_of_the_replaced(state);
            needs.instances.extend(state.lost());
            needs.board_lists = everybody.union(&state.lost()).cloned().collect();
            needs.ownership.clone_from(&state.blue);
        }
        Step::Return => {
            needs.slots = slots_of(state, &state.blue);
            needs.instances.extend(state.lost());
            needs.board_lists = everybody.union(&state.lost()).cloned().collect();
            needs.ownership = green;
        }
        Step::Retire => {
            needs.slots = slots(state);
            needs.board_lists = lists_at_retire(state, &everybody);
            needs.instances.extend(state.lost());
            needs.ownership = state.blue.union(&state.lost()).cloned().collect();
        }
        Step::Discard => {
            needs.slots = slots(state);
            needs.board_lists = everybody.union(&state.brought()).cloned().collect();
            // What died and was replaced is looked at as well.
            needs.instances.extend(state.brought());
            needs.ownership = green.union(&state.brought()).cloned().collect();
        }
    }
    // Servers of level 0 need not have such lists.
    if plan.service.handover.level_max == 0 {
        needs.board_lists.clear();
    }
    // As long as waves are under way nothing else is begun, whatever the lists say: a million rows would be read at
    // each landing, for nothing.
    if matches!(step, Step::Handover | Step::Return) && moves_are_under_way(state, step) {
        needs.board_lists.clear();
        needs.ownership.clear();
    }
    needs
}

/// What new servers hold is asked for by a wave alone; and one that is found with boards loses its zeros before there
/// is a wave for them.
fn lists_at_retire(state: &ReleaseState, everybody: &BTreeSet<InstanceId>) -> BTreeSet<InstanceId> {
    let left: BTreeSet<InstanceId> = state.blue.union(&state.lost()).cloned().collect();
    let are_empty = left.iter().all(|id| state.zeros.contains_key(id));
    if are_empty { left } else { left.union(everybody).cloned().collect() }
}

/// This step's own: what is left of another's is no reason not to look.
fn moves_are_under_way(state: &ReleaseState, step: Step) -> bool {
    let prefix = waves::prefix(state, step);
    state.in_flight().any(|(id, _)| id.as_str().starts_with(&prefix))
}

/// What [`super::decide_after`] must see.
pub fn needs_after(state: &ReleaseState) -> Needs {
    Needs { slots: slots(state), ..Needs::default() }
}

/// The slots that lead to these; all of them as long as one of these has none, and may get any.
fn slots_of(state: &ReleaseState, instances: &BTreeSet<InstanceId>) -> BTreeSet<GroupArn> {
    let routes: Option<BTreeSet<_>> = instances.iter().map(|id| state.route(id)).collect();
    let Some(routes) = routes else { return slots(state) };
    let theirs = state.plan.service.routing.slots().filter(|slot| routes.contains(&slot.route));
    theirs.map(|slot| slot.group.clone()).collect()
}

/// The slots of whoever died and was replaced, and of whoever comes in its place.
fn slots_of_the_replaced(state: &ReleaseState) -> BTreeSet<GroupArn> {
    let left = slots_of(state, &routed(state, state.lost()));
    left.union(&slots_of(state, &state.arriving())).cloned().collect()
}

/// Those that have a slot, or had one.
fn routed(state: &ReleaseState, mut instances: BTreeSet<InstanceId>) -> BTreeSet<InstanceId> {
    instances.retain(|id| state.route(id).is_some());
    instances
}

fn slots(state: &ReleaseState) -> BTreeSet<GroupArn> {
    state.plan.service.routing.slot_groups().cloned().collect()
}
