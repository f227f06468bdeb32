//! Servers that are taken in.

use segue_domain::adoption::KnownBy;
use segue_domain::effect::{Done, Outcome};
use segue_domain::event::{ServiceEvent, Taken};

/// Every kind of event of a service's adoptions, with every way to know a version and every end.
pub(crate) fn events() -> Vec<ServiceEvent> {
    let known = [KnownBy::Image, KnownBy::Application, KnownBy::Tag, KnownBy::Asked];
    let taken = |known_by| Taken { version: "2026.11.20-1".into(), known_by };
    let servers = ["i-1", "i-2", "i-3", "i-4"].into_iter().zip(known);
    let servers = servers.map(|(id, known_by)| (id.into(), taken(known_by))).collect();
    let began = ServiceEvent::AdoptionBegan { number: 1, servers, digest: "5f1c".to_owned() };
    let ends = [
        Outcome::Done(Done::Nothing),
        Outcome::refused("CreateTags is not allowed"),
        Outcome::Unknown("no answer came in time".to_owned()),
    ];
    let ended = ends.into_iter().map(|outcome| ServiceEvent::AdoptionEnded { number: 1, outcome });
    std::iter::once(began).chain(ended).collect()
}
