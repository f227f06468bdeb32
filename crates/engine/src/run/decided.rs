//! Asking the decider, and what its answer comes to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use segue_domain::decision::{Decision, Reason, Wait};
use segue_domain::event::Event;
use segue_domain::laws::Broken;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;
use segue_domain::world::World;

use crate::decider::Decider;

/// Decides; a panic in it is a bug that holds the release.
pub(super) fn decided(decider: &dyn Decider, state: &ReleaseState, world: &World) -> Decision {
    match catch_unwind(AssertUnwindSafe(|| decider.decide(state, world))) {
        Ok(decision) => decision,
        Err(_) => Decision::Park(Reason::Bug { what: "deciding broke down".to_owned() }),
    }
}

/// The law that a decision would break.
pub(crate) fn unlawful(
    decider: &dyn Decider,
    state: &ReleaseState,
    at: Timestamp,
    decision: &Decision,
) -> Option<Broken> {
    match decision {
        Decision::Do(intents) => {
            intents.iter().find_map(|intent| decider.breaks(state, &Event::Intended(intent.clone())))
        }
        // Each of them follows the one before.
        Decision::Record(events) => {
            let mut before = state.clone();
            events.iter().find_map(|event| {
                let broken = decider.breaks(&before, event);
                // What does not fold is refused when it is to be written.
                let _folds = before.apply(at, event);
                broken
            })
        }
        Decision::Close(verdict) => decider.breaks(state, &Event::Closed { verdict: verdict.clone() }),
        Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Over => None,
    }
}

/// What it waits for.
pub(super) fn waiting(decision: &Decision) -> Option<Wait> {
    match decision {
        Decision::Wait(wait) => Some(wait.clone()),
        Decision::Record(_)
        | Decision::Do(_)
        | Decision::Ask(_)
        | Decision::Park(_)
        | Decision::Close(_)
        | Decision::Over => None,
    }
}
