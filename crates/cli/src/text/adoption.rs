//! The plan of an adoption, and what became of it, as text.

use segue_api::{AdoptedServer, Adoption, AdoptionOutcome, AdoptionPlan, KnownBy};

use super::line;

/// Which servers, and what is written on each.
pub(crate) fn adoption(plan: &AdoptionPlan) -> String {
    let mut text = String::new();
    match plan.servers.len() {
        0 => line(&mut text, &format!("nothing to do for {}", plan.service)),
        count => line(&mut text, &format!("{} would be taken into {}", counted(count), plan.service)),
    }
    for each in &plan.servers {
        server(&mut text, each);
    }
    if !plan.known.is_empty() {
        line(&mut text, &format!("known already: {}", plan.known.join(", ")));
    }
    if !plan.servers.is_empty() {
        line(&mut text, "Tags are written and nothing else: no server is touched, nobody notices.");
    }
    text
}

fn server(text: &mut String, server: &AdoptedServer) {
    let known_by = match server.known_by {
        KnownBy::Image => "by its AMI",
        KnownBy::Application => "by the application",
        KnownBy::Tag => "by its tag",
        KnownBy::Asked => "as asked",
    };
    let address = server.private_ip.as_deref().unwrap_or("-");
    let slot = server.slot.as_deref().unwrap_or("-");
    let AdoptedServer { instance, image, version, groups, .. } = server;
    let groups = groups.join(", ");
    line(
        text,
        &format!("  {instance}  {address}  {image}  version {version} {known_by}  in {groups}  slot {slot}"),
    );
    let tags: Vec<String> = server.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    line(text, &format!("    tags: {}", tags.join(" ")));
}

/// What was done, and how to go on.
pub(crate) fn adopted(adopted: &Adoption, plan: &AdoptionPlan) -> String {
    let Adoption { service, outcome, servers } = adopted;
    match outcome {
        AdoptionOutcome::Did => format!(
            "{} taken into {service}; `segue canary {service} --version V` is next",
            if servers.len() == 1 {
                "1 server was".to_owned()
            } else {
                format!("{} servers were", servers.len())
            }
        ),
        AdoptionOutcome::FoundDone => {
            let known = plan.known.len().max(servers.len());
            format!("nothing to do: {service} knows {} already", counted(known))
        }
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 server".to_owned() } else { format!("{count} servers") }
}
