//! Who is registered without being the service's: a release is refused while there is one.

use std::collections::BTreeSet;

use segue_domain::ids::InstanceId;
use segue_domain::service::Service;
use segue_domain::stranger::Stranger;

use super::unread;
use crate::check::finding::{Check, few};
use crate::check::gather::Aws;

/// Everybody in the colour and canary groups is known, and nobody else starts and stops them.
pub(super) fn strangers(service: &Service, aws: &Aws) -> Check {
    let (described, known) = match (&aws.described, &aws.instances) {
        (Ok(described), Ok(known)) => (described, known),
        (Err(error), _) | (_, Err(error)) => return unread("strangers", error),
    };
    let unread_group = service.routing.forwarded().find_map(|group| aws.targets.get(group)?.as_ref().err());
    if let Some(error) = unread_group {
        return unread("strangers", error);
    }
    let owned: Vec<&Stranger> = described.values().filter(|it| it.scaling_group().is_some()).collect();
    let nowhere: Vec<&InstanceId> = aws.registered.iter().filter(|id| !described.contains_key(id)).collect();
    if !nowhere.is_empty() {
        let sentence = format!("registered, and no instance that EC2 lists: {}", few(nowhere));
        let hint = "deregister them: each release is refused until then (strangers-serve). The groups must be of the \
                    target type `instance`";
        return Check::fail("strangers", sentence, hint);
    }
    let unknown: Vec<&Stranger> = described.values().filter(|it| !known.contains_key(&it.id)).collect();
    if let Some(check) = of_others(service, &unknown) {
        return check;
    }
    if !unknown.is_empty() {
        let ids = few(unknown.iter().map(|it| &it.id));
        let sentence = format!("registered, and not known as a server of {}: {ids}", service.name);
        return Check::fail("strangers", sentence, take_them_in(service, &owned));
    }
    if !owned.is_empty() {
        let sentence = format!("of {}: {}", groups_of(&owned), few(owned.iter().map(|it| &it.id)));
        let hint = "the group starts and ends servers when it wants, also in the middle of a release: detach them, \
                    and lower its desired capacity by as many";
        return Check::warn("strangers", sentence, hint);
    }
    Check::ok("strangers", format!("whoever is registered is known as a server of {}", service.name))
}

/// Servers of another service by their tags: most often it is the configuration that has the wrong name.
fn of_others(service: &Service, unknown: &[&Stranger]) -> Option<Check> {
    let is_other = |it: &&&Stranger| it.service().is_some_and(|tagged| tagged != service.name.as_str());
    let others: Vec<&&Stranger> = unknown.iter().filter(is_other).collect();
    let tagged: BTreeSet<&str> = others.iter().filter_map(|it| it.service()).collect();
    let first = tagged.first()?;
    let ids = few(others.iter().map(|it| &it.id));
    let sentence =
        format!("registered for {}, and tagged segue:service={}: {ids}", service.name, few(&tagged));
    let hint = format!(
        "is `name = \"{}\"` right? They are servers of {first}: write that, or deregister them. Until then each \
         release is refused (strangers-serve)",
        service.name
    );
    Some(Check::fail("strangers", sentence, hint))
}

fn take_them_in(service: &Service, owned: &[&Stranger]) -> String {
    let adopt = format!(
        "`segue adopt {}` takes them in, or deregister them: until then each release is refused \
         (strangers-serve)",
        service.name
    );
    match owned.is_empty() {
        true => adopt,
        false => format!("detach those of {} first; then {adopt}", groups_of(owned)),
    }
}

fn groups_of(owned: &[&Stranger]) -> String {
    let groups: BTreeSet<&str> = owned.iter().filter_map(|it| it.scaling_group()).collect();
    let word = if groups.len() == 1 { "the Auto Scaling group" } else { "the Auto Scaling groups" };
    format!("{word} {}", few(groups))
}
