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
    let needed = records(decision).filter(|_| step != Step::Announce)?;
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

/// How many records it leads to at once, where there may be any number. What is begun has an end, and so much is begun at
/// one time. Steps are few, and the turn is what the room is kept for.
fn records(decision: &Decision) -> Option<u64> {
    let is_of_the_journey = |event: &Event| {
        matches!(event, Event::StepEntered { .. } | Event::StepDone { .. } | Event::WayBackBegan { .. })
    };
    let count = match decision {
        Decision::Do(intents) => intents.len().min(AT_ONCE).saturating_mul(2),
        Decision::Record(events) if !events.iter().any(is_of_the_journey) => events.len(),
        Decision::Record(_)
        | Decision::Wait(_)
        | Decision::Ask(_)
        | Decision::Park(_)
        | Decision::Close(_)
        | Decision::Over => return None,
    };
    Some(u64::try_from(count).unwrap_or(u64::MAX))
}
