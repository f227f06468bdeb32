//! The three sets of shares that each load balancer gets. A share is a number of instances, so that each instance
//! gets the same.

use std::collections::{BTreeMap, BTreeSet};

use super::seats::Seats;
use super::{Facts, count, survey};
use crate::ids::{GroupArn, InstanceId};
use crate::plan::Kind;
use crate::refusal::Refusal;
use crate::service::Balancer;
use crate::target::Weights;

/// What the shares of a plan are made of.
pub(super) struct Shares<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) kind: Kind,
    pub(super) takeover: &'a BTreeSet<InstanceId>,
    pub(super) seats: &'a [Seats<'a>],
    /// Green's group at each of them.
    pub(super) greens: &'a [Option<GroupArn>],
}

/// Servers by group.
type Counts = BTreeMap<GroupArn, u64>;

impl Shares<'_> {
    pub(super) fn before(&self, at: &Balancer) -> Result<Weights, Refusal> {
        at.forwarded()
            .map(|group| {
                let weight = self.facts.weights.get(group);
                let weight = weight.ok_or_else(|| Refusal::GroupNotForwarded { group: group.clone() })?;
                Ok((group.clone(), *weight))
            })
            .collect()
    }

    /// Everybody serves: groups that serve keep a share for each instance, green gets its own.
    pub(super) fn shared(&self, here: &Seats<'_>, green: Option<&GroupArn>) -> Result<Weights, Refusal> {
        if green.is_none() {
            return self.before(here.balancer);
        }
        let counts = self.counts(here, green);
        Ok(scaled(match self.kind {
            Kind::Canary => self.as_of_all(here, green, &counts).unwrap_or(counts),
            Kind::Full | Kind::Rollback => counts,
        }))
    }

    /// Only green gets new clients.
    pub(super) fn after(&self, here: &Seats<'_>, green: Option<&GroupArn>) -> Result<Weights, Refusal> {
        match self.kind {
            Kind::Full | Kind::Rollback if green.is_some() => {
                let share =
                    |group: &GroupArn| if Some(group) == green { u64::from(here.seats.max(1)) } else { 0 };
                let groups = here.balancer.forwarded();
                Ok(scaled(groups.map(|group| (group.clone(), share(group))).collect()))
            }
            Kind::Canary | Kind::Full | Kind::Rollback => self.shared(here, green),
        }
    }

    /// How many serve in each group.
    fn counts(&self, here: &Seats<'_>, green: Option<&GroupArn>) -> Counts {
        let servers = |group: &GroupArn| {
            if Some(group) == green {
                return u64::from(here.seats);
            }
            match self.facts.weights.get(group) {
                None | Some(0) => 0,
                // Taken-over canaries get their share through green's group from now on.
                Some(_) => {
                    u64::from(count(survey::members(self.facts, group).difference(self.takeover).count()))
                }
            }
        };
        here.balancer.forwarded().map(|group| (group.clone(), servers(group))).collect()
    }

    /// A canary server gets what one of all servers gets of all users, though it stands at one load balancer and some
    /// of the users come to others. The colours there share what is left. None where each server gets that anyway:
    /// where the load balancer's part of the servers is its part of the users.
    fn as_of_all(&self, here: &Seats<'_>, green: Option<&GroupArn>, counts: &Counts) -> Option<Counts> {
        let serving = || self.seats.iter().zip(self.greens).filter(|(it, _)| it.fleet > 0);
        let users: u64 = serving().map(|(it, _)| u64::from(it.balancer.share)).sum();
        let own_users = u64::from(here.balancer.share);
        let all: u64 = serving().flat_map(|(it, green)| self.counts(it, green.as_ref()).into_values()).sum();
        let own: u64 = counts.values().sum();
        let is_canary = |group: &GroupArn| Some(group) == green || here.balancer.canaries.contains(group);
        let canaries: u64 = counts.iter().filter(|(group, _)| is_canary(group)).map(|(_, n)| *n).sum();
        let coloured = own.saturating_sub(canaries);
        let rest = (own_users * all).checked_sub(canaries * users)?;
        if users * own == own_users * all || coloured == 0 || rest == 0 {
            return None;
        }
        let share = |group: &GroupArn, servers: u64| match is_canary(group) {
            true => servers * users * coloured,
            false => servers * rest,
        };
        let shares: Counts = counts.iter().map(|(group, n)| (group.clone(), share(group, *n))).collect();
        let common = shares.values().copied().fold(0, divisor).max(1);
        Some(shares.into_iter().map(|(group, share)| (group, share / common)).collect())
    }
}

/// The greatest common one.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Shares within what a forward action takes (0 to 999); none that was there vanishes.
fn scaled(shares: Counts) -> Weights {
    const LARGEST: u64 = 999;
    let largest = shares.values().copied().max().unwrap_or(0).max(LARGEST);
    let scale = |share: u64| match share {
        0 => 0,
        _ => (share * LARGEST / largest).max(1),
    };
    let scaled = shares.into_iter().map(|(group, share)| (group, u16::try_from(scale(share)).unwrap_or(999)));
    scaled.collect()
}
