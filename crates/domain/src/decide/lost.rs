//! Whoever of the new servers died, or was given up: out of the load balancer at once, and ended at last, if this
//! release launched it.
//!
//! Guarantees: one that still exists is ended only when the ownership table names no board on it, no target group
//! lists it, and none may list it yet. A refusal holds: nobody turns a good release back for a server that is dead.
//! One that is down is deregistered as soon as it is replaced: it has no sockets to lose. Its slot is another's then.
//! If killed here: deregistering and terminating again change nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, begun};
use super::{empty, late, launch, registry};
use crate::decision::WaitingOn;
use crate::effect::Effect;
use crate::ids::InstanceId;
use crate::step::Step;

/// Whose place another one takes for good: whoever is lost, and whoever the plan names and is gone since all were
/// admitted. One that is only stopped may run again, and keeps its groups and its slot.
pub(super) fn replaced(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    let mut replaced = scope.state.lost();
    if scope.state.is_done(Step::Admit) {
        let named = scope.plan().spares.iter().chain(&scope.plan().takeover);
        replaced.extend(named.filter(|id| scope.is_gone(id)).cloned());
    }
    replaced
}

/// Those of the lost that run: they may have got boards, and leave like an old server. One to which nobody was ever led
/// has nobody, and may never answer.
pub(super) fn running(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    let mut running = scope.running(&scope.state.lost());
    running.retain(|id| registry::was_led_to(scope, id));
    running
}

/// Takes whoever is down out of the load balancer at once: its slot is free for another, and nobody is sent to it
/// should it start again. One that runs is closed and emptied first, like an old server.
pub(super) fn leave(scope: &Scope<'_>) -> Result<(), Progress> {
    let lost = replaced(scope);
    let hidden: BTreeSet<&InstanceId> = registry::hidden(scope, &lost).collect();
    let is_down = |id: &&InstanceId| launch::has_died(scope, id) && !hidden.contains(id);
    let down: BTreeSet<InstanceId> = lost.iter().filter(is_down).cloned().collect();
    let mut acts = Acts::new(scope);
    // Whether it was taken is seen when they are cleared away: nothing waits for it here, nor for what is refused.
    registry::deregister(&mut acts, scope, &down);
    begun(acts.into_begun())
}

/// Clears them away; `Ok` when nothing is left to be done.
pub(super) fn clear(scope: &Scope<'_>) -> Result<(), Progress> {
    let lost = scope.state.lost();
    if lost.is_empty() {
        return Ok(());
    }
    scope.require_instances()?;
    registry::require_groups(scope, &registry::all_groups(scope))?;
    registry::require_tagged(scope, &lost)?;
    let staying: BTreeSet<InstanceId> = lost.iter().filter(|id| !scope.is_gone(id)).cloned().collect();
    empty::watch(scope, staying.iter().filter(|id| registry::was_led_to(scope, id)))?;
    let mut acts = Acts::new(scope);
    let listed = registry::deregister(&mut acts, scope, &lost);
    if listed.is_empty() && staying.is_empty() {
        return Ok(());
    }
    if listed.is_empty() {
        late::require_arrivals_landed(scope, staying.iter())?;
        let staying: Vec<InstanceId> = staying.iter().cloned().collect();
        acts.want_each("lost", &lost, &staying, |instances| Effect::Terminate { instances });
    }
    let missing = listed.into_iter().chain(staying).collect::<BTreeSet<_>>().into_iter().collect();
    Err(acts
        .or_hold(WaitingOn::Settling { what: "the end of servers that died or did not come in", missing }))
}
