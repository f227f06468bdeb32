//! The ELBv2 half of the world: one load balancer with one listener, its rules and its target groups.
//!
//! Nothing is created or deleted at run time, as with load balancers that Terraform made. Health checks are
//! handed out as [`Check`]s and their outcomes handed back; where a request goes is in `route`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::at::At;
use super::cloud::Cloud;
use super::effect::Effect;
use super::forward::{Forward, QueryCondition, Rule};
use super::group::{Group, GroupUse};
use super::instance::InstanceState;
use super::refusal::ElbRefusal;
use super::target::{CheckOutcome, Health, Target, TargetKey, TargetPhase, Thresholds};
use crate::names::{GroupArn, InstanceId, RuleArn};

/// How the load balancer behaves.
#[derive(Debug, Clone)]
pub(crate) struct BalancerSettings {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) listener_arn: String,
    pub(crate) check_interval: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) check_path: String,
    pub(crate) thresholds: Thresholds,
    pub(crate) at_delay_end: AtDelayEnd,
    pub(crate) when_unhealthy: WhenUnhealthy,
    /// Targets in one group, and in all groups that the load balancer sends to.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>
    pub(crate) targets_max: usize,
}

/// What becomes of sockets that still live when a target's deregistration delay ends.
///
/// The ALB guide does not say it for websockets. Elastic Load Balancing's general text, and what people
/// report, say that they are closed by force, and that is the harder case for a release, so it is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtDelayEnd {
    /// Both sides are closed.
    Close,
    /// They live on until somebody else ends them.
    Keep,
}

/// What becomes of live sockets when their target turns unhealthy.
///
/// The ALB guide does not say it, and reports contradict each other. A load balancer that closed them would
/// throw people out whose server may still serve them, so keeping them is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnhealthy {
    /// Both sides are closed.
    Close,
    /// They live on; only new requests go elsewhere.
    Keep,
}

/// The load balancer.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) settings: BalancerSettings,
    pub(crate) port: u16,
    pub(crate) created_at: At,
    pub(crate) default: Forward,
    /// By priority.
    pub(crate) rules: BTreeMap<u32, Rule>,
    pub(crate) groups: BTreeMap<GroupArn, Group>,
    registrations: u64,
    /// How late a registration shows.
    pub(super) lag: Duration,
    pub(super) effects: Vec<Effect>,
}

/// A health check that is to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) group: GroupArn,
    pub(crate) target: TargetKey,
    pub(crate) registration: u64,
    pub(crate) run: u32,
    pub(crate) address: SocketAddrV4,
}

impl Balancer {
    pub(crate) fn new(
        settings: BalancerSettings,
        port: u16,
        groups: Vec<Group>,
        default: Forward,
        created_at: At,
    ) -> Self {
        let groups = groups.into_iter().map(|g| (g.arn.clone(), g)).collect();
        let (rules, lag, effects) = (BTreeMap::new(), Duration::ZERO, Vec::new());
        let registrations = 0;
        let mut new =
            Self { settings, port, created_at, default, rules, groups, registrations, lag, effects };
        new.mark_uses(created_at);
        new
    }

    pub(crate) fn add_rule(&mut self, rule: Rule, now: At) {
        self.rules.insert(rule.priority, rule);
        self.mark_uses(now);
    }

    pub(crate) fn group(&self, arn: &GroupArn) -> Result<&Group, ElbRefusal> {
        self.groups.get(arn).ok_or(ElbRefusal::GroupNotFound)
    }

    /// Registers targets; all or nothing.
    pub(crate) fn register(
        &mut self,
        cloud: &Cloud,
        arn: &GroupArn,
        targets: &[(InstanceId, Option<u16>)],
        now: At,
    ) -> Result<(), ElbRefusal> {
        if !self.groups.contains_key(arn) {
            return Err(ElbRefusal::GroupNotFound);
        }
        let runs = runs_of(cloud, targets)?;
        self.registrations = self.registrations.saturating_add(1);
        let (registration, lag) = (self.registrations, self.lag);
        let elsewhere = self.targets_beside(arn);
        let group = self.groups.get_mut(arn).ok_or(ElbRefusal::GroupNotFound)?;
        let keys: BTreeSet<_> = targets.iter().map(|(i, port)| key(group, i, *port)).collect();
        let fresh = keys.iter().filter(|key| !group.targets.contains_key(*key)).count();
        let (here, max) = (group.targets.len().saturating_add(fresh), self.settings.targets_max);
        for (per, count) in [("target group", here), ("load balancer", here.saturating_add(elsewhere))] {
            if count > max {
                return Err(ElbRefusal::TooManyTargets { per, max });
            }
        }
        for key in keys {
            let run = runs.get(&key.instance).copied().unwrap_or_default();
            group.register(key, Target::registered(registration, run, now).known_after(lag, now));
        }
        Ok(())
    }

    /// The targets of the other groups that the load balancer sends to; none when this one is not among them.
    fn targets_beside(&self, arn: &GroupArn) -> usize {
        if !self.in_use(arn) {
            return 0;
        }
        let others = self.groups.values().filter(|g| g.arn != *arn && g.use_ == GroupUse::InUse);
        others.map(|g| g.targets.len()).sum()
    }

    /// Begins to drain targets. Without a port the group's own is meant: one that is registered on another port stays
    /// in. A target that is not registered is no error.
    pub(crate) fn deregister(
        &mut self,
        arn: &GroupArn,
        targets: &[(InstanceId, Option<u16>)],
        now: At,
    ) -> Result<(), ElbRefusal> {
        let group = self.groups.get_mut(arn).ok_or(ElbRefusal::GroupNotFound)?;
        for (instance, port) in targets {
            let key = key(group, instance, *port);
            group.deregister(&key, now);
        }
        Ok(())
    }

    /// Replaces the listener's default action.
    pub(crate) fn modify_default(&mut self, forward: Forward, now: At) -> Result<(), ElbRefusal> {
        self.check_groups(&forward)?;
        self.default = forward;
        self.mark_uses(now);
        Ok(())
    }

    /// Replaces a rule's action, its conditions, or both.
    pub(crate) fn modify_rule(
        &mut self,
        arn: &RuleArn,
        forward: Option<Forward>,
        conditions: Option<Vec<QueryCondition>>,
        now: At,
    ) -> Result<&Rule, ElbRefusal> {
        if let Some(forward) = &forward {
            self.check_groups(forward)?;
        }
        let priority = self.rules.values().find(|r| r.arn == *arn).map(|r| r.priority);
        let priority = priority.ok_or(ElbRefusal::RuleNotFound)?;
        if let Some(rule) = self.rules.get_mut(&priority) {
            rule.forward = forward.unwrap_or_else(|| rule.forward.clone());
            rule.conditions = conditions.unwrap_or_else(|| rule.conditions.clone());
        }
        self.mark_uses(now);
        self.rules.get(&priority).ok_or(ElbRefusal::RuleNotFound)
    }

    fn check_groups(&self, forward: &Forward) -> Result<(), ElbRefusal> {
        let known = forward.groups().iter().all(|w| self.groups.contains_key(&w.group));
        if known { Ok(()) } else { Err(ElbRefusal::GroupNotFound) }
    }

    /// A group that comes into use begins its health checks anew.
    fn mark_uses(&mut self, now: At) {
        let forwards = self.rules.values().map(|r| &r.forward).chain([&self.default]);
        let named: BTreeSet<_> = forwards.flat_map(|f| f.groups().iter().map(|w| w.group.clone())).collect();
        for group in self.groups.values_mut() {
            let now_used = if named.contains(&group.arn) { GroupUse::InUse } else { GroupUse::NotInUse };
            if group.use_ == GroupUse::NotInUse && now_used == GroupUse::InUse {
                group.targets.values_mut().for_each(|target| restart(target, target.run, now));
            }
            group.use_ = now_used;
        }
    }

    /// Whether a listener or rule names a group.
    pub(crate) fn in_use(&self, arn: &GroupArn) -> bool {
        self.groups.get(arn).is_some_and(|g| g.use_ == GroupUse::InUse)
    }

    /// The health checks that are due, each handed out once.
    pub(crate) fn due_checks(&mut self, cloud: &Cloud, now: At) -> Vec<Check> {
        let interval = self.settings.check_interval;
        let mut checks = Vec::new();
        for group in self.groups.values_mut().filter(|g| g.use_ == GroupUse::InUse) {
            for (key, target) in &mut group.targets {
                let Some((run, address)) = running(cloud, key) else { continue };
                if target.run != run {
                    restart(target, run, now);
                }
                let TargetPhase::Registered(health) = target.phase else { continue };
                if target.check_in_flight || target.next_check > now {
                    continue;
                }
                target.check_in_flight = true;
                target.next_check = now.plus(interval);
                if health == Health::Registering {
                    target.phase = TargetPhase::Registered(Health::Initial { fails: 0 });
                }
                let address = SocketAddrV4::new(address, key.port);
                let (group, target_key) = (group.arn.clone(), key.clone());
                let registration = target.registration;
                checks.push(Check { group, target: target_key, registration, run, address });
            }
        }
        checks
    }

    /// Takes the outcome of a check. One that belongs to an earlier registration or run is ignored.
    pub(crate) fn checked(&mut self, check: &Check, outcome: CheckOutcome) {
        let thresholds = self.settings.thresholds;
        let target = self.groups.get_mut(&check.group).and_then(|g| g.targets.get_mut(&check.target));
        let Some(target) = target else { return };
        if target.registration != check.registration || target.run != check.run {
            return;
        }
        target.check_in_flight = false;
        let TargetPhase::Registered(before) = target.phase else { return };
        let after = before.after(outcome, thresholds);
        target.phase = TargetPhase::Registered(after);
        let fell = !matches!(before, Health::Unhealthy { .. }) && matches!(after, Health::Unhealthy { .. });
        if fell && self.settings.when_unhealthy == WhenUnhealthy::Close {
            self.effects.push(Effect::Cut { group: check.group.clone(), target: check.target.clone() });
        }
    }

    pub(crate) fn next_due(&self) -> Option<At> {
        self.groups.values().filter_map(Group::next_due).min()
    }

    /// Lets time pass: targets that have drained are gone, and so are those whose instance is terminated.
    pub(crate) fn advance(&mut self, cloud: &Cloud, now: At) {
        for group in self.groups.values_mut() {
            group.show(now);
            for target in group.drained(now) {
                if self.settings.at_delay_end == AtDelayEnd::Close {
                    self.effects.push(Effect::Cut { group: group.arn.clone(), target });
                }
            }
            group.targets.retain(|key, _| {
                cloud.instance(&key.instance).is_some_and(|i| i.state() != InstanceState::Terminated)
            });
        }
    }
}

fn key(group: &Group, instance: &InstanceId, port: Option<u16>) -> TargetKey {
    TargetKey { instance: instance.clone(), port: port.unwrap_or(group.port) }
}

fn restart(target: &mut Target, run: u32, now: At) {
    if let TargetPhase::Registered(_) = target.phase {
        *target = Target::registered(target.registration, run, now);
    }
}

fn running(cloud: &Cloud, key: &TargetKey) -> Option<(u32, Ipv4Addr)> {
    let instance = cloud.instance(&key.instance)?;
    (instance.state() == InstanceState::Running).then_some((instance.run, instance.address))
}

fn runs_of(
    cloud: &Cloud,
    targets: &[(InstanceId, Option<u16>)],
) -> Result<BTreeMap<InstanceId, u32>, ElbRefusal> {
    let mut runs = BTreeMap::new();
    let mut idle = Vec::new();
    for (id, _) in targets {
        let instance = cloud.instance(id);
        let instance =
            instance.ok_or_else(|| ElbRefusal::InvalidTarget(format!("Instance ID '{id}' is not valid")))?;
        if instance.state() != InstanceState::Running {
            idle.push(format!("'{id}'"));
        }
        runs.insert(id.clone(), instance.run);
    }
    if idle.is_empty() {
        return Ok(runs);
    }
    let list = idle.join(", ");
    let text = format!("The following targets are not in a running state and cannot be registered: {list}");
    Err(ElbRefusal::InvalidTarget(text))
}
