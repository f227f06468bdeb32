//! Laws of a release's turns: what follows what, and what a person was promised.

use crate::decision::{Cause, Verdict};
use crate::effect::{Effect, Intent};
use crate::event::{Event, Word};
use crate::ids::InstanceId;
use crate::state::{Leg, Promoted, ReleaseState, Stance};
use crate::step::Step;

/// The step that an effect's id names.
fn step_of(intent: &Intent) -> Option<Step> {
    Step::named(intent.id.as_str().split('/').nth(2)?)
}

/// An effect is of the step that is on, or of one that its step asks for again; a step is entered when all before
/// it are done.
pub(super) fn s12_order(before: &ReleaseState, event: &Event) -> Option<String> {
    if let Event::StepEntered { step } = event {
        let expected = before.next_step();
        return (expected != Some(*step)).then(|| format!("{step} was entered, and {expected:?} comes next"));
    }
    let Event::Intended(intent) = event else { return None };
    if before.verdict().is_some() {
        return None;
    }
    let step = step_of(intent)?;
    // What may have happened is settled by asking again, whatever step is on by then.
    let is_known = before.was_entered(step) && before.journey().contains(&step)
        || before.effects.contains_key(&intent.id);
    (!is_known).then(|| format!("{} belongs to a step that is not on", intent.id))
}

/// No old server is terminated before the point of no return, no new one that serves on the way out, and nothing turns
/// back after it.
pub(super) fn s13_no_return(before: &ReleaseState, event: &Event) -> Option<String> {
    if let (Event::WayBackBegan { cause }, Some(_)) = (event, before.no_return) {
        return Some(format!("it turned back after the point of no return: {cause}"));
    }
    let Event::Intended(intent) = event else { return None };
    let Effect::Terminate { instances } = &intent.effect else { return None };
    let old = instances.iter().find(|id| before.blue.contains(*id));
    if let Some(old) = old.filter(|_| before.no_return.is_none()) {
        return Some(format!("{old} is to be terminated, and there was a way back"));
    }
    let is_on_the_way_out = matches!(before.leg, Leg::Out) && before.verdict().is_none();
    let lost = before.lost();
    let kept = |id: &&InstanceId| !before.blue.contains(*id) && !lost.contains(*id);
    let serves = instances.iter().find(kept).filter(|_| is_on_the_way_out)?;
    Some(format!("{serves} is to be terminated, and is of the new fleet"))
}

/// Behind a gate nothing is begun, and the gate opens at a person's word only.
pub(super) fn s18_gate_first(before: &ReleaseState, event: &Event) -> Option<String> {
    match (&before.stance, event) {
        (Stance::Asking { .. }, Event::Intended(intent)) => {
            Some(format!("{} was begun behind a gate", intent.id))
        }
        (_, Event::PointOfNoReturn) if before.verdict().is_none() => {
            let answered = before.promoted == Promoted::Yes;
            (!answered).then(|| "the point of no return was passed, and nobody was asked".to_owned())
        }
        _ => None,
    }
}

/// While it is paused nothing is begun.
pub(super) fn s19_pause_means_pause(before: &ReleaseState, event: &Event) -> Option<String> {
    match (&before.stance, event) {
        (Stance::Paused { .. }, Event::Intended(intent)) => {
            Some(format!("{} was begun in a pause", intent.id))
        }
        (Stance::Paused { .. }, Event::StepEntered { step }) => {
            Some(format!("{step} was entered in a pause"))
        }
        _ => None,
    }
}

/// A person's abort that was taken is carried out.
pub(super) fn a6_words_are_kept(before: &ReleaseState, event: &Event) -> Option<String> {
    let is_aborted = matches!(&before.leg, Leg::Back { cause: Cause::AbortedBy(_), .. });
    let is_released = matches!(event, Event::Closed { verdict: Verdict::Released | Verdict::Passed });
    if is_aborted && is_released {
        return Some("it was aborted, and is released all the same".to_owned());
    }
    let is_late = before.no_return.is_some() && matches!(event, Event::Said { word: Word::Abort, .. });
    is_late.then(|| "an abort was taken after the point of no return".to_owned())
}
