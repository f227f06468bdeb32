//! Decisions that can be acted on too late: when what was seen is too old, and since when that has been so.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use segue_domain::effect::{Intent, Outcome};
use segue_domain::event::Event;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;
use segue_domain::world::World;

use crate::ports::Clock;

/// A row of decisions that came too late, with nothing begun in between. It is patience and no state: another daemon
/// begins anew.
#[derive(Debug, Default)]
pub(crate) struct Tardy(Mutex<Option<Row>>);

#[derive(Debug, Clone, Copy)]
struct Row {
    first: Timestamp,
    last: Timestamp,
}

impl Tardy {
    /// One more; when the first of the row was. One that comes longer after another than a step has patience is the
    /// first of a new row: waits lay in between, and what was put off has long been decided anew.
    pub(super) fn again(&self, at: Timestamp, patience: Duration) -> Timestamp {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = row.filter(|it| at.since(it.last) <= patience).map_or(at, |it| it.first);
        *row = Some(Row { first, last: at });
        first
    }

    /// Something was begun in time, or a person has to say how it goes on.
    pub(super) fn reset(&self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    #[test]
    fn a_row_lasts_until_something_is_begun_or_for_a_while_nothing_comes_too_late() {
        let (tardy, second) = (Tardy::default(), |second: i64| Timestamp::from_ms(second * 1_000));
        assert_eq!(tardy.again(second(10), PATIENCE), second(10));
        assert_eq!(tardy.again(second(50), PATIENCE), second(10));
        assert_eq!(tardy.again(second(110), PATIENCE), second(10), "the last one counts, not the first");
        assert_eq!(tardy.again(second(171), PATIENCE), second(171));
        tardy.reset();
        assert_eq!(tardy.again(second(172), PATIENCE), second(172));
    }
}
