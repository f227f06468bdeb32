//! The plan of an adoption, and what became of it.

use std::collections::BTreeMap;

use segue_api::{AdoptedServer, Adoption, AdoptionOutcome, AdoptionPlan, KnownBy, PlanBasis};
use segue_domain::adoption::{self, Newcomer};
use segue_domain::event::Taken;
use segue_domain::ids::{InstanceId, ServiceName};
use segue_domain::stranger::tags_of;

use crate::words;

/// The plan as somebody is shown it.
pub(crate) fn plan_of_adoption(basis: PlanBasis, plan: &adoption::AdoptionPlan) -> AdoptionPlan {
    AdoptionPlan {
        basis,
        service: plan.service.to_string(),
        servers: plan.servers.iter().map(|(id, it)| server(&plan.service, id, it)).collect(),
        tagged: plan.tagged.iter().map(ToString::to_string).collect(),
    }
}

fn server(service: &ServiceName, id: &InstanceId, newcomer: &Newcomer) -> AdoptedServer {
    let Newcomer { image, address, version, known_by, unread, groups, route } = newcomer;
    AdoptedServer {
        instance: id.to_string(),
        private_ip: address.clone(),
        image: image.to_string(),
        version: version.to_string(),
        known_by: match known_by {
            adoption::KnownBy::Image => KnownBy::Image,
            adoption::KnownBy::Application => KnownBy::Application,
            adoption::KnownBy::Tag => KnownBy::Tag,
            adoption::KnownBy::Asked => KnownBy::Asked,
        },
        unread: unread.as_ref().map(ToString::to_string),
        groups: groups.iter().map(|group| words::group(group).to_owned()).collect(),
        slot: route.as_ref().map(ToString::to_string),
        tags: tags_of(service, version),
    }
}

/// What was done.
pub(crate) fn adopted(
    service: &ServiceName,
    outcome: AdoptionOutcome,
    servers: &BTreeMap<InstanceId, Taken>,
) -> Adoption {
    let servers = servers.iter();
    Adoption {
        service: service.to_string(),
        outcome,
        servers: servers.map(|(id, taken)| (id.to_string(), taken.version.to_string())).collect(),
    }
}
