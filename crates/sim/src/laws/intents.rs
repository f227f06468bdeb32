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
    if before.verdict().is_some() {
        return None;
    }
    let (Effect::Stop { instances } | Effect::Terminate { instances }) = &intent.effect else { return None };
    let apart = before.plan.service.patience.zeros_apart;
    let proven = |id: &InstanceId| {
        let zeros = before.zeros.get(id);
        let span = zeros.and_then(|zeros| Some(zeros.last()?.since(*zeros.first()?)));
        span.is_some_and(|span| span >= apart)
    };
    let unproven = instances.iter().find(|id| case.world.has_served(id) && !proven(id))?;
    Some(format!("{} ends {unproven} without repeated zeros", intent.id))
}

/// New servers are closed on the way back only while an old one serves.
pub(super) fn s14_back_needs_a_place(case: &Case<'_>) -> Option<String> {
    let (before, intent) = intent(case)?;
    let (Effect::CloseToNew { .. }, Leg::Back { .. }) = (&intent.effect, &before.leg) else { return None };
    let serves = before.plan.blue.iter().any(|id| case.world.serves(id));
    (!serves && !case.world.died_lately()).then(|| format!("{} closes, and no old server serves", intent.id))
}
