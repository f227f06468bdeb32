//! Laws of a release as a whole that its own state does not tell.

use segue_domain::decision::{Cause, Reason};
use segue_domain::effect::{Effect, Outcome};
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::service::Balancer;
use segue_domain::state::{EffectRecord, Leg, ReleaseState};
use segue_domain::step::Step;

use super::Case;

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

/// When the last of the old servers are asked to end, nobody is left who has served beside them, whoever brought it.
/// Whoever came into a group of the new ones serves beside those, and whoever came to a load balancer that has no new
/// ones serves its users alone: the next release leaves them.
pub(super) fn a9_nobody_stays_behind(case: &Case<'_>) -> Option<String> {
    let (Some(before), Event::Intended(intent)) = (case.before, case.event) else { return None };
    let Effect::Stop { instances } = &intent.effect else { return None };
    let ends = |id: &InstanceId| before.asked_to_end.contains(id) || instances.contains(id);
    // The same call may be tried again later, when others have come: they are left to the next release.
    let were_asked = before.blue.is_subset(&before.asked_to_end);
    if before.leg != Leg::Out || were_asked || !before.blue.iter().all(ends) {
        return None;
    }
    let plan = &before.plan;
    let has_new = |it: &&Balancer| plan.green_size_at(&it.forward) > 0;
    let old_alone = plan.service.routing.balancers().filter(|it| !has_new(it)).flat_map(Balancer::forwarded);
    let others = plan.green_groups().chain(old_alone).cloned().collect();
    let left = case.world.stays_behind(&before.blue, &plan.image.version, &others)?;
    Some(format!("{left} serves what was left, and was not left with it"))
}

/// The product found its own mistake.
pub(super) fn a3_no_bug(case: &Case<'_>) -> Option<String> {
    let Event::Held { reason: Reason::Bug { what } } = case.event else { return None };
    Some(what.clone())
}
