//! Laws of what is to be done, looked at when its intent is appended, that the world has to tell as well.

use segue_domain::effect::{Effect, Intent};
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::state::{Leg, ReleaseState};

use super::Case;

fn intent<'a>(case: &Case<'a>) -> Option<(&'a ReleaseState, &'a Intent)> {
    let Event::Intended(intent) = case.event else { return None };
    Some((case.before?, intent))
}

/// A process that answers is ended only after repeated zeros, if its server ever served. The product has a law of its
/// own that is like it: a court that asked the accused's would see no mistake in it.
pub(super) fn s6_unknown_is_never_zero(case: &Case<'_>) -> Option<String> {
    let (before, intent) = intent(case)?;
    let (Effect::Stop { instances } | Effect::Terminate { instances }) = &intent.effect else { return None };
    let apart = before.plan.service.patience.zeros_apart;
    let proven = |id: &InstanceId| {
        let zeros = before.zeros.get(id);
        let span = zeros.and_then(|zeros| Some(zeros.last()?.since(*zeros.first()?)));
        span.is_some_and(|span| span >= apart)
    };
    // What was proven of it was before it was stopped: after the verdict it says nothing of who has been started again.
    let is_over = before.verdict().is_some();
    let unproven = instances.iter().find(|id| case.world.has_served(id) && (is_over || !proven(id)))?;
    Some(format!("{} ends {unproven} without repeated zeros", intent.id))
}

/// After the verdict nothing is begun but the end of old servers.
pub(super) fn s12_only_the_kept(case: &Case<'_>) -> Option<String> {
    let (before, intent) = intent(case)?;
    before.verdict()?;
    let is_old = |id: &InstanceId| before.blue.contains(id);
    let is_their_end =
        matches!(&intent.effect, Effect::Terminate { instances } if instances.iter().all(is_old));
    (!is_their_end).then(|| format!("{} was begun after the verdict", intent.id))
}

/// New servers are closed on the way back only while an old one serves.
pub(super) fn s14_back_needs_a_place(case: &Case<'_>) -> Option<String> {
    let (before, intent) = intent(case)?;
    let (Effect::CloseToNew { .. }, Leg::Back { .. }) = (&intent.effect, &before.leg) else { return None };
    let serves = before.blue.iter().any(|id| case.world.serves(id));
    (!serves && !case.world.died_lately()).then(|| format!("{} closes, and no old server serves", intent.id))
}
