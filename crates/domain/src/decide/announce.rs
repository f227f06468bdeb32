//! Step `announce`: it was told.
//!
//! Guarantees: it is tried once; whoever does not listen blocks nothing.
//! If killed here: whether it was told is not known, and it is not told again.

use super::lost;
use super::scope::{Acts, Progress, Scope, Taken};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::plan::Kind;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    let plan = scope.plan();
    // A canary retires nobody: this is where it clears up behind itself.
    if plan.kind == Kind::Canary {
        lost::clear(scope)?;
    }
    let line = format!(
        "{}: {} {} of {} after {}",
        plan.release, plan.kind, plan.image.version, plan.service.name, plan.from_version
    );
    let effect = Effect::Announce { line };
    let id = scope.id("log", &effect);
    let told = scope.state.effects.get(&id);
    let Some(record) = told else {
        let mut acts = Acts::new(scope);
        acts.want("log", effect);
        return Ok(acts.or_wait(WaitingOn::Settling { what: "the announcement", missing: Vec::new() }));
    };
    let until = scope.world.by_own_clock(record.intended_at).after(scope.patience().settle);
    if record.ended.is_some() || scope.world.at >= until {
        return Ok(Progress::Done);
    }
    Ok(Progress::WaitUntil(WaitingOn::Effect { id }, until, Then::GoOn))
}
