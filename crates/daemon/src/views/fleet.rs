//! Which instance belongs to which fleet, and what is known of it.

use std::collections::BTreeMap;

use segue_api::{Count, FleetRole, Health, InstanceState, InstanceView};
use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::instance::{self, Instance, Origin};
use segue_domain::plan::Kind;
use segue_domain::reading::Reading;
use segue_domain::service::{Balancer, Service};
use segue_domain::state::ReleaseState;
use segue_domain::target::TargetHealth;
use segue_domain::world::World;

use super::sum;

/// The role of an instance: by the release that is under way, else by where it is registered.
pub(super) fn role(
    instance: &Instance,
    service: &Service,
    active: Option<&ReleaseState>,
    world: &World,
) -> FleetRole {
    if let Some(role) = active.and_then(|state| role_in(state, &instance.id)) {
        return role;
    }
    let registered =
        |group: &GroupArn| world.targets(group).is_ok_and(|targets| targets.contains_key(&instance.id));
    if service.routing.balancers().flat_map(|it| &it.canaries).any(registered) {
        FleetRole::Canary
    } else if service.routing.forwarded().any(registered) {
        FleetRole::Blue
    } else {
        FleetRole::Spare
    }
}

fn role_in(state: &ReleaseState, id: &InstanceId) -> Option<FleetRole> {
    if state.blue.contains(id) {
        return Some(FleetRole::Blue);
    }
    state.green().contains(id).then_some(match state.plan.kind {
        Kind::Canary => FleetRole::Canary,
        Kind::Full | Kind::Rollback => FleetRole::Green,
    })
}

/// The group of the weighted forward in which an instance is registered.
pub(super) fn group<'a>(id: &InstanceId, service: &'a Service, world: &World) -> Option<&'a GroupArn> {
    let mut groups = service.routing.forwarded();
    groups.find(|group| world.targets(group).is_ok_and(|targets| targets.contains_key(id)))
}

/// The same at one load balancer.
pub(super) fn group_at<'a>(id: &InstanceId, at: &'a Balancer, world: &World) -> Option<&'a GroupArn> {
    at.forwarded().find(|group| world.targets(group).is_ok_and(|targets| targets.contains_key(id)))
}

pub(super) fn instance(
    instance: &Instance,
    service: &Service,
    active: Option<&ReleaseState>,
    world: &World,
) -> InstanceView {
    let id = &instance.id;
    let app = world.app(id);
    let is_one_of_several = !service.routing.others.is_empty();
    let balancer = group(id, service, world).and_then(|group| service.routing.of_group(group));
    InstanceView {
        id: id.to_string(),
        version: instance.version.to_string(),
        observed_version: app.ok().map(|app| app.version.to_string()),
        state: state(instance.state),
        health: health(id, service, world),
        private_ip: instance.address.clone(),
        boards: sum([world.boards.get(id)], "nobody has looked yet"),
        clients: match app {
            Ok(app) => Count::Known { count: app.clients, age_ms: age_ms(world, id) },
            Err(why) => Count::Unknown { why: why.to_string() },
        },
        slot: slot(id, active, world),
        load_balancer: balancer.filter(|_| is_one_of_several).map(|it| it.forward.balancer().to_owned()),
        launched_by: match &instance.origin {
            Origin::Release { release, .. } => release.parse().ok(),
            Origin::Adopted => None,
        },
    }
}

fn age_ms(world: &World, id: &InstanceId) -> u64 {
    match world.apps.get(id) {
        Some(Reading::Known { age, .. }) => super::ms(*age),
        Some(Reading::Unknown(_)) | None => 0,
    }
}

/// What it was told by a release, else what it says itself.
fn slot(id: &InstanceId, active: Option<&ReleaseState>, world: &World) -> Option<String> {
    let leased = active.and_then(|state| state.route(id));
    let said = world.app(id).ok().and_then(|app| app.route.as_ref());
    leased.or(said).map(ToString::to_string)
}

fn health(id: &InstanceId, service: &Service, world: &World) -> Health {
    let mut is_unread = false;
    for group in service.routing.forwarded() {
        match world.targets(group) {
            Ok(targets) => {
                if let Some(health) = targets.get(id) {
                    return worded(*health);
                }
            }
            Err(_) => is_unread = true,
        }
    }
    if is_unread { Health::Unknown } else { Health::NotRegistered }
}

fn worded(health: TargetHealth) -> Health {
    match health {
        TargetHealth::Initial => Health::Initial,
        TargetHealth::Healthy => Health::Healthy,
        TargetHealth::Unhealthy => Health::Unhealthy,
        TargetHealth::Unused => Health::Unused,
        TargetHealth::Draining => Health::Draining,
        TargetHealth::Unavailable => Health::Unknown,
    }
}

fn state(state: instance::InstanceState) -> InstanceState {
    match state {
        instance::InstanceState::Pending => InstanceState::Pending,
        instance::InstanceState::Running => InstanceState::Running,
        instance::InstanceState::Stopping => InstanceState::Stopping,
        instance::InstanceState::Stopped => InstanceState::Stopped,
        instance::InstanceState::ShuttingDown => InstanceState::ShuttingDown,
        instance::InstanceState::Terminated => InstanceState::Terminated,
    }
}

/// The fleet's boards: of a stopped instance nobody expects any.
pub(super) fn boards(members: &[&Instance], world: &World) -> Count {
    let running = members.iter().filter(|instance| !instance.state.is_down());
    let counts: BTreeMap<_, _> = running.map(|it| (&it.id, world.boards.get(&it.id))).collect();
    sum(counts.into_values(), "nobody has looked yet")
}
