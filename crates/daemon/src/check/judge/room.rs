//! What a launch needs: template, image, addresses.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::{InstanceId, SubnetId, Version};
use segue_domain::instance::{Image, Instance, InstanceState};
use segue_domain::service::Service;
use segue_engine::ports::{CallError, ImageQuery};

use super::unread;
use crate::check::finding::{Check, few};

pub(super) fn template(service: &Service, there: &Result<bool, CallError>) -> Check {
    let id = &service.launch.template;
    match there {
        Ok(true) => Check::ok("template", format!("{id} is there")),
        Ok(false) => {
            let sentence = format!("there is no launch template {id} in {}", service.region);
            Check::fail("template", sentence, "write the id of the service's template as `launch.template`")
        }
        Err(error) => unread("template", error),
    }
}

/// The newest version, and whether what runs has its image still.
pub(super) fn images(
    query: &ImageQuery,
    images: &Result<Vec<Image>, CallError>,
    instances: &Result<BTreeMap<InstanceId, Instance>, CallError>,
) -> Check {
    let images = match images {
        Ok(images) => images,
        Err(error) => return unread("images", error),
    };
    let with = if query.tags.is_empty() {
        "the tag releaseVersion".to_owned()
    } else {
        let tags = few(query.tags.iter().map(|(key, value)| format!("{key}={value}")));
        format!("the tags {tags} and releaseVersion")
    };
    let Some(newest) = images.first() else {
        let sentence = format!("no AMI of owner {} has {with}", query.owner);
        let hint = "build one with these tags in this region, or say in `images` which tags the AMIs have";
        return Check::fail("images", sentence, hint);
    };
    let sentence =
        format!("{} with {with}; the newest is version {} ({})", images.len(), newest.version, newest.id);
    let running = instances.iter().flatten().filter(|(_, it)| it.state == InstanceState::Running);
    let versions: BTreeSet<&Version> = running.map(|(_, instance)| &instance.version).collect();
    let gone: Vec<_> =
        versions.into_iter().filter(|version| !images.iter().any(|it| it.version == **version)).collect();
    match gone.is_empty() {
        true => Check::ok("images", sentence),
        false => Check::warn(
            "images",
            format!("{sentence}; none for version {}, which runs", few(gone)),
            "nobody can launch that version again: keep its AMI as long as it runs",
        ),
    }
}

/// Room for as many servers as run, once more.
pub(super) fn addresses(
    service: &Service,
    free: &Result<BTreeMap<SubnetId, u64>, CallError>,
    running: usize,
) -> Check {
    let free = match free {
        Ok(free) => free,
        Err(error) => return unread("addresses", error),
    };
    let wanted = green_size(service, running);
    let subnets = u64::try_from(service.launch.subnets.len()).unwrap_or(1).max(1);
    let each = wanted.div_ceil(subnets);
    let full: Vec<String> = free
        .iter()
        .filter(|(_, addresses)| **addresses < each)
        .map(|(subnet, addresses)| format!("{subnet} has {addresses}"))
        .collect();
    match full.is_empty() {
        true => {
            Check::ok("addresses", format!("every subnet has the {each} that a full release takes of it"))
        }
        false => Check::fail(
            "addresses",
            format!("{}; a full release takes {each} of each subnet", few(full)),
            "free addresses there, or list larger subnets in `launch.subnets`",
        ),
    }
}

/// How many servers a full release brings.
pub(super) fn green_size(service: &Service, running: usize) -> u64 {
    let running = u64::try_from(running).unwrap_or(u64::MAX);
    service.launch.size.map_or(running, u64::from).max(1)
}
