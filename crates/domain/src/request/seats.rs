//! Who of green comes to which load balancer: decided once, in the plan.
//!
//! Each load balancer has users of its own, by DNS. So where somebody serves today there is somebody tomorrow, and
//! the rest is spread by the shares of users that the configuration names. One seat more never takes one from
//! another load balancer (it is D'Hondt's method), so a fleet that grows by one server moves none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::survey::Survey;
use super::{Facts, count};
use crate::ids::{ForwardArn, InstanceId};
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
            Seats { balancer, seats: 0, taken, fleet, floor: 0 }
        })
        .collect();
    let usual = service.launch.size.unwrap_or(survey.fleet);
    let floors = deal(&all, usual, |it| Some(least(it)));
    let seats = match kind {
        // A canary is for the users that there are: where nobody serves there are none.
        Kind::Canary => deal(&all, size, |it| (it.fleet > 0).then_some(0)),
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

/// The least that each must have may be more than there is.
fn refuse_too_few(kind: Kind, all: &[Seats<'_>], size: u32) -> Result<(), Refusal> {
    let (dealt, taken): (u32, u32) =
        (all.iter().map(|it| it.seats).sum(), all.iter().map(|it| it.taken).sum());
    let last = all.iter().rev().find(|it| it.fleet > 0 && it.taken == 0);
    match last.filter(|_| kind != Kind::Canary && dealt > size.max(taken)) {
        Some(it) => Err(Refusal::NobodyForBalancer { forward: it.balancer.forward.clone(), size }),
        None => Ok(()),
    }
}

/// Whoever is there already stays, and where somebody serves there is at least one.
fn least(it: &Seats<'_>) -> u32 {
    it.taken.max(u32::from(it.fleet > 0))
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

/// The seats of each load balancer dealt over the subnets, one after the other from where the last one ended: each has
/// some of every zone, and so have all of them together. At most 100 in one batch, each for one load balancer.
pub(super) fn spread(service: &Service, order: &[&ForwardArn]) -> Vec<BatchPlan> {
    let zones = service.launch.subnets.len().max(1);
    let mut seats: BTreeMap<(usize, &ForwardArn), u32> = BTreeMap::new();
    let mut dealt = 0_usize;
    for balancer in service.routing.balancers() {
        for _ in order.iter().filter(|it| ***it == balancer.forward) {
            *seats.entry((dealt % zones, &balancer.forward)).or_insert(0) += 1;
            dealt += 1;
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
    batches
}
