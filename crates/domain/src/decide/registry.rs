//! Being in, and out of, the load balancer, by its own word.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope};
use crate::decision::Source;
use crate::effect::Effect;
use crate::ids::{ForwardArn, GroupArn, InstanceId, Route};
use crate::reading::Why;
use crate::service::Balancer;
use crate::target::TargetHealth;

/// The group of a route slot, when the plan's service has it.
pub(super) fn slot_group(scope: &Scope<'_>, route: &Route) -> Option<GroupArn> {
    let mut slots = scope.plan().service.routing.slots();
    slots.find(|slot| slot.route == *route).map(|slot| slot.group.clone())
}

/// Where a new server is registered for the users of its own load balancer.
pub(super) fn green_group<'a>(scope: &Scope<'a>, id: &InstanceId) -> Option<&'a GroupArn> {
    scope.plan().front(scope.state.home(id))?.green_group.as_ref()
}

/// Which load balancer it is, where there are several.
pub(super) fn at_balancer(scope: &Scope<'_>, forward: &ForwardArn) -> String {
    match scope.plan().service.routing.others.is_empty() {
        true => String::new(),
        false => format!(" at the load balancer {}", forward.balancer()),
    }
}

/// The groups of one load balancer's weighted forward.
pub(super) fn groups_at<'a>(scope: &Scope<'a>, forward: &ForwardArn) -> impl Iterator<Item = &'a GroupArn> {
    scope.plan().service.routing.balancer(forward).into_iter().flat_map(Balancer::forwarded)
}

/// Those of them that are no canary groups.
pub(super) fn colours_at<'a>(scope: &Scope<'a>, forward: &ForwardArn) -> impl Iterator<Item = &'a GroupArn> {
    scope.plan().service.routing.balancer(forward).into_iter().flat_map(|it| &it.colours)
}

/// Every group of the forward was read.
pub(super) fn is_read_at(scope: &Scope<'_>, forward: &ForwardArn) -> bool {
    require_groups(scope, groups_at(scope, forward)).is_ok()
}

/// The groups in which each instance should be: those given, and its slot's.
pub(super) fn with_slots(
    scope: &Scope<'_>,
    mut wanted: BTreeMap<InstanceId, BTreeSet<GroupArn>>,
) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    for (id, groups) in &mut wanted {
        groups.extend(scope.state.route(id).and_then(|route| slot_group(scope, route)));
    }
    wanted
}

/// Every group must have been read, or nothing is decided on it.
pub(super) fn require_groups<'g>(
    scope: &Scope<'_>,
    groups: impl IntoIterator<Item = &'g GroupArn>,
) -> Result<(), Progress> {
    for group in groups {
        if let Err(why) = scope.world.targets(group) {
            return Err(Scope::blind(Source::Targets(group.clone()), why));
        }
    }
    Ok(())
}

/// Health of an instance in a group; none when it is not registered there.
pub(super) fn health(scope: &Scope<'_>, group: &GroupArn, id: &InstanceId) -> Option<TargetHealth> {
    scope.world.targets(group).ok()?.get(id).copied()
}

/// Somebody in the group is so. Of one that was not read nothing is known.
pub(super) fn has_any(scope: &Scope<'_>, group: &GroupArn, is_so: impl Fn(&InstanceId) -> bool) -> bool {
    scope.world.targets(group).is_ok_and(|targets| targets.keys().any(is_so))
}

/// Who of these is hidden: EC2 does not list it under the service's tags, and some group takes it for one that runs, or
/// was asked and did not answer. A server that is stopped or terminated is unused there.
pub(super) fn hidden<'i>(
    scope: &'i Scope<'_>,
    instances: impl IntoIterator<Item = &'i InstanceId>,
) -> impl Iterator<Item = &'i InstanceId> {
    let is_listed = |id: &InstanceId| scope.world.instances.known().is_some_and(|all| all.contains_key(id));
    let does_not_run = |id: &InstanceId| {
        let mut told = groups_looked_at(scope).map(|group| scope.world.targets(group));
        told.all(|said| {
            said.is_ok_and(|all| all.get(id).is_none_or(|health| *health == TargetHealth::Unused))
        })
    };
    instances.into_iter().filter(move |id| !is_listed(id) && !does_not_run(id))
}

/// A person took their tags away, or changed them: such a server is not gone for that. It may have boards, and cannot
/// be asked; nothing is done to it and nobody takes its place. It is said who it is, and a person is waited for.
pub(super) fn require_tagged<'i>(
    scope: &'i Scope<'_>,
    instances: impl IntoIterator<Item = &'i InstanceId>,
) -> Result<(), Progress> {
    let Some(id) = hidden(scope, instances).next() else { return Ok(()) };
    // A group that was not read may be the one that has it.
    require_groups(scope, groups_looked_at(scope))?;
    let why = format!("{id} is not listed under the service's tags, and the load balancer still has it");
    Err(Scope::blind(Source::Instances, &Why::Unusable(why)))
}

/// The groups of the forward, and the slots that this step looks at.
fn groups_looked_at<'s>(scope: &'s Scope<'_>) -> impl Iterator<Item = &'s GroupArn> {
    scope.plan().service.routing.forwarded().chain(scope.world.targets.keys())
}

/// Users may have come to it ([`crate::state::ReleaseState::led_to`]), or it is registered now.
pub(super) fn was_led_to(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.state.led_to.contains(id)
        || all_groups(scope).iter().any(|group| health(scope, group, id).is_some())
}

/// Some slot's group lists it.
pub(super) fn is_in_a_slot(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.plan().service.routing.slot_groups().any(|group| health(scope, group, id).is_some())
}

/// Registers whoever is missing, by as few calls for each group as AWS takes.
pub(super) fn register(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    wanted: &BTreeMap<InstanceId, BTreeSet<GroupArn>>,
) {
    let mut all: BTreeMap<&GroupArn, Vec<&InstanceId>> = BTreeMap::new();
    let mut missing: BTreeMap<&GroupArn, Vec<InstanceId>> = BTreeMap::new();
    for (id, groups) in wanted {
        for group in groups {
            all.entry(group).or_default().push(id);
            match health(scope, group, id) {
                None | Some(TargetHealth::Draining) => missing.entry(group).or_default().push(id.clone()),
                Some(
                    TargetHealth::Initial
                    | TargetHealth::Healthy
                    | TargetHealth::Unhealthy
                    | TargetHealth::Unused
                    | TargetHealth::Unavailable,
                ) => {}
            }
        }
    }
    for (group, instances) in missing {
        let all = all.remove(group).unwrap_or_default();
        let register = |instances| Effect::Register { group: group.clone(), instances };
        acts.want_each(group.as_str(), all, &instances, register);
    }
}

/// Whoever is not healthy in a group in which it should be.
pub(super) fn unhealthy(
    scope: &Scope<'_>,
    wanted: &BTreeMap<InstanceId, BTreeSet<GroupArn>>,
) -> BTreeMap<GroupArn, Vec<InstanceId>> {
    let mut sick: BTreeMap<GroupArn, Vec<InstanceId>> = BTreeMap::new();
    for (id, groups) in wanted {
        for group in groups.iter().filter(|group| health(scope, group, id) != Some(TargetHealth::Healthy)) {
            sick.entry(group.clone()).or_default().push(id.clone());
        }
    }
    sick
}

/// Every group that this release may look at, slots included.
pub(super) fn all_groups(scope: &Scope<'_>) -> BTreeSet<GroupArn> {
    let routing = &scope.plan().service.routing;
    routing.forwarded().chain(routing.slot_groups()).cloned().collect()
}

/// Takes instances out of every group that lists them; draining counts as listed, and is not asked for again.
/// The answer tells who is listed still.
pub(super) fn deregister(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    instances: &BTreeSet<InstanceId>,
) -> Vec<InstanceId> {
    let mut listed = BTreeSet::new();
    for group in all_groups(scope) {
        let here: Vec<InstanceId> =
            instances.iter().filter(|id| health(scope, &group, id).is_some()).cloned().collect();
        let staying: Vec<InstanceId> = here
            .iter()
            .filter(|id| health(scope, &group, id) != Some(TargetHealth::Draining))
            .cloned()
            .collect();
        let deregister = |instances| Effect::Deregister { group: group.clone(), instances };
        acts.want_each(group.as_str(), instances, &staying, deregister);
        listed.extend(here);
    }
    listed.into_iter().collect()
}
