//! Who serves what today, as tags and target groups say.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, count};
use crate::ids::{ForwardArn, GroupArn, InstanceId, Route, Version};
use crate::instance::{Image, Instance, InstanceState};
use crate::refusal::Refusal;
use crate::service::{Balancer, Service};
use crate::target::staying;

/// The running fleet and everybody else.
pub(super) struct Survey {
    /// The version of the colour that gets new clients.
    pub(super) running: Version,
    /// How many instances of it serve.
    pub(super) fleet: u32,
    /// Which slot leads to whom.
    pub(super) routes: BTreeMap<InstanceId, Route>,
    /// Running and registered in a colour or canary group, by version.
    serving: BTreeMap<Version, BTreeSet<InstanceId>>,
    groups: BTreeMap<InstanceId, BTreeSet<GroupArn>>,
}

impl Survey {
    pub(super) fn of(facts: &Facts<'_>) -> Result<Self, Refusal> {
        refuse_strangers(facts)?;
        refuse_two_balancers(facts)?;
        let mut survey = Self {
            running: Version::new(""),
            fleet: 0,
            routes: routes(facts),
            serving: BTreeMap::new(),
            groups: groups(facts),
        };
        for instance in facts.instances.values() {
            match instance.state {
                InstanceState::Running if survey.groups.contains_key(&instance.id) => {
                    let of_version = survey.serving.entry(instance.version.clone()).or_default();
                    of_version.insert(instance.id.clone());
                }
                InstanceState::Running
                | InstanceState::Stopped
                | InstanceState::Pending
                | InstanceState::Stopping
                | InstanceState::ShuttingDown
                | InstanceState::Terminated => {}
            }
        }
        survey.find_running(facts)?;
        Ok(survey)
    }

    /// The running version is the one with the most instances in colours that get new clients.
    fn find_running(&mut self, facts: &Facts<'_>) -> Result<(), Refusal> {
        let at_all = |version: &Version| -> u32 {
            let balancers = facts.service.routing.balancers();
            balancers.map(|balancer| self.coloured_at(facts, balancer, version)).sum()
        };
        let fleets = self.serving.keys().map(|version| (at_all(version), version.clone()));
        let (fleet, running) = fleets.max().filter(|(fleet, _)| *fleet > 0).ok_or(Refusal::NothingRuns {})?;
        self.fleet = fleet;
        self.running = running;
        if !facts.service.routing.others.is_empty() {
            self.fleet = facts.service.routing.balancers().map(|at| self.fleet_at(facts, at)).sum();
        }
        Ok(())
    }

    /// How many of a version serve in a colour of this load balancer that gets new clients.
    fn coloured_at(&self, facts: &Facts<'_>, at: &Balancer, version: &Version) -> u32 {
        let coloured = |id: &&InstanceId| {
            at.colours.iter().any(|colour| {
                facts.weights.get(colour).is_some_and(|weight| *weight > 0)
                    && self.groups.get(*id).is_some_and(|groups| groups.contains(colour))
            })
        };
        count(self.serving.get(version).into_iter().flatten().filter(coloured).count())
    }

    /// How many serve at this load balancer in a colour that gets new clients. Each of several may run another version,
    /// one that was just added for instance: whoever serves there is counted, for its users have nobody else.
    pub(super) fn fleet_at(&self, facts: &Facts<'_>, at: &Balancer) -> u32 {
        match facts.service.routing.others.is_empty() {
            true => self.coloured_at(facts, at, &self.running),
            false => self.serving.keys().map(|version| self.coloured_at(facts, at, version)).sum(),
        }
    }

    /// How many serve at this load balancer, of whatever version and in whatever group, and are not taken over.
    pub(super) fn leaving_at(
        &self,
        service: &Service,
        at: &Balancer,
        takeover: &BTreeSet<InstanceId>,
    ) -> u32 {
        let all = self.serving.values().flatten().filter(|id| !takeover.contains(*id));
        count(all.filter(|id| self.home(service, id) == Some(&at.forward)).count())
    }

    /// Of several load balancers, those whose users are served by canaries alone that are not taken over.
    pub(super) fn left_to_canaries(&self, facts: &Facts<'_>, takeover: &BTreeSet<InstanceId>) -> u32 {
        let routing = &facts.service.routing;
        let is_left = |at: &&Balancer| {
            self.fleet_at(facts, at) == 0 && self.leaving_at(facts.service, at, takeover) > 0
        };
        if routing.others.is_empty() { 0 } else { count(routing.balancers().filter(is_left).count()) }
    }

    /// The load balancer at which an instance serves.
    pub(super) fn home<'s>(&self, service: &'s Service, id: &InstanceId) -> Option<&'s ForwardArn> {
        let groups = self.groups.get(id)?;
        groups.iter().find_map(|group| service.routing.of_group(group)).map(|it| &it.forward)
    }

    pub(super) fn serving(&self, version: &Version) -> BTreeSet<InstanceId> {
        self.serving.get(version).cloned().unwrap_or_default()
    }

    pub(super) fn serving_other_than(&self, version: &Version) -> BTreeSet<InstanceId> {
        let others = self.serving.iter().filter(|(other, _)| *other != version);
        others.flat_map(|(_, ids)| ids.iter().cloned()).collect()
    }

    /// Stopped instances of this very AMI. One that a group still lists would serve wherever that is as soon
    /// as it is started, ready or not.
    pub(super) fn stopped<'a>(&self, facts: &Facts<'a>, image: &Image) -> Vec<&'a Instance> {
        let is_free = |id: &InstanceId| !self.groups.contains_key(id) && !self.routes.contains_key(id);
        let stopped = facts
            .instances
            .values()
            .filter(|it| it.state == InstanceState::Stopped && it.image == image.id && is_free(&it.id));
        stopped.collect()
    }

    pub(super) fn groups_of(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
        instances
            .iter()
            .filter_map(|id| self.groups.get(id).map(|groups| (id.clone(), groups.clone())))
            .collect()
    }
}

/// A server that Segue does not know may hold boards, and nobody would carry them across.
fn refuse_strangers(facts: &Facts<'_>) -> Result<(), Refusal> {
    let serving = groups(facts).into_keys();
    let strangers: Vec<InstanceId> = serving.filter(|id| !facts.instances.contains_key(id)).collect();
    match strangers.is_empty() {
        true => Ok(()),
        false => Err(Refusal::StrangersServe { service: facts.service.name.clone(), strangers }),
    }
}

/// One that serves the users of two load balancers would count at both, and leave one of them alone at its end.
fn refuse_two_balancers(facts: &Facts<'_>) -> Result<(), Refusal> {
    let mut seen: BTreeMap<&InstanceId, &ForwardArn> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for balancer in facts.service.routing.balancers() {
        for id in balancer.groups().filter_map(|group| facts.targets.get(group)).flat_map(staying) {
            if *seen.entry(id).or_insert(&balancer.forward) != &balancer.forward {
                twice.insert(id.clone());
            }
        }
    }
    match twice.is_empty() {
        true => Ok(()),
        false => Err(Refusal::AtTwoBalancers { instances: twice.into_iter().collect() }),
    }
}

/// Whoever a group lists.
pub(super) fn members(facts: &Facts<'_>, group: &GroupArn) -> BTreeSet<InstanceId> {
    let targets = facts.targets.get(group);
    targets.map(|targets| targets.keys().cloned().collect()).unwrap_or_default()
}

/// The colour and canary groups of each instance; one that is draining there is leaving already.
fn groups(facts: &Facts<'_>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let mut groups: BTreeMap<InstanceId, BTreeSet<GroupArn>> = BTreeMap::new();
    for group in facts.service.routing.forwarded() {
        let Some(targets) = facts.targets.get(group) else { continue };
        for id in staying(targets) {
            groups.entry(id.clone()).or_default().insert(group.clone());
        }
    }
    groups
}

fn routes(facts: &Facts<'_>) -> BTreeMap<InstanceId, Route> {
    let mut routes = BTreeMap::new();
    for slot in facts.service.routing.slots() {
        let Some(targets) = facts.targets.get(&slot.group) else { continue };
        for id in staying(targets) {
            routes.insert(id.clone(), slot.route.clone());
        }
    }
    routes
}
