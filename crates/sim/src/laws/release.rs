//! Laws of a release as a whole.

use segue_domain::decision::{Cause, Reason, Verdict};
use segue_domain::effect::{Effect, Outcome};
use segue_domain::event::{Event, Word};
use segue_domain::state::{EffectRecord, Leg, Promoted, ReleaseState, Stance};
use segue_domain::step::Step;

use super::Case;

/// Nothing is terminated on the way out before the point of no return, and nothing turns back after it.
pub(super) fn s13_no_return(case: &Case<'_>) -> Option<String> {
    let before = case.before?;
    if let (Event::WayBackBegan { cause }, Some(_)) = (case.event, before.no_return) {
        return Some(format!("it turned back after the point of no return: {cause}"));
    }
    let Event::Intended(intent) = case.event else { return None };
    let Effect::Terminate { instances } = &intent.effect else { return None };
    let old = instances.iter().find(|id| before.plan.blue.contains(*id))?;
    before.no_return.is_none().then(|| format!("{old} is to be terminated, and there was a way back"))
}

/// Behind a gate nothing is begun, and the gate opens at a person's word only.
pub(super) fn s18_gate_first(case: &Case<'_>) -> Option<String> {
    let before = case.before?;
    match (&before.stance, case.event) {
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
pub(super) fn s19_pause_means_pause(case: &Case<'_>) -> Option<String> {
    let before = case.before?;
    match (&before.stance, case.event) {
        (Stance::Paused { .. }, Event::Intended(intent)) => {
            Some(format!("{} was begun in a pause", intent.id))
        }
        (Stance::Paused { .. }, Event::StepEntered { step }) => {
            Some(format!("{step} was entered in a pause"))
        }
        _ => None,
    }
}

/// An announcement that was not heard holds nothing. A canary clears up behind itself in the same step, and what it
/// lost and cannot take out of the load balancer is not told but done: that may hold it.
pub(super) fn s22_told_never_blocks(case: &Case<'_>) -> Option<String> {
    if let Event::Held { reason: Reason::CannotGoOn { step: Step::Announce, why } } = case.event {
        let is_of_telling =
            case.before.is_none_or(|before| before.lost().is_empty() || was_not_told(before, why));
        return is_of_telling.then(|| format!("what could not be told holds the release: {why}"));
    }
    let Event::WayBackBegan { cause: Cause::StepFailed { step: Step::Announce, why } } = case.event else {
        return None;
    };
    Some(format!("what could not be told turned the release back: {why}"))
}

/// An announcement ended with these words, and nothing else of its step did.
fn was_not_told(before: &ReleaseState, words: &str) -> bool {
    let ended_so = |record: &&EffectRecord| match &record.ended {
        Some((Outcome::Refused { why, .. } | Outcome::Unknown(why), _)) => why == words,
        Some((Outcome::Done(_), _)) | None => false,
    };
    let of_the_step = before.effects.iter().filter(|(id, _)| id.as_str().contains("/announce/"));
    let mut ended = of_the_step.map(|(_, record)| record).filter(ended_so).peekable();
    ended.peek().is_some() && ended.all(|record| matches!(record.effect, Effect::Announce { .. }))
}

/// The product found its own mistake.
pub(super) fn a3_no_bug(case: &Case<'_>) -> Option<String> {
    let Event::Held { reason: Reason::Bug { what } } = case.event else { return None };
    Some(what.clone())
}

/// A person's abort that was taken is carried out.
pub(super) fn a6_words_are_kept(case: &Case<'_>) -> Option<String> {
    let before = case.before?;
    let is_aborted = matches!(&before.leg, Leg::Back { cause: Cause::AbortedBy(_), .. });
    let is_released = matches!(case.event, Event::Closed { verdict: Verdict::Released | Verdict::Passed });
    if is_aborted && is_released {
        return Some("it was aborted, and is released all the same".to_owned());
    }
    let is_late = before.no_return.is_some() && matches!(case.event, Event::Said { word: Word::Abort, .. });
    is_late.then(|| "an abort was taken after the point of no return".to_owned())
}
