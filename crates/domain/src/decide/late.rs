//! Calls that may have their effect yet: whoever sent them gave them up, and nobody saw how they ended.
//!
//! Asking again, and being answered, does not take the first call back. It hurts where its opposite was done meanwhile:
//! servers that a rollback has started are stopped, shares that were given back are taken away. So nobody relies on
//! an opposite, and no release ends, before such a call can land no more.

use super::scope::{Progress, Scope};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::InstanceId;
use crate::state::{EffectRecord, ReleaseState};
use crate::time::Timestamp;

use std::time::Duration;

/// How long after its sender gave it up AWS may carry a call out. AWS publishes no bound; its own SDKs give a call
/// up and send it again within less.
const LANDS_WITHIN: Duration = Duration::from_secs(30);

/// What is on its way has landed, or never will; else the wait for that.
pub(super) fn require_landed(state: &ReleaseState, now: Timestamp) -> Result<(), Progress> {
    require(state, now, is_undone_by_another)
}

/// Whoever is to be stopped, by a call whose end nobody saw, is stopped by now, or will not be; else the wait for that.
pub(super) fn require_stopped(state: &ReleaseState, now: Timestamp) -> Result<(), Progress> {
    require(state, now, |effect| matches!(effect, Effect::Stop { .. }))
}

fn require(state: &ReleaseState, now: Timestamp, matters: impl Fn(&Effect) -> bool) -> Result<(), Progress> {
    let unseen = state.effects.values().filter(|record| matters(&record.effect));
    let Some(until) = unseen.filter_map(|record| record.unseen).max().map(|at| at.after(LANDS_WITHIN)) else {
        return Ok(());
    };
    if now >= until {
        return Ok(());
    }
    let goal = WaitingOn::Settling { what: "calls whose end nobody saw", missing: Vec::new() };
    Err(Progress::WaitUntil(goal, until, Then::GoOn))
}

/// A launch has its token, a move its generation, and what is terminated stays so; a registration is looked for
/// where it would hurt (`registry::may_be_registered_yet`).
fn is_undone_by_another(effect: &Effect) -> bool {
    match effect {
        Effect::Stop { .. } | Effect::Deregister { .. } | Effect::SetWeights { .. } => true,
        Effect::Launch(_)
        | Effect::Start { .. }
        | Effect::Terminate { .. }
        | Effect::Register { .. }
        | Effect::Open { .. }
        | Effect::CloseToNew { .. }
        | Effect::Configure { .. }
        | Effect::WarmUp { .. }
        | Effect::Move(_)
        | Effect::Drain { .. }
        | Effect::Announce { .. } => false,
    }
}

/// A server that was to be closed, by a call whose end nobody saw, obeys it yet, until it has obeyed a later one.
pub(super) fn may_be_closed_yet(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let closed =
        |record: &&EffectRecord| matches!(&record.effect, Effect::CloseToNew { instance } if instance == id);
    let opened =
        |record: &&EffectRecord| matches!(&record.effect, Effect::Open { instance, .. } if instance == id);
    let effects = || scope.state.effects.values();
    let Some(unseen) = effects().filter(closed).filter_map(|record| record.unseen).max() else {
        return false;
    };
    !effects().filter(opened).any(|record| record.succeeded() && record.intended_at > unseen)
}
