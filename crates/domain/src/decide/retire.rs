//! Step `retire`: blue is out of the load balancer, and stopped.
//!
//! Guarantees: an old server is deregistered only when it is empty, and stopped only when no group lists it
//! and it is empty still. It is kept stopped, so that a rollback needs no launch.
//! Assumptions: what EC2 says is stopped does not run.
//! If killed here: deregistering and stopping again change nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope};
use super::{capacity, empty, registry};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::InstanceId;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    match try_take(scope) {
        Ok(progress) | Err(progress) => progress,
    }
}

fn try_take(scope: &Scope<'_>) -> Result<Progress, Progress> {
    scope.require_instances()?;
    registry::require_groups(scope, &registry::all_groups(scope))?;
    let blue = &scope.plan().blue;
    let up: BTreeSet<InstanceId> =
        blue.iter().filter(|id| !scope.is_down(id) && !was_stopped(scope, id)).cloned().collect();
    let dead: BTreeSet<InstanceId> =
        blue.iter().filter(|id| scope.is_down(id) && !was_stopped(scope, id)).cloned().collect();
    capacity::require(scope, &scope.state.green(), Then::WayBack)?;
    empty::watch(scope, up.iter().chain(&dead))?;

    let mut acts = Acts::new(scope);
    let listed = registry::deregister(&mut acts, scope, blue);
    if !listed.is_empty() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "deregistration", missing: listed }));
    }
    let running: Vec<InstanceId> = scope.running(blue).into_iter().collect();
    if !running.is_empty() {
        acts.want("old", Effect::Stop { instances: running });
    }
    let stopping: Vec<InstanceId> = blue.iter().filter(|id| !scope.is_down(id)).cloned().collect();
    if stopping.is_empty() && acts.is_idle() {
        return Ok(Progress::Done);
    }
    Ok(acts.or_wait(WaitingOn::Settling { what: "stopped", missing: stopping }))
}

/// This release asked for it to be stopped: it was empty then, and out of every group.
pub(super) fn was_stopped(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.state.effects.values().any(|record| match &record.effect {
        Effect::Stop { instances } => instances.contains(id),
        Effect::Launch(_)
        | Effect::Start { .. }
        | Effect::Terminate { .. }
        | Effect::Register { .. }
        | Effect::Deregister { .. }
        | Effect::SetWeights { .. }
        | Effect::Open { .. }
        | Effect::CloseToNew { .. }
        | Effect::Configure { .. }
        | Effect::WarmUp { .. }
        | Effect::Move(_)
        | Effect::Drain { .. }
        | Effect::Announce { .. } => false,
    })
}
