//! Laws of a release as a whole that its own state does not tell.

use segue_domain::decision::{Cause, Reason};
use segue_domain::event::Event;
use segue_domain::step::Step;

use super::Case;

/// An announcement that was not heard holds nothing.
pub(super) fn s22_told_never_blocks(case: &Case<'_>) -> Option<String> {
    if let Event::Held { reason: Reason::CannotGoOn { step: Step::Announce, why } } = case.event {
        return Some(format!("what could not be told holds the release: {why}"));
    }
    let Event::WayBackBegan { cause: Cause::StepFailed { step: Step::Announce, why } } = case.event else {
        return None;
    };
    Some(format!("what could not be told turned the release back: {why}"))
}

/// The product found its own mistake.
pub(super) fn a3_no_bug(case: &Case<'_>) -> Option<String> {
    let Event::Held { reason: Reason::Bug { what } } = case.event else { return None };
    Some(what.clone())
}
