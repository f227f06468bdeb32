//! Decisions that can be acted on too late: when what was seen is too old, and since when that has been so.

use std::sync::{Mutex, PoisonError};

use segue_domain::effect::{Intent, Outcome};
use segue_domain::event::Event;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;
use segue_domain::world::World;

use crate::ports::Clock;

/// Since when one decision after the other came too late. It is patience and no state: another daemon begins anew.
#[derive(Debug, Default)]
pub(crate) struct Tardy(Mutex<Option<Timestamp>>);

impl Tardy {
    /// One more. Since when there have been nothing else.
    pub(super) fn again(&self, at: Timestamp) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at)
    }

    /// Something came in time.
    pub(super) fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What was seen is no reason any more to do anything.
pub(crate) fn is_too_old(world: &World, state: &ReleaseState, clock: &dyn Clock) -> bool {
    clock.now().since(world.at) > state.plan.service.patience.max_age
}

/// Ends what was not begun: the world is looked at again, and decided anew.
pub(crate) fn put_off(intents: Vec<Intent>) -> Vec<Event> {
    let outcome = Outcome::Unknown("not begun: the journal took too long".to_owned());
    let ended = intents.into_iter().map(|Intent { id, attempt, .. }| Event::Ended {
        id,
        attempt,
        outcome: outcome.clone(),
    });
    ended.collect()
}
