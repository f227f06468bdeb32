//! What the load balancer must have: groups in the forward, slots, places for targets; and who serves today.

use std::collections::BTreeSet;

use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::service::{Balancer, Service};
use segue_domain::target::{TargetHealth, Weights};

use super::room::green_size;
use super::unread;
use crate::check::finding::{Check, few};
use crate::check::gather::{AllTargets, AllWeights, Aws};

/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers": targets per load balancer.
const TARGETS_PER_BALANCER: u64 = 1_000;

/// Each load balancer is judged by itself; with several of them the worst is told, and of whom it is.
fn of_each(service: &Service, judge: impl Fn(&Balancer) -> Check) -> Check {
    let routing = &service.routing;
    let mut worst = judge(&routing.first);
    if routing.others.is_empty() {
        return worst;
    }
    let said =
        |balancer: &Balancer, check: &Check| format!("{}: {}", balancer.forward.balancer(), check.sentence);
    let mut sentences = vec![said(&routing.first, &worst)];
    for balancer in &routing.others {
        let check = judge(balancer);
        if check.state > worst.state {
            sentences.clear();
        }
        if check.state >= worst.state {
            sentences.push(said(balancer, &check));
            worst = Check { hint: worst.hint.filter(|_| check.state == worst.state).or(check.hint), ..check };
        }
    }
    Check { sentence: sentences.join("; "), ..worst }
}

/// Each weighted forward names all colours and canary groups of its load balancer, and none of another's.
pub(super) fn forward(service: &Service, weights: &AllWeights) -> Check {
    of_each(service, |balancer| match weights.get(&balancer.forward) {
        Some(Ok(own)) => forward_of(service, balancer, own, weights),
        Some(Err(error)) => unread("forward", error),
        None => Check::skip("forward", "nobody read it"),
    })
}

fn forward_of(service: &Service, balancer: &Balancer, weights: &Weights, all: &AllWeights) -> Check {
    let ours: BTreeSet<&GroupArn> = balancer.forwarded().collect();
    let missing: Vec<&GroupArn> = ours.iter().copied().filter(|group| !weights.contains_key(group)).collect();
    if !missing.is_empty() {
        let others = service.routing.balancers().filter(|other| other.forward != balancer.forward);
        let elsewhere = others.map(|other| &other.forward).find(|forward| {
            let theirs = all.get(*forward).and_then(|read| read.as_ref().ok());
            theirs.is_some_and(|theirs| missing.iter().any(|group| theirs.contains_key(*group)))
        });
        return Check::fail(
            "forward",
            format!("it does not forward to {}", few(missing)),
            to_mend(elsewhere),
        );
    }
    let strangers: Vec<&GroupArn> = weights.keys().filter(|group| !ours.contains(group)).collect();
    if !strangers.is_empty() {
        let hint = "a release leaves its weight as it is: list it as a colour or canary, or take it out";
        return Check::warn("forward", format!("it forwards to {} as well", few(strangers)), hint);
    }
    if !balancer.colours.iter().any(|colour| weights.get(colour).is_some_and(|weight| *weight > 0)) {
        let hint = "give the colour whose servers run a weight";
        return Check::warn("forward", "no colour has a weight above 0: nobody gets new clients", hint);
    }
    Check::ok("forward", format!("it names all {} colour and canary groups", ours.len()))
}

/// How groups come into a forward, if another one has some of them or none.
fn to_mend(elsewhere: Option<&ForwardArn>) -> String {
    elsewhere.map_or_else(
        || "add each to the forward action with weight 0, so that its health is checked; or mend its ARN under `routing`".to_owned(),
        |forward| {
            let other = forward.balancer();
            format!("{other} does: list each group under `routing` with the forward that it is in")
        },
    )
}

/// What of so many servers stands at a load balancer, at the most: the plan spreads them by the shares of users.
fn part(service: &Service, balancer: &Balancer, servers: u64) -> u64 {
    let users: u64 = service.routing.balancers().map(|it| u64::from(it.share)).sum();
    servers.saturating_mul(u64::from(balancer.share)).div_ceil(users.max(1))
}

/// A slot for each server of blue, of green and of the canaries.
pub(super) fn slots(service: &Service, targets: &AllTargets, running: usize) -> Check {
    of_each(service, |balancer| slots_of(service, balancer, targets, running))
}

fn slots_of(service: &Service, balancer: &Balancer, targets: &AllTargets, running: usize) -> Check {
    let slots = &balancer.slots;
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
    let size = part(service, balancer, green_size(service, running));
    let canaries = part(service, balancer, u64::from(service.canary.count));
    let wanted = size.saturating_mul(2).saturating_add(canaries);
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

/// Places for the targets of a full release, as its preflight counts them: each new server is registered in its colour,
/// and in its slot where the load balancer has slots.
pub(super) fn targets(service: &Service, targets: &AllTargets, running: usize) -> Check {
    of_each(service, |balancer| targets_of(service, balancer, targets, running))
}

fn targets_of(service: &Service, balancer: &Balancer, targets: &AllTargets, running: usize) -> Check {
    let mut registered = 0_u64;
    for targets in balancer.groups().filter_map(|group| targets.get(group)) {
        match targets {
            Ok(targets) => {
                registered = registered.saturating_add(u64::try_from(targets.len()).unwrap_or(u64::MAX));
            }
            Err(error) => return unread("targets", error),
        }
    }
    let registrations = 1 + u64::from(!balancer.slots.is_empty());
    let come = part(service, balancer, green_size(service, running)).saturating_mul(registrations);
    let sentence = format!(
        "{registered} are registered and a full release brings {come}, of {TARGETS_PER_BALANCER} that a load \
         balancer takes unless AWS raised it"
    );
    match registered.saturating_add(come) <= TARGETS_PER_BALANCER {
        true => Check::ok("targets", sentence),
        false => Check::fail(
            "targets",
            sentence,
            "ask AWS for a higher quota, add a load balancer under `routing`, or divide the service",
        ),
    }
}

/// Who serves today.
pub(super) fn fleet(service: &Service, aws: &Aws) -> Check {
    let known = match &aws.instances {
        Ok(known) => known,
        Err(error) => return unread("fleet", error),
    };
    let running = aws.running();
    let colours = || service.routing.balancers().flat_map(|balancer| &balancer.colours);
    let health = |id: &InstanceId| {
        let listed = colours().filter_map(|colour| aws.targets.get(colour)?.as_ref().ok()?.get(id));
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
    let twice: Vec<_> =
        serving.iter().filter(|id| balancers_of(service, &aws.targets, id).count() > 1).collect();
    if !twice.is_empty() {
        let sentence = format!("registered at two load balancers: {}", few(twice));
        let hint = "deregister them from the groups of one: each server belongs to one load balancer";
        return Check::fail("fleet", sentence, hint);
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
    let at =
        |it: &Balancer| serving.iter().any(|id| balancers_of(service, &aws.targets, id).any(|own| own == it));
    let empty: Vec<&str> =
        service.routing.balancers().filter(|it| !at(it)).map(|it| it.forward.balancer()).collect();
    if !empty.is_empty() {
        let sentence = format!("nobody serves at the load balancer {}", few(empty));
        return Check::warn(
            "fleet",
            sentence,
            "the next full release brings servers there; let no DNS name lead there before",
        );
    }
    let versions: BTreeSet<_> =
        running.iter().filter(|(id, _)| serving.contains(id)).map(|(_, it)| &it.version).collect();
    let of_version = if versions.len() == 1 { "version" } else { "versions" };
    Check::ok("fleet", format!("{} serve, of {of_version} {}", serving.len(), few(versions)))
}

/// The load balancers in whose groups a server is registered.
fn balancers_of<'a>(
    service: &'a Service,
    targets: &'a AllTargets,
    id: &'a InstanceId,
) -> impl Iterator<Item = &'a Balancer> {
    let lists = move |group: &GroupArn| {
        targets.get(group).and_then(|it| it.as_ref().ok()).is_some_and(|it| it.contains_key(id))
    };
    service.routing.balancers().filter(move |balancer| balancer.groups().any(lists))
}
