//! Capacity able to serve never falls under the floor: looked at before anything is closed, each time.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Progress, Scope};
use crate::app::AppState;
use crate::decision::{Source, Then, WaitingOn};
use crate::ids::InstanceId;
use crate::target::TargetHealth;

/// Enough of these serve right now: running, healthy by the load balancer's word in a colour or canary
/// group, and open by their own. What cannot be read does not count.
pub(super) fn require(
    scope: &Scope<'_>,
    able_ones: &BTreeSet<InstanceId>,
    then: Then,
) -> Result<(), Progress> {
    let floor = usize::try_from(scope.plan().floor).unwrap_or(usize::MAX);
    let healthy: Vec<&InstanceId> = able_ones.iter().filter(|id| is_healthy(scope, id)).collect();
    let able = healthy.iter().filter(|id| is_open(scope, id)).count();
    if able >= floor {
        return Ok(());
    }
    // Too few only because some could not be read: that is no lack of capacity, and nothing to turn back on.
    let silent = healthy.iter().find_map(|id| Some((*id, scope.world.app(id).err()?)));
    if let Some((id, why)) = silent
        && healthy.len() >= floor
    {
        return Err(Scope::blind(Source::App(id.clone()), why));
    }
    registry::require_tagged(scope, able_ones)?;
    let able = u32::try_from(able).unwrap_or(u32::MAX);
    Err(Progress::Wait(WaitingOn::Capacity { able, floor: scope.plan().floor }, then))
}

/// Runs, and is healthy by the load balancer's word in a colour or canary group.
pub(super) fn is_healthy(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let groups = scope.plan().groups();
    let healthy = |group| registry::health(scope, group, id) == Some(TargetHealth::Healthy);
    scope.runs(id) && groups.iter().any(healthy)
}

/// One that EC2 does not list may serve all the same.
pub(super) fn any_may_serve(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> bool {
    ids.iter().any(|id| is_healthy(scope, id)) || registry::hidden(scope, ids).next().is_some()
}

/// Gets new clients, if its group has a share.
pub(super) fn serves(scope: &Scope<'_>, id: &InstanceId) -> bool {
    is_healthy(scope, id) && is_open(scope, id)
}

fn is_open(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.world.app(id).is_ok_and(|app| app.state == AppState::Serving)
}
