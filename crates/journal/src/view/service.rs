//! What happened in a service.

use segue_domain::event::ServiceEvent;

use super::decision;

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
    }
}
