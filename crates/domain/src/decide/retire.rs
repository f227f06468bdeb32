//! Step `retire`: blue is out of the load balancer, and stopped; what died and was replaced is gone.
//!
//! Guarantees: an old server is deregistered only when it is empty, and stopped only when no group lists it
//! and it is empty still. It is kept stopped, so that a rollback needs no launch.
//! Assumptions: what EC2 says is stopped does not run.
//! If killed here: deregistering and stopping again change nothing.

use super::scope::{Acts, Progress, Scope, Taken};
use super::{carry, lost, registry, replace};
use crate::decision::WaitingOn;
use crate::effect::Effect;
use crate::ids::InstanceId;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    // An old server that was opened again, or took a board again, is closed and emptied like the first time.
    scope.require_done(Step::Handover, carry::out)?;
    registry::require_groups(scope, &registry::all_groups(scope))?;
    let blue = &scope.state.blue;
    let mut acts = Acts::new(scope);
    let listed = registry::deregister(&mut acts, scope, blue);
    if !listed.is_empty() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "deregistration", missing: listed }));
    }
    let running: Vec<InstanceId> = scope.running(blue).into_iter().collect();
    acts.want_each("old", blue, &running, |instances| Effect::Stop { instances });
    let stopping: Vec<InstanceId> = blue.iter().filter(|id| !scope.is_down(id)).cloned().collect();
    if stopping.is_empty() && acts.is_idle() {
        lost::clear(scope)?;
        replace::await_them(scope)?;
        return Ok(Progress::Done);
    }
    Ok(acts.or_wait(WaitingOn::Settling { what: "stopped", missing: stopping }))
}
