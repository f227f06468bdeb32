//! The plan of a release: an immutable snapshot, made once, in the first record of its journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::ids::{CheckName, ForwardArn, GroupArn, InstanceId, ReleaseId, Route, SubnetId, Version};
use crate::instance::Image;
use crate::service::Service;
use crate::target::Weights;

/// Which journey this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Canary,
    Full,
    Rollback,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Full => "full",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything that was fixed when the release was accepted. Every effect can be derived from it and from
/// what the journal says happened since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub release: ReleaseId,
    pub kind: Kind,
    /// The release that this one is a part of: several services or regions released as one.
    pub parent: Option<ReleaseId>,
    /// The service as it was configured at that time.
    pub service: Service,
    pub image: Image,
    /// The version that ran when the release was accepted.
    pub from_version: Version,
    /// The servers that are left: every serving instance of another version. For a canary nobody leaves,
    /// and these are what it is compared with.
    pub blue: BTreeSet<InstanceId>,
    /// Stopped instances of the very AMI: started before anything is launched.
    pub spares: BTreeSet<InstanceId>,
    /// Canary instances of the same version that join green.
    pub takeover: BTreeSet<InstanceId>,
    /// What is launched beyond spares and takeover, in order; the batch number is the place in the list.
    pub batches: Vec<BatchPlan>,
    /// Where spares and canaries that are taken over serve, when there are several load balancers to serve at.
    pub homes: BTreeMap<InstanceId, ForwardArn>,
    /// What is done at each load balancer, in the order of the configuration.
    pub fronts: Vec<Front>,
    /// The groups of the weighted forwards in which blue is registered.
    pub blue_groups: BTreeMap<InstanceId, BTreeSet<GroupArn>>,
    /// The slots that the servers had when the release was accepted.
    pub routes: BTreeMap<InstanceId, Route>,
    /// Instances able to serve never fall below this.
    pub floor: u32,
    /// The canary release that passed for this version, if one did.
    pub passed_canary: Option<ReleaseId>,
    /// Checks that somebody overrode, with the reason.
    pub overrides: BTreeMap<CheckName, String>,
}

/// How many instances to launch in one subnet, for one load balancer: whoever comes in the place of one that died
/// comes for the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPlan {
    pub subnet: SubnetId,
    /// None at all where everybody is known by name: only who comes in the place of one of them is launched.
    pub count: u32,
    pub forward: ForwardArn,
}

/// What a plan has for one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    pub forward: ForwardArn,
    /// The target group of green. None: nobody is brought here, and its shares stay as they are.
    pub green_group: Option<GroupArn>,
    /// The shares as they were: the way back restores them.
    pub weights_before: Weights,
    /// The shares that admit gives.
    pub weights_shared: Weights,
    /// The shares that close gives; for a canary the same as `weights_shared`.
    pub weights_after: Weights,
    /// Of the instances that serve here, those able to serve never fall below this.
    pub floor: u32,
}

impl Plan {
    /// How many instances green has when it is complete.
    pub fn green_size(&self) -> u32 {
        let launched: u32 = self.batches.iter().map(|batch| batch.count).sum();
        let here = self.spares.len().saturating_add(self.takeover.len());
        launched.saturating_add(u32::try_from(here).unwrap_or(u32::MAX))
    }

    /// How many are launched and started for this load balancer.
    pub fn fresh_at(&self, forward: &ForwardArn) -> u32 {
        let launched = self.batches.iter().filter(|batch| batch.forward == *forward).map(|batch| batch.count);
        let spares = self.spares.iter().filter(|id| self.home(id) == forward).count();
        launched.sum::<u32>().saturating_add(u32::try_from(spares).unwrap_or(u32::MAX))
    }

    /// How many instances of green serve at this load balancer when it is complete.
    pub fn green_size_at(&self, forward: &ForwardArn) -> u32 {
        let here = self.takeover.iter().filter(|id| self.home(id) == forward).count();
        self.fresh_at(forward).saturating_add(u32::try_from(here).unwrap_or(u32::MAX))
    }

    /// What is done at this load balancer.
    pub fn front(&self, forward: &ForwardArn) -> Option<&Front> {
        self.fronts.iter().find(|front| front.forward == *forward)
    }

    /// The target groups of green, one for each load balancer that gets some of it.
    pub fn green_groups(&self) -> impl Iterator<Item = &GroupArn> {
        self.fronts.iter().filter_map(|front| front.green_group.as_ref())
    }

    /// The load balancer at which somebody whom the plan names serves.
    pub fn home(&self, id: &InstanceId) -> &ForwardArn {
        let found = || self.service.routing.home_of(self.blue_groups.get(id).into_iter().flatten());
        self.homes.get(id).unwrap_or_else(found)
    }

    /// Every group of the weighted forwards that this release may look at.
    pub fn groups(&self) -> BTreeSet<GroupArn> {
        self.service.routing.forwarded().cloned().collect()
    }
}
