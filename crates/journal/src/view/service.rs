//! What happened in a service.

use segue_domain::event::{ServiceEvent, Taken};
use segue_domain::ids::InstanceId;

use super::{decision, effect, list};

pub(super) fn sentence(event: &ServiceEvent) -> String {
    match event {
        ServiceEvent::Began { release, kind, version, from_version, request } => {
            let request = request.as_ref().map(|request| format!(", by the request {}", request.key));
            format!(
                "{release} began, a {kind} release from {from_version} to {version}{}",
                request.unwrap_or_default()
            )
        }
        ServiceEvent::Finished { release, verdict } => {
            format!("{release} ended: {}", decision::verdict(verdict))
        }
        ServiceEvent::AdoptionBegan { number, servers, digest: _ } => {
            let servers: Vec<_> = servers.iter().map(|(id, it)| taken(id, it)).collect();
            format!("about to take in, as adoption {number}: {}", list(servers.iter().map(String::as_str)))
        }
        ServiceEvent::AdoptionEnded { number, outcome } => {
            format!("adoption {number} {}", effect::outcome(outcome))
        }
    }
}

fn taken(id: &InstanceId, taken: &Taken) -> String {
    let Taken { version, known_by } = taken;
    format!("{id} with version {version} by {}", known_by.name())
}
