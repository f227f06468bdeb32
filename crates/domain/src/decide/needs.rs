//! What a release must see to decide its next thing.

use std::collections::BTreeSet;

use crate::ids::GroupArn;
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
    let everybody: BTreeSet<_> = plan.blue.union(&green).cloned().collect();
    let mut needs = Needs { instances: everybody.clone(), ..Needs::default() };
    match step {
        Step::Resolve
        | Step::Launch
        | Step::Configure
        | Step::Warm
        | Step::Close
        | Step::Announce
        | Step::Shut => {}
        Step::Preflight => {
            needs.slots = slots(state);
            needs.subnets.clone_from(&plan.service.launch.subnets);
        }
        Step::Admit | Step::Reopen => needs.slots = slots(state),
        Step::Observe => needs.vitals = everybody,
        Step::Handover => {
            needs.board_lists.clone_from(&plan.blue);
            needs.ownership.clone_from(&plan.blue);
        }
        Step::Return => {
            needs.board_lists.clone_from(&green);
            needs.ownership = green;
        }
        Step::Retire => {
            needs.slots = slots(state);
            needs.board_lists.clone_from(&plan.blue);
            needs.ownership.clone_from(&plan.blue);
        }
        Step::Discard => {
            needs.slots = slots(state);
            needs.board_lists.clone_from(&green);
            // What died before it served is looked at as well.
            needs.instances.extend(state.brought());
            needs.ownership = green.union(&state.brought()).cloned().collect();
        }
    }
    needs
}

/// What [`super::decide_after`] must see.
pub fn needs_after(state: &ReleaseState) -> Needs {
    Needs { slots: slots(state), ..Needs::default() }
}

fn slots(state: &ReleaseState) -> BTreeSet<GroupArn> {
    state.plan.service.routing.slots.iter().map(|slot| slot.group.clone()).collect()
}
