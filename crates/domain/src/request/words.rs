//! What a person says to a release, and what follows from it.

use crate::decision::{Cause, Reason};
use crate::event::{Event, Word};
use crate::ids::Actor;
use crate::refusal::Refusal;
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
        return Err(Refusal::ReleaseOver { release: release.clone(), verdict: verdict.name() });
    }
    let said = Event::Said { actor: actor.clone(), word, reason: reason.map(str::to_owned) };
    let not_now = |state| Refusal::NotNow { release: release.clone(), word, state };
    match (word, &state.stance) {
        (Word::Pause, Stance::Going)
        | (Word::Resume, Stance::Paused { .. })
        | (Word::Promote, Stance::Asking { .. } | Stance::Held { reason: Reason::Undecided { .. }, .. })
        | (Word::Retry, Stance::Held { .. }) => Ok(vec![said]),
        (Word::Abort, _) => match (&state.leg, state.no_return) {
            (Leg::Out, None) => {
                Ok(vec![said, Event::WayBackBegan { cause: Cause::AbortedBy(actor.clone()) }])
            }
            (Leg::Out, Some(_)) => Err(Refusal::NoWayBack { release: release.clone() }),
            (Leg::Back { .. }, _) => Err(not_now("on its way back")),
        },
        (Word::Pause | Word::Resume | Word::Promote | Word::Retry, _) => Err(not_now(stance_name(state))),
    }
}

fn stance_name(state: &ReleaseState) -> &'static str {
    match state.stance {
        Stance::Going => "going on",
        Stance::Paused { .. } => "paused",
        Stance::Asking { .. } => "asking",
        Stance::Held { .. } => "held",
        Stance::Closed { .. } => "over",
    }
}
