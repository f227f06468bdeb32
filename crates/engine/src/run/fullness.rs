//! What is kept of a stream's room. A stream takes so many records and no more: of one that is full not even the hold or
//! the end could be written, and its release would never be over.

use segue_domain::decision::{Decision, Reason};
use segue_domain::event::Event;
use segue_domain::state::{Leg, ReleaseState};
use segue_domain::step::Step;

use super::AT_ONCE;

/// How full a stream may become, in percent, before nothing more is begun. The way out leaves the way back its room, and
/// whoever has no way back has that as well; the rest is for words, holds and ends. Five thousand servers are opened and
/// closed by some twenty thousand records.
const OUT_MAX: u64 = 70;
const BACK_MAX: u64 = 97;

/// Why what was decided may not be written to a stream of `seq` records, which takes `max`.
pub(super) fn lacks_room(state: &ReleaseState, seq: u64, decision: &Decision, max: u64) -> Option<Reason> {
    let step = state.current()?.step;
    // It comes last, says little, and never holds a release.
    if step == Step::Announce || !takes_room(decision) {
        return None;
    }
    let needed = records(decision);
    let (part, kept_for) = match (&state.leg, state.no_return) {
        (Leg::Out, None) => (OUT_MAX, "the way back and the end"),
        (Leg::Out, Some(_)) | (Leg::Back { .. }, _) => (BACK_MAX, "the end"),
    };
    if seq.saturating_add(needed) <= max.saturating_mul(part) / 100 {
        return None;
    }
    let why = format!("its journal has {seq} of {max} records; the rest is kept for {kept_for}");
    Some(match state.leg {
        Leg::Out => Reason::CannotGoOn { step, why },
        Leg::Back { .. } => Reason::CannotGoBack { step, why },
    })
}

/// How many it leads to at once. What is begun has an end, and so much is begun at one time.
fn records(decision: &Decision) -> u64 {
    let count = match decision {
        Decision::Record(events) => events.len(),
        Decision::Do(intents) => intents.len().min(AT_ONCE).saturating_mul(2),
        Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Close(_) | Decision::Over => 0,
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// It leads to records of which there may be any number. Steps are few, and the turn is what the room is kept for.
fn takes_room(decision: &Decision) -> bool {
    match decision {
        Decision::Do(_) => true,
        Decision::Record(events) => !events.iter().any(|event| {
            matches!(event, Event::StepEntered { .. } | Event::StepDone { .. } | Event::WayBackBegan { .. })
        }),
        Decision::Wait(_) | Decision::Ask(_) | Decision::Park(_) | Decision::Close(_) | Decision::Over => {
            false
        }
    }
}
