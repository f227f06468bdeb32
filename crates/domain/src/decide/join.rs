//! Who joins the old servers while the release is on: an autoscaler of somebody else's may bring one at any time.
//!
//! Guarantees: whoever is healthy in a group of a forward that gets somebody new, and of a version that is left, is
//! closed, emptied and stopped like those of the plan. The plan itself stays as it was.
//! Assumptions: the list of EC2 and the groups were read. One that is not healthy is looked at again in each pass: it may
//! be on its way up, and never answer. Of a version that never was in the plan nobody knows whether its boards can be read;
//! one that gets its users by green's own group would be closed under their eyes. The next release has both in its plan.
//! If killed here: it is found again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Progress, Scope};
use super::{capacity, registry};
use crate::event::Event;
use crate::ids::{GroupArn, InstanceId, Version};
use crate::plan::Plan;
use crate::service::Balancer;
use crate::target::TargetHealth;

/// Takes them in, or does nothing. When all were asked to end nobody joins any more: whoever replaces them one by one
/// would keep the release going for ever.
pub(super) fn take_in(scope: &Scope<'_>) -> Result<(), Progress> {
    if scope.state.blue.is_subset(&scope.state.asked_to_end) {
        return Ok(());
    }
    let versions = leaving(scope);
    let groups = left_groups(scope.plan());
    let all = scope.world.instances.known().into_iter().flatten();
    let new = all.filter(|(id, it)| versions.contains(&it.version) && !is_known(scope, id));
    let joined = new.filter(|(id, _)| capacity::is_healthy_in(scope, &groups, id));
    let servers: BTreeMap<InstanceId, BTreeSet<GroupArn>> =
        joined.map(|(id, _)| (id.clone(), registered_in(scope, &groups, id))).collect();
    if servers.is_empty() { Ok(()) } else { Err(Progress::Record(vec![Event::Joined { servers }])) }
}

/// The groups in which whoever serves is left: of load balancers that get somebody new, and not the new ones' own.
/// Whoever comes to another load balancer is all that its users have.
fn left_groups(plan: &Plan) -> BTreeSet<GroupArn> {
    let front = |it: &Balancer| plan.front(&it.forward).and_then(|front| front.green_group.as_ref());
    let left = plan.service.routing.balancers().filter_map(|it| Some((it, front(it)?)));
    left.flat_map(|(it, green)| it.forwarded().filter(move |group| *group != green)).cloned().collect()
}

/// The versions of those that are left.
fn leaving<'a>(scope: &Scope<'a>) -> BTreeSet<&'a Version> {
    let old = scope.state.blue.iter().filter_map(|id| scope.world.instance(id)).map(|it| &it.version);
    let all = old.chain([&scope.plan().from_version]);
    all.filter(|version| **version != scope.plan().image.version).collect()
}

fn is_known(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.state.blue.contains(id) || scope.state.green().contains(id) || scope.state.brought().contains(id)
}

/// Those of the groups that list it and do not let go of it, of one load balancer: nobody is brought back to two.
fn registered_in(scope: &Scope<'_>, groups: &BTreeSet<GroupArn>, id: &InstanceId) -> BTreeSet<GroupArn> {
    let stays = |group: &&GroupArn| {
        let health = registry::health(scope, group, id);
        groups.contains(*group) && health.is_some_and(|health| health != TargetHealth::Draining)
    };
    let balancers = scope.plan().service.routing.balancers();
    let mut theirs = balancers.map(|at| at.forwarded().filter(stays).cloned().collect::<BTreeSet<_>>());
    theirs.find(|theirs| !theirs.is_empty()).unwrap_or_default()
}
