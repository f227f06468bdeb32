//! Step `announce`: it was told.
//!
//! Guarantees: it is tried once; whoever does not listen blocks nothing.
//! If killed here: it may be told twice.

use super::scope::{Acts, Progress, Scope};
use crate::decision::WaitingOn;
use crate::effect::Effect;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    let plan = scope.plan();
    let line = format!(
        "{}: {} {} of {} after {}",
        plan.release, plan.kind, plan.image.version, plan.service.name, plan.from_version
    );
    let effect = Effect::Announce { line };
    let told = scope.state.effects.get(&scope.id("log", &effect));
    if told.is_some_and(|record| record.ended.is_some()) {
        return Progress::Done;
    }
    let mut acts = Acts::new(scope);
    acts.want("log", effect);
    acts.or_wait(WaitingOn::Settling { what: "the announcement", missing: Vec::new() })
}
