//! Who joins the old servers while the release is on: an autoscaler of somebody else's may bring one at any time.
//!
//! Guarantees: whoever is healthy in a group of the forward, and of a version that is left, is closed, emptied and
//! stopped like those of the plan. The plan itself stays as it was.
//! Assumptions: the list of EC2 and the groups were read. One that is not healthy yet has no users, and is looked at again
//! in each pass; of a version that never was in the plan nobody knows whether its boards can be read, and the next release
//! has it in its plan.
//! If killed here: it is found again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Progress, Scope};
use super::{capacity, registry};
use crate::event::Event;
use crate::ids::{GroupArn, InstanceId, Version};
use crate::target::TargetHealth;

/// Takes them in, or does nothing.
pub(super) fn take_in(scope: &Scope<'_>) -> Result<(), Progress> {
    let versions = leaving(scope);
    let groups = scope.plan().groups();
    let all = scope.world.instances.known().into_iter().flatten();
    let new = all.filter(|(id, it)| versions.contains(&it.version) && !is_known(scope, id));
    let joined = new.filter(|(id, _)| capacity::is_healthy_in(scope, &groups, id));
    let servers: BTreeMap<InstanceId, BTreeSet<GroupArn>> =
        joined.map(|(id, _)| (id.clone(), home_of(scope, &groups, id))).collect();
    if servers.is_empty() { Ok(()) } else { Err(Progress::Record(vec![Event::Joined { servers }])) }
}

/// The versions of those that are left.
fn leaving<'a>(scope: &Scope<'a>) -> BTreeSet<&'a Version> {
    let old = scope.state.blue.iter().filter_map(|id| scope.world.instance(id)).map(|it| &it.version);
    let all = old.chain([&scope.plan().from_version]);
    all.filter(|version| **version != scope.plan().image.version).collect()
}

fn is_known(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let (state, plan) = (scope.state, scope.plan());
    [&state.blue, &plan.spares, &plan.takeover].iter().any(|ids| ids.contains(id))
}

/// The groups that list it, and do not let go of it.
fn home_of(scope: &Scope<'_>, groups: &BTreeSet<GroupArn>, id: &InstanceId) -> BTreeSet<GroupArn> {
    let stays = |group: &&GroupArn| {
        registry::health(scope, group, id).is_some_and(|health| health != TargetHealth::Draining)
    };
    groups.iter().filter(stays).cloned().collect()
}
