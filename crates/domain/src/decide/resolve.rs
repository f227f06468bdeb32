//! Step `resolve`: the plan's facts hold in a fresh look at the world.
//!
//! Guarantees: EC2 and the load balancer can be read, and somebody serves.
//! Assumptions: the plan was made from a look at the same world a moment ago.
//! If killed here: nothing was done; the look is taken again.

use super::scope::{Progress, Scope};
use crate::decision::{Source, Then, WaitingOn};

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    if let Some(why) = scope.world.instances.why() {
        return Progress::Wait(
            WaitingOn::Reading { what: Source::Instances, why: why.clone() },
            Then::Refuse,
        );
    }
    if let Some(why) = scope.world.weights.why() {
        return Progress::Wait(WaitingOn::Reading { what: Source::Weights, why: why.clone() }, Then::Refuse);
    }
    Progress::Done
}
