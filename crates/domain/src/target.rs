//! What the load balancer says of an instance in a target group.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::{GroupArn, InstanceId};

/// ELBv2's target states. An instance that a group does not list is not registered there.
/// Source: Elastic Load Balancing, "Health checks for your target groups", target health status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetHealth {
    Initial,
    Healthy,
    Unhealthy,
    /// Registered, and nothing checks it: the group is in no listener or the instance does not run.
    Unused,
    Draining,
    /// Health checks are off or the balancer has no word on it.
    Unavailable,
}

impl fmt::Display for TargetHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unused => "unused",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        })
    }
}

/// The targets of one group.
pub type Targets = BTreeMap<InstanceId, TargetHealth>;

/// Whoever is registered and stays; one that drains is leaving already.
pub fn staying(targets: &Targets) -> impl Iterator<Item = &InstanceId> {
    targets.iter().filter(|(_, health)| **health != TargetHealth::Draining).map(|(id, _)| id)
}

/// The shares of one weighted forward: 0 to 999 for each group.
pub type Weights = BTreeMap<GroupArn, u16>;
