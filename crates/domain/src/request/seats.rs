//! Who of green comes to which load balancer: decided once, in the plan.
//!
//! Each load balancer has users of its own, by DNS. So where somebody serves today there is somebody tomorrow, and
//! the rest is spread by the shares of users that the configuration names. One seat more never takes one from another
//! load balancer (it is D'Hondt's method), so a fleet that grows by one server moves none. Canaries have their turn
//! at each, and each load balancer has some of every zone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::survey::Survey;
use super::{Facts, count, free_canary_group};
use crate::ids::{ForwardArn, InstanceId, SubnetId};
use crate::instance::Instance;
use crate::plan::{BatchPlan, Kind};
use crate::refusal::Refusal;
use crate::service::{Balancer, Service};

/// The most instances of one call (AWS takes more, and answers later).
const LARGEST_BATCH: u32 = 100;

/// One load balancer, and how many of green serve there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seats<'a> {
    pub(super) balancer: &'a Balancer,
    pub(super) seats: u32,
    /// Of these, canaries that are there already.
    taken: u32,
    /// Instances of the running fleet that serve here today.
    pub(super) fleet: u32,
    /// Whoever serves here and is not taken over: canaries of another version may be all that is left.
    leaving: u32,
    /// Instances able to serve here never fall below this.
    pub(super) floor: u32,
}

pub(super) fn of<'a>(
    kind: Kind,
    facts: &Facts<'a>,
    survey: &Survey,
    size: u32,
    takeover: &BTreeSet<InstanceId>,
) -> Result<Vec<Seats<'a>>, Refusal> {
    let service = facts.service;
    let mut all: Vec<Seats<'a>> = service
        .routing
        .balancers()
        .map(|balancer| {
            let fleet = survey.fleet_at(facts, balancer);
            let here = |id: &&InstanceId| survey.home(service, id) == Some(&balancer.forward);
            let taken = count(takeover.iter().filter(here).count());
            let leaving = survey.leaving_at(service, balancer, takeover);
            Seats { balancer, seats: 0, taken, fleet, leaving, floor: 0 }
        })
        .collect();
    let usual = service.launch.size.unwrap_or(survey.fleet);
    let floors = deal(&all, usual, |it| Some(it.taken.max(u32::from(it.fleet > 0))));
    let seats = match kind {
        Kind::Canary => canaries(facts, &all, size)?,
        Kind::Full | Kind::Rollback => deal(&all, size, |it| Some(least(it))),
    };
    for ((it, seats), floor) in all.iter_mut().zip(seats).zip(floors) {
        it.seats = seats;
        it.floor = floor.min(it.fleet);
        if kind != Kind::Canary {
            it.floor = it.floor.min(seats);
        }
    }
    refuse_too_few(kind, &all, size)?;
    Ok(all)
}

/// Where canaries serve. Those of one release after another take the seats of one deal in turn: where there are fewer
/// than load balancers each of these has its turn, as often as users come to it.
fn canaries(facts: &Facts<'_>, all: &[Seats<'_>], size: u32) -> Result<Vec<u32>, Refusal> {
    // A canary is for the users that there are: where nobody serves there are none. And it needs a group of its own.
    let takes =
        |it: &Seats<'_>| (it.fleet > 0 && free_canary_group(facts, it.balancer).is_some()).then_some(0);
    let users: u64 = all.iter().filter(|it| takes(it).is_some()).map(|it| u64::from(it.balancer.share)).sum();
    if users == 0 {
        return Err(Refusal::NoFreeCanaryGroup {});
    }
    let earlier = facts.history.releases.iter().filter(|it| it.kind == Kind::Canary);
    let earlier = u64::try_from(earlier.count()).unwrap_or(0);
    // As many seats as there are shares give each load balancer its own: there the deal begins anew.
    let taken = u32::try_from(earlier * u64::from(size) % users).unwrap_or(0);
    let (before, after) = (deal(all, taken, takes), deal(all, taken.saturating_add(size), takes));
    Ok(after.into_iter().zip(before).map(|(after, before)| after.saturating_sub(before)).collect())
}

/// There may be more load balancers with users than new servers. Canaries that are taken over stay where they are:
/// however many they are, whoever is missing at another load balancer comes besides.
fn refuse_too_few(kind: Kind, all: &[Seats<'_>], size: u32) -> Result<(), Refusal> {
    let with_users = count(all.iter().filter(|it| it.leaving > 0).count());
    let last = all.iter().rev().find(|it| it.leaving > 0 && it.taken == 0);
    match last.filter(|_| kind != Kind::Canary && size < with_users) {
        Some(it) => Err(Refusal::NobodyForBalancer { forward: it.balancer.forward.clone(), size }),
        None => Ok(()),
    }
}

/// Whoever is there already stays, and where somebody serves there is at least one.
fn least(it: &Seats<'_>) -> u32 {
    it.taken.max(u32::from(it.leaving > 0))
}

/// `total` seats, each load balancer beginning with what it must have; the next one always goes where most users
/// come for each. Where none can be given, `least` says so.
fn deal(all: &[Seats<'_>], total: u32, least: impl Fn(&Seats<'_>) -> Option<u32>) -> Vec<u32> {
    let mut dealt: Vec<Option<u32>> = all.iter().map(least).collect();
    let mut left = total.saturating_sub(dealt.iter().flatten().sum());
    while left > 0 {
        let users_each = |(place, seats): (usize, u32)| {
            let share = all.get(place).map_or(0, |it| u64::from(it.balancer.share));
            (share * u64::from(u32::MAX) / (u64::from(seats) + 1), Reverse(place))
        };
        let open = dealt.iter().enumerate().filter_map(|(place, seats)| Some((place, (*seats)?)));
        let Some((place, _)) = open.max_by_key(|it| users_each(*it)) else { break };
        if let Some(Some(seats)) = dealt.get_mut(place) {
            *seats += 1;
        }
        left -= 1;
    }
    dealt.into_iter().map(Option::unwrap_or_default).collect()
}

/// The load balancers of those that are still to come, in turn, so that each gets some of every zone.
pub(super) fn in_turn<'a>(seats: &[Seats<'a>]) -> Vec<&'a ForwardArn> {
    let mut missing: Vec<_> =
        seats.iter().map(|it| (&it.balancer.forward, it.seats.saturating_sub(it.taken))).collect();
    let mut order = Vec::new();
    while missing.iter().any(|(_, left)| *left > 0) {
        for (forward, left) in missing.iter_mut().filter(|(_, left)| *left > 0) {
            order.push(*forward);
            *left -= 1;
        }
    }
    order
}

/// How many are in a zone for a load balancer.
#[derive(Default)]
pub(super) struct Zones<'a>(BTreeMap<(&'a SubnetId, &'a ForwardArn), u32>);

impl<'a> Zones<'a> {
    fn add(&mut self, subnet: &'a SubnetId, forward: &'a ForwardArn) {
        *self.0.entry((subnet, forward)).or_insert(0) += 1;
    }

    /// How many there are of this load balancer, and of all: the next one goes where fewest are.
    fn crowd(&self, subnet: &SubnetId, forward: &ForwardArn) -> (u32, u32) {
        let own = self.0.get(&(subnet, forward)).copied().unwrap_or(0);
        let all = self.0.iter().filter(|((it, _), _)| *it == subnet).map(|(_, seats)| *seats);
        (own, all.sum())
    }
}

/// Stopped servers for these seats, as far as there are some: each load balancer gets them of every zone.
pub(super) fn spares<'a>(
    order: &[&'a ForwardArn],
    stopped: &[&'a Instance],
) -> (Vec<(&'a InstanceId, &'a ForwardArn)>, Zones<'a>) {
    let mut free: BTreeMap<&SubnetId, VecDeque<&Instance>> = BTreeMap::new();
    for instance in stopped {
        free.entry(&instance.subnet).or_default().push_back(instance);
    }
    let (mut spares, mut zones) = (Vec::new(), Zones::default());
    for forward in order {
        let open = free.iter_mut().filter(|(_, left)| !left.is_empty());
        let fewest = open.min_by_key(|(subnet, _)| zones.crowd(subnet, forward));
        let Some(spare) = fewest.and_then(|(_, left)| left.pop_front()) else { break };
        zones.add(&spare.subnet, forward);
        spares.push((&spare.id, *forward));
    }
    (spares, zones)
}

/// The seats of each load balancer dealt over the subnets, beside those that are taken there: each has some of every
/// zone, and so have all of them together. At most 100 in one batch, each for one load balancer; one batch at least for
/// each that gets somebody.
pub(super) fn spread<'a>(
    service: &'a Service,
    all: &[Seats<'a>],
    order: &[&'a ForwardArn],
    mut taken: Zones<'a>,
) -> Vec<BatchPlan> {
    let mut seats: BTreeMap<(usize, &ForwardArn), u32> = BTreeMap::new();
    for balancer in service.routing.balancers() {
        let forward = &balancer.forward;
        for _ in order.iter().filter(|it| **it == forward) {
            let zones = service.launch.subnets.iter().enumerate();
            let fewest = zones.min_by_key(|(_, subnet)| taken.crowd(subnet, forward));
            let Some((zone, subnet)) = fewest else { break };
            taken.add(subnet, forward);
            *seats.entry((zone, forward)).or_insert(0) += 1;
        }
    }
    let mut batches = Vec::new();
    for (zone, subnet) in service.launch.subnets.iter().enumerate() {
        for balancer in service.routing.balancers() {
            let mut left = seats.get(&(zone, &balancer.forward)).copied().unwrap_or(0);
            while left > 0 {
                let now = left.min(LARGEST_BATCH);
                let forward = balancer.forward.clone();
                batches.push(BatchPlan { subnet: subnet.clone(), count: now, forward });
                left -= now;
            }
        }
    }
    for it in all.iter().filter(|it| it.seats > 0) {
        let forward = &it.balancer.forward;
        if batches.iter().all(|batch| batch.forward != *forward) {
            batches.extend(empty(service, forward, &taken));
        }
    }
    batches
}

/// Launches nobody: whoever comes in the place of a spare or a canary that dies comes in it.
fn empty(service: &Service, forward: &ForwardArn, taken: &Zones<'_>) -> Option<BatchPlan> {
    let fewest = service.launch.subnets.iter().min_by_key(|subnet| taken.crowd(subnet, forward))?;
    Some(BatchPlan { subnet: fewest.clone(), count: 0, forward: forward.clone() })
}

#[cfg(test)]
mod tests;
