//! One service and its fleets as they are now.

use std::collections::{BTreeMap, BTreeSet};

use segue_api::{FleetRole, FleetView, ServiceView, Workload};
use segue_domain::ids::{GroupArn, InstanceId, Version};
use segue_domain::instance::Instance;
use segue_domain::service::{self, Service};
use segue_domain::service_state::ServiceState;
use segue_domain::state::ReleaseState;
use segue_domain::target::staying;
use segue_domain::world::World;

use super::{fleet, id};
use crate::words;

/// Everything that is known of a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Present<'a> {
    pub(crate) service: &'a Service,
    pub(crate) history: &'a ServiceState,
    /// The release that is under way.
    pub(crate) active: Option<&'a ReleaseState>,
    /// What was just observed.
    pub(crate) world: &'a World,
}

pub(crate) fn service(present: &Present<'_>) -> ServiceView {
    let Present { service, history, world, .. } = *present;
    let fleets = fleets(present);
    let unknown = world.instances.why().map(|why| format!("the list of instances cannot be read: {why}"));
    ServiceView {
        name: service.name.to_string(),
        environment: service.environment.to_string(),
        region: service.region.to_string(),
        workload: workload(service.workload),
        version: fleets.iter().find(|it| it.role == FleetRole::Blue).map(|it| it.version.clone()),
        active: history.active().and_then(|summary| id(&summary.release)).into_iter().collect(),
        fleets,
        strangers: strangers(service, world),
        unknown,
    }
}

/// Whoever serves and is not among the service's instances.
fn strangers(service: &Service, world: &World) -> Vec<String> {
    let Some(instances) = world.instances.known() else { return Vec::new() };
    let groups = service.routing.forwarded().filter_map(|group| world.targets(group).ok());
    let strangers = groups.flat_map(staying).filter(|id| !instances.contains_key(*id));
    let strangers: BTreeSet<&InstanceId> = strangers.collect();
    strangers.into_iter().map(ToString::to_string).collect()
}

fn fleets(present: &Present<'_>) -> Vec<FleetView> {
    let Present { service, active, world, .. } = *present;
    let mut members: BTreeMap<(FleetRole, &Version), Vec<&Instance>> = BTreeMap::new();
    for instance in world.instances.known().into_iter().flat_map(BTreeMap::values) {
        if !instance.state.is_gone() {
            let role = fleet::role(instance, service, active, world);
            members.entry((role, &instance.version)).or_default().push(instance);
        }
    }
    let fleet = |((role, version), members): ((FleetRole, &Version), Vec<&Instance>)| {
        let groups: Vec<&GroupArn> = service
            .routing
            .balancers()
            .filter_map(|it| members.iter().find_map(|member| fleet::group_at(&member.id, it, world)))
            .collect();
        let share = |group: &&GroupArn| {
            let balancer = service.routing.of_group(group)?;
            world.weights(&balancer.forward).ok()?.get(*group).copied().map(u32::from)
        };
        // What is given at one load balancer is no more than at another: only where there is one is it told.
        let weight = if groups.len() == 1 { groups.iter().find_map(share) } else { None };
        FleetView {
            role,
            version: version.to_string(),
            colour: (!groups.is_empty()).then(|| words::some(groups.iter().map(|group| words::group(group)))),
            weight,
            boards: fleet::boards(&members, world),
            instances: members.iter().map(|it| fleet::instance(it, service, active, world)).collect(),
        }
    };
    members.into_iter().map(fleet).collect()
}

fn workload(workload: service::Workload) -> Workload {
    match workload {
        service::Workload::Boards => Workload::Boards,
        service::Workload::Requests => Workload::Requests,
        service::Workload::None => Workload::None,
    }
}
