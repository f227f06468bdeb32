//! Way back, step `reopen`: blue runs, is healthy and open, and has its old share.
//!
//! Guarantees: new clients go to blue only when blue is healthy and open by the word of both; where no new server
//! serves any more, to whoever of blue is, at once. What the way out began can land no more when this is done.
//! Assumptions: what the journey stopped can be started again.
//! If killed here: everything is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope, Taken};
use super::share::{self, Shares};
use super::{admit, capacity, late, registry};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::{GroupArn, InstanceId};
use crate::instance::InstanceState;
use crate::plan::Front;
use crate::service::Balancer;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    let_the_users_in(scope)?;
    let wanted = wanted_groups(scope);
    registry::require_groups(scope, wanted.values().flatten())?;
    // Nobody else is led to one that may be gone any moment: where a new server serves, it has the users until then.
    late::require_departures_landed(scope)?;

    let mut acts = Acts::new(scope);
    let stopped: Vec<InstanceId> = with_state(scope, InstanceState::Stopped);
    let stopping = with_state(scope, InstanceState::Stopping);
    acts.want_each("old", &scope.plan().blue, &stopped, |instances| Effect::Start { instances });
    let rising: Vec<InstanceId> = [stopped, stopping, with_state(scope, InstanceState::Pending)].concat();
    if !rising.is_empty() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "the old servers' start", missing: rising }));
    }
    let running = scope.running(&scope.plan().blue);
    let wanted: BTreeMap<_, _> = wanted.into_iter().filter(|(id, _)| running.contains(id)).collect();
    registry::register(&mut acts, scope, &wanted);
    admit::open(&mut acts, scope, &running)?;
    if !acts.is_idle() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "blue's opening", missing: Vec::new() }));
    }
    if let Some((group, missing)) = registry::unhealthy(scope, &wanted).pop_first() {
        return Ok(Progress::Wait(WaitingOn::Health { group, missing }, Then::Hold));
    }
    capacity::require(scope, &scope.plan().blue, Then::Hold)?;
    let shared = share::give(scope, Shares::Before)?;
    if shared.is_done() {
        // One that nobody can see may be closed still: it keeps nobody else from being opened, and holds what is next.
        registry::require_tagged(scope, &scope.plan().blue)?;
        // Until then what the way out began may be done here, and is undone by the next look.
        late::require_way_out_landed(scope)?;
    }
    Ok(shared)
}

/// Where all of one side at a load balancer are known to serve nobody any more, whoever of the other side there does is
/// better than nobody: that all old servers come is waited for with the users let in.
fn let_the_users_in(scope: &Scope<'_>) -> Result<(), Progress> {
    let (blue, green) = (&scope.plan().blue, &scope.state.green());
    for (shares, kept, lost) in [(Shares::Before, blue, green), (Shares::After, green, blue)] {
        let serve_alone = |front: &&Front| {
            // What another load balancer does not answer is no matter of this one's users.
            let own = scope.plan().service.routing.balancers().find(|it| it.forward == front.forward);
            let groups = own.into_iter().flat_map(Balancer::forwarded);
            if registry::require_groups(scope, groups).is_err()
                || scope.world.weights(&front.forward).is_err()
            {
                return false;
            }
            let is_here = |id: &&InstanceId| *scope.state.home(id) == front.forward;
            // A canary that is taken over may not be in green's group yet.
            let groups = share::led_to(front, shares);
            kept.iter().filter(is_here).any(|id| capacity::serves_in(scope, &groups, id))
                && !lost.iter().filter(is_here).any(|id| may_serve(scope, id))
        };
        let alone: Vec<&Front> = scope.plan().fronts.iter().filter(serve_alone).collect();
        let shared = share::give_at(scope, &alone, shares)?;
        // Whether it was taken is looked at when all are up.
        if matches!(shared, Progress::Do(_)) {
            return Err(shared);
        }
    }
    Ok(())
}

/// One that EC2 does not list may serve all the same.
fn may_serve(scope: &Scope<'_>, id: &InstanceId) -> bool {
    capacity::is_healthy(scope, id) || registry::hidden(scope, [id]).next().is_some()
}

fn with_state(scope: &Scope<'_>, state: InstanceState) -> Vec<InstanceId> {
    let blue = scope.plan().blue.iter();
    blue.filter(|id| scope.world.instance(id).is_some_and(|it| it.state == state)).cloned().collect()
}

/// Where blue was before, and its slots.
fn wanted_groups(scope: &Scope<'_>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    registry::with_slots(scope, scope.plan().blue_groups.clone())
}
