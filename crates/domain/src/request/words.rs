//! What a person says to a release, and what follows from it.

use crate::decision::{Cause, Reason};
use crate::event::{Event, Word};
use crate::ids::Actor;
use crate::refusal::{Refusal, Standing};
use crate::state::{Leg, ReleaseState, Stance};

/// The events that a word leads to, or why it leads to none.
pub fn may_say(
    state: &ReleaseState,
    word: Word,
    actor: &Actor,
    reason: Option<&str>,
) -> Result<Vec<Event>, Refusal> {
    let release = &state.plan.release;
    if let Some(verdict) = state.verdict() {
        return Err(Refusal::ReleaseOver { release: release.clone(), verdict: verdict.clone() });
    }
    let said = Event::Said { actor: actor.clone(), word, reason: reason.map(str::to_owned) };
    let not_now = |state| Refusal::NotNow { release: release.clone(), word, state };
    match (word, &state.stance) {
        (Word::Pause, Stance::Going)
        | (Word::Resume, Stance::Paused { .. })
        | (Word::Promote, Stance::Asking { .. } | Stance::Held { reason: Reason::Undecided { .. }, .. })
        | (Word::Retry, Stance::Held { .. }) => Ok(vec![said]),
        // Of the old servers some are gone for good, perhaps, and nothing else would ever end the release. With none of
        // them there is nobody to go back to.
        (Word::Promote, Stance::Held { reason: Reason::NoCapacity { able: 1.., .. }, .. })
            if matches!(state.leg, Leg::Back { .. }) =>
        {
            Ok(vec![said])
        }
        (Word::Abort, _) => match (&state.leg, state.no_return) {
            (Leg::Out, None) => {
                Ok(vec![said, Event::WayBackBegan { cause: Cause::AbortedBy(actor.clone()) }])
            }
            (Leg::Out, Some(_)) => Err(Refusal::NoWayBack { release: release.clone() }),
            (Leg::Back { .. }, _) => Err(not_now(Standing::GoesBack)),
        },
        (Word::Pause | Word::Resume | Word::Promote | Word::Retry, _) => Err(not_now(standing(state))),
    }
}

fn standing(state: &ReleaseState) -> Standing {
    match state.stance {
        Stance::Going => Standing::GoesOn,
        Stance::Paused { .. } => Standing::Paused,
        Stance::Asking { .. } => Standing::Asks,
        Stance::Held { .. } => Standing::Holds,
        Stance::Closed { .. } => Standing::Over,
    }
}
