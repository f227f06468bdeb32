//! Capacity able to serve never falls under the floor: looked at before anything is closed, each time.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Progress, Scope};
use crate::app::AppState;
use crate::decision::{Then, WaitingOn};
use crate::ids::InstanceId;
use crate::target::TargetHealth;

/// Enough of these serve right now: running, healthy by the load balancer's word in a colour or canary
/// group, and open by their own. What cannot be read does not count.
pub(super) fn require(
    scope: &Scope<'_>,
    able_ones: &BTreeSet<InstanceId>,
    then: Then,
) -> Result<(), Progress> {
    let floor = scope.plan().floor;
    let able = able_ones.iter().filter(|id| is_able(scope, id)).count();
    let able = u32::try_from(able).unwrap_or(u32::MAX);
    if able >= floor {
        return Ok(());
    }
    Err(Progress::Wait(WaitingOn::Capacity { able, floor }, then))
}

fn is_able(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let healthy = scope
        .plan()
        .groups()
        .iter()
        .any(|group| registry::health(scope, group, id) == Some(TargetHealth::Healthy));
    let open = scope.world.app(id).is_ok_and(|app| app.state == AppState::Serving);
    scope.runs(id) && healthy && open
}
