//! Step `resolve`: what the plan was made from can be read again.
//!
//! Guarantees: EC2's list and the shares of each forward can be read. Whether the old servers are healthy, and all else,
//! is preflight's.
//! Assumptions: the plan was made from a look at the same world a moment ago.
//! If killed here: nothing was done; the look is taken again.

use super::scope::{Progress, Scope, Taken};
use crate::decision::{Source, Then, WaitingOn};
use crate::reading::Why;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    let unread =
        |what, why: &Why| Progress::Wait(WaitingOn::Reading { what, why: why.clone() }, Then::Refuse);
    if let Some(why) = scope.world.instances.why() {
        return Err(unread(Source::Instances, why));
    }
    for front in &scope.plan().fronts {
        scope.world.weights(&front.forward).map_err(|why| unread(Source::Weights, why))?;
    }
    Ok(Progress::Done)
}
