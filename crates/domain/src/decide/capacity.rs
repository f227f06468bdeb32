//! Capacity able to serve never falls under the floor: looked at before anything is closed, each time.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Progress, Scope};
use super::share::{self, Shares};
use crate::app::AppState;
use crate::decision::{Source, Then, WaitingOn};
use crate::ids::{ForwardArn, GroupArn, InstanceId};
use crate::plan::Front;
use crate::target::TargetHealth;

/// Enough old servers serve right now, in all and at each load balancer: running, healthy by its word in a colour or
/// canary group, and open by their own. What cannot be read does not count. Else it is waited for, and held.
pub(super) fn require_old(scope: &Scope<'_>) -> Result<(), Progress> {
    require(scope, &scope.state.blue, |front| all_groups_at(scope, front), Then::Hold)
}

/// Enough new servers serve where users are led once the old ones get none: one that is healthy as a canary only would
/// have no part of them. Else it is waited for, and turned back.
pub(super) fn require_new(scope: &Scope<'_>) -> Result<(), Progress> {
    require(scope, &scope.state.green(), |front| share::groups_led_to(front, Shares::After), Then::WayBack)
}

fn require(
    scope: &Scope<'_>,
    side: &BTreeSet<InstanceId>,
    groups: impl Fn(&Front) -> BTreeSet<GroupArn>,
    then: Then,
) -> Result<(), Progress> {
    let fronts = scope.plan().fronts.as_slice();
    let everywhere =
        Place { groups: fronts.iter().flat_map(&groups).collect(), floor: scope.plan().floor, at: None };
    require_at(scope, side, &everywhere, then)?;
    let enough_at = |front| require_at(scope, side, &Place::at(front, groups(front)), then);
    match fronts {
        [_] => Ok(()),
        fronts => fronts.iter().try_for_each(enough_at),
    }
}

/// Enough of these serve right now at one load balancer.
pub(super) fn is_enough_at(scope: &Scope<'_>, side: &BTreeSet<InstanceId>, front: &Front) -> bool {
    require_at(scope, side, &Place::at(front, all_groups_at(scope, front)), Then::Hold).is_ok()
}

fn all_groups_at(scope: &Scope<'_>, front: &Front) -> BTreeSet<GroupArn> {
    registry::groups_at(scope, &front.forward).cloned().collect()
}

/// Some groups, and how many must serve there.
struct Place<'a> {
    groups: BTreeSet<GroupArn>,
    floor: u32,
    /// None: everywhere.
    at: Option<&'a ForwardArn>,
}

impl<'a> Place<'a> {
    fn at(front: &'a Front, groups: BTreeSet<GroupArn>) -> Self {
        Place { groups, floor: front.floor, at: Some(&front.forward) }
    }

    /// What a person took for enough on the way back counts, if it is less.
    fn floor(&self, scope: &Scope<'_>) -> u32 {
        let enough = scope.state.enough.get(&self.at.cloned()).copied();
        enough.map_or(self.floor, |enough| enough.min(self.floor))
    }
}

fn require_at(
    scope: &Scope<'_>,
    side: &BTreeSet<InstanceId>,
    place: &Place<'_>,
    then: Then,
) -> Result<(), Progress> {
    let wanted = place.floor(scope);
    let floor = usize::try_from(wanted).unwrap_or(usize::MAX);
    // Nobody is counted at two load balancers.
    let is_here = |id: &InstanceId| place.at.is_none_or(|at| scope.state.home(id) == at);
    let serves = |id: &&InstanceId| is_here(id) && is_healthy_in(scope, &place.groups, id);
    let healthy: Vec<&InstanceId> = side.iter().filter(serves).collect();
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
    registry::require_tagged(scope, side)?;
    let able = u32::try_from(able).unwrap_or(u32::MAX);
    let at = place.at.cloned();
    Err(Progress::Wait(WaitingOn::Capacity { able, floor: wanted, at }, then))
}

/// Runs, and is healthy by the load balancer's word in a colour or canary group.
pub(super) fn is_healthy(scope: &Scope<'_>, id: &InstanceId) -> bool {
    is_healthy_in(scope, &scope.plan().groups(), id)
}

/// The same in some of the groups.
pub(super) fn is_healthy_in(scope: &Scope<'_>, groups: &BTreeSet<GroupArn>, id: &InstanceId) -> bool {
    let healthy = |group| registry::health(scope, group, id) == Some(TargetHealth::Healthy);
    scope.runs(id) && groups.iter().any(healthy)
}

/// Gets new clients, if one of these groups has a share.
pub(super) fn serves_in(scope: &Scope<'_>, groups: &BTreeSet<GroupArn>, id: &InstanceId) -> bool {
    is_healthy_in(scope, groups, id) && is_open(scope, id)
}

/// Takes new clients, by its own word.
pub(super) fn is_open(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.world.app(id).is_ok_and(|app| app.state == AppState::Serving)
}
