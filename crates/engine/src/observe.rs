//! Observing: what a release needs to see, read through the ports, all at once and each within its own limit.
//!
//! It never fails. A reading that did not come is that reading's `Unknown(why)`. The work is constant: it
//! depends on what was asked for, never on what was found, and nothing is read a second time.

mod apps;
mod fresh;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use segue_domain::event::Vital;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId, SubnetId};
use segue_domain::instance::Instance;
use segue_domain::reading::{Reading, Why};
use segue_domain::service::Service;
use segue_domain::target::{Targets, Weights};
use segue_domain::time::Timestamp;
use segue_domain::world::{Needs, World};

use crate::book::AddressBook;
use crate::outside::{Call, Line, Outside};
use crate::ports::{CallError, Class};

pub(crate) use apps::status_at;

use fresh::{only_fresh, within};

/// Readings of one kind that run at once, statuses aside: all kinds together stay below the way out's places, so that
/// servers which do not answer keep nobody else from being read.
const AT_ONCE: usize = 64;

/// Reads everything that `needs` names. `at` becomes the world's time: it was read from the clock just before.
pub(crate) async fn observe(outside: &Outside, service: &Service, needs: &Needs, at: Timestamp) -> World {
    let max_age = service.patience.max_age;
    let routing = &service.routing;
    let groups = routing.forwarded().chain(&needs.slots).cloned().collect();
    let fleet = async {
        let instances = instances(outside, service).await;
        let book = AddressBook::new(instances.known(), outside.term.epoch());
        let apps = apps::read(outside, needs, &instances, &book).await;
        (instances, apps)
    };
    let (fleet, targets, weights, subnets, boards, vitals) = tokio::join!(
        fleet,
        targets(outside, groups),
        weights(outside, service),
        subnets(outside, needs),
        board_counts(outside, &needs.instances, max_age),
        vitals(outside, &needs.vitals, max_age),
    );
    let (instances, apps) = fleet;
    for status in apps.statuses.values().filter_map(Reading::known) {
        outside.term.saw_generation(status.generation);
    }
    World {
        at,
        watched_since: outside.watched_since,
        instances,
        targets,
        weights,
        subnets,
        boards,
        apps: apps.statuses,
        board_lists: apps.board_lists,
        vitals,
        ownership: apps.ownership,
    }
}

pub(crate) async fn instances(
    outside: &Outside,
    service: &Service,
) -> Reading<BTreeMap<InstanceId, Instance>> {
    let call = Call::new("cloud", "instances");
    let answer = outside.ports.cloud.instances(&service.name);
    reading(outside.ask(Line::Reading, call, outside.limits.list_timeout, answer).await)
}

pub(crate) async fn targets(
    outside: &Outside,
    groups: BTreeSet<GroupArn>,
) -> BTreeMap<GroupArn, Reading<Targets>> {
    let readings = stream::iter(groups).map(|group| async move {
        let call = Call::new("balancer", "targets");
        let targets = match outside.pacer.balancer_turn().await {
            Ok(()) => outside.read(call, outside.ports.balancer.targets(&group)).await,
            Err(error) => Err(error),
        };
        (group, reading(targets))
    });
    readings.buffer_unordered(AT_ONCE).collect().await
}

/// The shares at each load balancer.
pub(crate) async fn weights(outside: &Outside, service: &Service) -> BTreeMap<ForwardArn, Reading<Weights>> {
    let forwards: Vec<ForwardArn> = service.routing.balancers().map(|it| it.forward.clone()).collect();
    let readings = stream::iter(forwards).map(|forward| async move {
        let weights = weights_of(outside, &forward).await;
        (forward, weights)
    });
    readings.buffer_unordered(AT_ONCE).collect().await
}

async fn weights_of(outside: &Outside, forward: &ForwardArn) -> Reading<Weights> {
    if let Err(error) = outside.pacer.balancer_turn().await {
        return reading(Err(error));
    }
    let answer = outside.ports.balancer.weights(forward);
    reading(outside.read(Call::new("balancer", "weights"), answer).await)
}

async fn subnets(outside: &Outside, needs: &Needs) -> Reading<BTreeMap<SubnetId, u64>> {
    if needs.subnets.is_empty() {
        return Reading::Unknown(Why::NotAsked);
    }
    let answer = outside.ports.cloud.free_addresses(&needs.subnets);
    reading(outside.read(Call::new("cloud", "free_addresses"), answer).await)
}

async fn board_counts(
    outside: &Outside,
    asked: &BTreeSet<InstanceId>,
    max_age: Duration,
) -> BTreeMap<InstanceId, Reading<u64>> {
    if asked.is_empty() {
        return BTreeMap::new();
    }
    let answer = outside.ports.metrics.boards(asked);
    let answer = within(outside, asked, Call::new("metrics", "boards"), answer).await;
    only_fresh(asked, answer, max_age)
}

async fn vitals(
    outside: &Outside,
    asked: &BTreeSet<InstanceId>,
    max_age: Duration,
) -> BTreeMap<InstanceId, Reading<Vital>> {
    if asked.is_empty() {
        return BTreeMap::new();
    }
    let answer = outside.ports.metrics.vitals(asked);
    let answer = within(outside, asked, Call::new("metrics", "vitals"), answer).await;
    only_fresh(asked, answer, max_age)
}

/// What a call's end says of the value that was asked for.
fn reading<T>(answer: Result<T, CallError>) -> Reading<T> {
    match answer {
        Ok(value) => Reading::fresh(value),
        Err(error) => Reading::Unknown(why(error)),
    }
}

fn why(error: CallError) -> Why {
    match error.class {
        Class::Retry | Class::Unknown => Why::Unreachable(error.what),
        Class::Refused => Why::Refused(error.what),
        Class::Bug => Why::Unusable(error.what),
    }
}

#[cfg(test)]
mod tests;
