//! What the load balancer must have: groups in the forward, slots, places for targets; and who serves today.

use std::collections::BTreeSet;

use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::service::Service;
use segue_domain::target::{TargetHealth, Weights};
use segue_engine::ports::CallError;

use super::room::doubled;
use super::unread;
use crate::check::finding::{Check, few};
use crate::check::gather::{AllTargets, Aws};

/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers": targets per load balancer.
const TARGETS_PER_BALANCER: u64 = 1_000;

/// The one weighted forward names all colours and canary groups.
pub(super) fn forward(service: &Service, weights: &Result<Weights, CallError>) -> Check {
    let weights = match weights {
        Ok(weights) => weights,
        Err(error) => return unread("forward", error),
    };
    let ours: BTreeSet<&GroupArn> = service.routing.forwarded().collect();
    let missing: Vec<&GroupArn> = ours.iter().copied().filter(|group| !weights.contains_key(group)).collect();
    if !missing.is_empty() {
        let hint = "add each to the forward action with weight 0, so that its health is checked; or mend its ARN under `routing`";
        return Check::fail("forward", format!("it does not forward to {}", few(missing)), hint);
    }
    let strangers: Vec<&GroupArn> = weights.keys().filter(|group| !ours.contains(group)).collect();
    if !strangers.is_empty() {
        let hint = "a release leaves its weight as it is: list it as a colour or canary, or take it out";
        return Check::warn("forward", format!("it forwards to {} as well", few(strangers)), hint);
    }
    let colours = &service.routing.colours;
    if !colours.iter().any(|colour| weights.get(colour).is_some_and(|weight| *weight > 0)) {
        let hint = "give the colour whose servers run a weight";
        return Check::warn("forward", "no colour has a weight above 0: nobody gets new clients", hint);
    }
    Check::ok("forward", format!("it names all {} colour and canary groups", ours.len()))
}

/// A slot for each server of blue, of green and of the canaries.
pub(super) fn slots(service: &Service, targets: &AllTargets, running: usize) -> Check {
    let slots = &service.routing.slots;
    if slots.is_empty() {
        return Check::skip("slots", "none are configured: the application redirects clients by itself");
    }
    let mut free = 0_u64;
    for slot in slots {
        match targets.get(&slot.group) {
            Some(Ok(targets)) => free = free.saturating_add(u64::from(targets.is_empty())),
            Some(Err(error)) => return unread("slots", error),
            None => return Check::skip("slots", format!("nobody read slot {}", slot.route)),
        }
    }
    let all = u64::try_from(slots.len()).unwrap_or(u64::MAX);
    let size = doubled(service, running);
    let wanted = size.saturating_mul(2).saturating_add(u64::from(service.canary.count));
    let hint = "provision more rules with a target group of one, and list them as `routing.slots`";
    if free < size {
        let sentence = format!("{free} of {all} are free, and a full release takes {size}");
        return Check::fail("slots", sentence, hint);
    }
    if all < wanted {
        let sentence = format!("there are {all}: blue, green and a canary together take {wanted}");
        return Check::warn("slots", sentence, hint);
    }
    Check::ok("slots", format!("{free} of {all} are free; blue, green and a canary together take {wanted}"))
}

/// Places for the targets of a doubled fleet, each in its colour and in its slot.
pub(super) fn targets(service: &Service, targets: &AllTargets, running: usize) -> Check {
    let mut registered = 0_u64;
    for targets in targets.values() {
        match targets {
            Ok(targets) => {
                registered = registered.saturating_add(u64::try_from(targets.len()).unwrap_or(u64::MAX));
            }
            Err(error) => return unread("targets", error),
        }
    }
    let come = doubled(service, running).saturating_mul(2);
    let sentence = format!(
        "{registered} are registered and a full release brings {come}, of {TARGETS_PER_BALANCER} that a load \
         balancer takes unless AWS raised it"
    );
    match registered.saturating_add(come) <= TARGETS_PER_BALANCER {
        true => Check::ok("targets", sentence),
        false => Check::fail("targets", sentence, "ask AWS for a higher quota, or divide the service"),
    }
}

/// Who serves today.
pub(super) fn fleet(service: &Service, aws: &Aws) -> Check {
    let known = match &aws.instances {
        Ok(known) => known,
        Err(error) => return unread("fleet", error),
    };
    let running = aws.running();
    let colours = &service.routing.colours;
    let health = |id: &InstanceId| {
        let listed = colours.iter().filter_map(|colour| aws.targets.get(colour)?.as_ref().ok()?.get(id));
        listed.copied().next()
    };
    let serving: Vec<_> = running.keys().filter(|id| health(id).is_some()).collect();
    if serving.is_empty() && !aws.registered.is_empty() {
        let sentence = format!("{} are registered, and none of them is known yet", aws.registered.len());
        return Check::warn("fleet", sentence, "see what `strangers` says of them");
    }
    if serving.is_empty() {
        let sentence = format!(
            "{} run with the tag segue:service={}, and none is registered in a colour group",
            running.len(),
            service.name
        );
        let hint = "register the servers of today in a colour group, start the daemon and take them in with `segue adopt`: there is no release without a fleet to release from";
        return Check::warn("fleet", sentence, hint);
    }
    let down: Vec<_> = known.keys().filter(|id| !running.contains_key(id) && health(id).is_some()).collect();
    if !down.is_empty() {
        let sentence = format!("registered in a colour group and not running: {}", few(down));
        return Check::warn("fleet", sentence, "start them, or deregister them before the next release");
    }
    let sick: Vec<_> = serving.iter().filter(|id| health(id) != Some(TargetHealth::Healthy)).collect();
    if !sick.is_empty() {
        let sentence = format!("not healthy by the load balancer's word: {}", few(sick));
        return Check::warn("fleet", sentence, "a release is refused while an old server is not healthy");
    }
    let versions: BTreeSet<_> =
        running.iter().filter(|(id, _)| serving.contains(id)).map(|(_, it)| &it.version).collect();
    let of_version = if versions.len() == 1 { "version" } else { "versions" };
    Check::ok("fleet", format!("{} serve, of {of_version} {}", serving.len(), few(versions)))
}
