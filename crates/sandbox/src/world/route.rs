//! Which target a request goes to.
//!
//! The first rule whose conditions hold, else the listener's default action; a group by weight; in it the
//! healthy targets in turn. When no target is healthy the group fails open: all unhealthy ones take turns, as
//! on AWS. A group without such targets answers 503; another group is never taken in its place.

use super::balancer::Balancer;
use super::cloud::Cloud;
use super::forward::Forward;
use super::target::{Health, TargetKey};
use crate::names::GroupArn;
use std::net::SocketAddrV4;

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) group: GroupArn,
    pub(crate) target: TargetKey,
    pub(crate) address: SocketAddrV4,
}

impl Balancer {
    /// The target for a request with this query; none means 503.
    pub(crate) fn route(&mut self, cloud: &Cloud, query: &str, rng: &mut fastrand::Rng) -> Option<Route> {
        let group = draw(self.forward_for(query), rng)?;
        self.next_target(cloud, &group)
    }

    fn forward_for(&self, query: &str) -> &Forward {
        let rule = self.rules.values().find(|rule| rule.matches(query));
        rule.map_or(&self.default, |rule| &rule.forward)
    }

    fn next_target(&mut self, cloud: &Cloud, arn: &GroupArn) -> Option<Route> {
        let group = self.groups.get_mut(arn)?;
        let mut healthy = Vec::new();
        let mut unhealthy = Vec::new();
        for (key, target) in &group.targets {
            let Some(instance) = cloud.instance(&key.instance) else { continue };
            let place = (key, SocketAddrV4::new(instance.address, key.port));
            match target.health(instance) {
                Some(Health::Healthy { .. }) => healthy.push(place),
                Some(Health::Unhealthy { .. }) => unhealthy.push(place),
                Some(Health::Registering | Health::Initial { .. }) | None => {}
            }
        }
        let candidates = if healthy.is_empty() { unhealthy } else { healthy };
        let turn = group.turn.checked_rem(candidates.len())?;
        let (target, address) = candidates.get(turn).map(|(key, address)| ((*key).clone(), *address))?;
        group.turn = group.turn.wrapping_add(1);
        Some(Route { group: arn.clone(), target, address })
    }
}

fn draw(forward: &Forward, rng: &mut fastrand::Rng) -> Option<GroupArn> {
    let total = forward.total_weight();
    if total == 0 {
        return None;
    }
    forward.pick(rng.u32(0..total)).cloned()
}
