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
    if !plan.tagged.is_empty() {
        line(&mut text, &format!("have their tags already: {}", plan.tagged.join(", ")));
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
    if let Some(why) = &server.unread {
        line(text, &format!("    its application could not be asked: {why}"));
    }
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
            let known = plan.tagged.len().max(servers.len());
            format!("nothing to do: {service} knows {} already", counted(known))
        }
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 server".to_owned() } else { format!("{count} servers") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_silent_application_is_told_under_its_server() {
        let answered = AdoptedServer {
            instance: "i-1".to_owned(),
            private_ip: Some("10.0.0.1".to_owned()),
            image: "ami-1".to_owned(),
            version: "1".to_owned(),
            known_by: KnownBy::Image,
            unread: None,
            groups: vec!["a".to_owned()],
            slot: Some("s01".to_owned()),
            tags: BTreeMap::from([("segue:version".to_owned(), "1".to_owned())]),
        };
        let silent = AdoptedServer { unread: Some("no answer: refused".to_owned()), ..answered.clone() };
        let told = |it: &AdoptedServer| {
            let mut text = String::new();
            server(&mut text, it);
            text
        };
        let first = "  i-1  10.0.0.1  ami-1  version 1 by its AMI  in a  slot s01\n";
        let (asked, tags) =
            ("    its application could not be asked: no answer: refused\n", "    tags: segue:version=1\n");
        assert_eq!(told(&answered), format!("{first}{tags}"));
        assert_eq!(told(&silent), format!("{first}{asked}{tags}"));
    }
}
