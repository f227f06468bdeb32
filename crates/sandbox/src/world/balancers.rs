//! The load balancers, of which there is always one. Each has groups of its own: a group belongs to one only.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>

use std::time::Duration;

use super::at::At;
use super::balancer::{Balancer, Check};
use super::cloud::Cloud;
use super::effect::Effect;
use super::forward::{Forward, QueryCondition, Rule};
use super::group::Group;
use super::refusal::ElbRefusal;
use super::target::CheckOutcome;
use crate::names::{GroupArn, InstanceId, RuleArn};

/// All of them, in order.
#[derive(Debug)]
pub(crate) struct Balancers {
    pub(crate) first: Balancer,
    pub(crate) others: Vec<Balancer>,
}

impl Balancers {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Balancer> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Balancer> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// The one that has a group.
    pub(crate) fn of_group(&self, arn: &GroupArn) -> Result<&Balancer, ElbRefusal> {
        self.all().find(|balancer| balancer.groups.contains_key(arn)).ok_or(ElbRefusal::GroupNotFound)
    }

    fn of_group_mut(&mut self, arn: &GroupArn) -> Result<&mut Balancer, ElbRefusal> {
        let found = self.all_mut().find(|balancer| balancer.groups.contains_key(arn));
        found.ok_or(ElbRefusal::GroupNotFound)
    }

    pub(crate) fn group(&self, arn: &GroupArn) -> Result<&Group, ElbRefusal> {
        self.of_group(arn)?.group(arn)
    }

    pub(crate) fn by_arn(&self, arn: &str) -> Result<&Balancer, ElbRefusal> {
        self.all().find(|balancer| balancer.settings.arn == arn).ok_or(ElbRefusal::BalancerNotFound)
    }

    pub(crate) fn by_listener(&self, arn: &str) -> Result<&Balancer, ElbRefusal> {
        let found = self.all().find(|balancer| balancer.settings.listener_arn == arn);
        found.ok_or(ElbRefusal::ListenerNotFound)
    }

    /// Registers targets; all or nothing.
    pub(crate) fn register(
        &mut self,
        cloud: &Cloud,
        arn: &GroupArn,
        targets: &[(InstanceId, Option<u16>)],
        now: At,
    ) -> Result<(), ElbRefusal> {
        self.of_group_mut(arn)?.register(cloud, arn, targets, now)
    }

    /// Begins to drain targets.
    pub(crate) fn deregister(
        &mut self,
        arn: &GroupArn,
        targets: &[(InstanceId, Option<u16>)],
        now: At,
    ) -> Result<(), ElbRefusal> {
        self.of_group_mut(arn)?.deregister(arn, targets, now)
    }

    /// Replaces a listener's default action.
    pub(crate) fn modify_default(
        &mut self,
        listener: &str,
        forward: Forward,
        now: At,
    ) -> Result<&Balancer, ElbRefusal> {
        let arn = self.by_listener(listener)?.settings.arn.clone();
        self.refuse_groups_of_others(&arn, &forward)?;
        let balancer =
            self.all_mut().find(|it| it.settings.arn == arn).ok_or(ElbRefusal::ListenerNotFound)?;
        balancer.modify_default(forward, now)?;
        Ok(balancer)
    }

    /// Replaces a rule's action, its conditions, or both.
    pub(crate) fn modify_rule(
        &mut self,
        rule: &RuleArn,
        forward: Option<Forward>,
        conditions: Option<Vec<QueryCondition>>,
        now: At,
    ) -> Result<&Rule, ElbRefusal> {
        let has_it = |balancer: &Balancer| balancer.rules.values().any(|it| it.arn == *rule);
        let arn = self.all().find(|it| has_it(it)).map(|it| it.settings.arn.clone());
        let arn = arn.ok_or(ElbRefusal::RuleNotFound)?;
        if let Some(forward) = &forward {
            self.refuse_groups_of_others(&arn, forward)?;
        }
        let balancer = self.all_mut().find(|it| it.settings.arn == arn).ok_or(ElbRefusal::RuleNotFound)?;
        balancer.modify_rule(rule, forward, conditions, now)
    }

    fn refuse_groups_of_others(&self, arn: &str, forward: &Forward) -> Result<(), ElbRefusal> {
        let is_of_another = |group: &GroupArn| self.of_group(group).is_ok_and(|it| it.settings.arn != arn);
        let other = forward.groups().iter().find(|weighted| is_of_another(&weighted.group));
        other.map_or(Ok(()), |weighted| Err(ElbRefusal::GroupElsewhere(weighted.group.clone())))
    }

    /// Takes the outcome of a check. The group may be gone, as far as anybody knows.
    pub(super) fn checked(&mut self, check: &Check, outcome: CheckOutcome) {
        if let Ok(balancer) = self.of_group_mut(&check.group) {
            balancer.checked(check, outcome);
        }
    }

    pub(super) fn due_checks(&mut self, cloud: &Cloud, now: At) -> Vec<Check> {
        self.all_mut().flat_map(|balancer| balancer.due_checks(cloud, now)).collect()
    }

    pub(super) fn next_due(&self) -> Option<At> {
        self.all().filter_map(Balancer::next_due).min()
    }

    pub(super) fn advance(&mut self, cloud: &Cloud, now: At) {
        self.all_mut().for_each(|balancer| balancer.advance(cloud, now));
    }

    pub(super) fn show_after(&mut self, lag: Duration) {
        self.all_mut().for_each(|balancer| balancer.lag = lag);
    }

    pub(super) fn have_effects(&self) -> bool {
        self.all().any(|balancer| !balancer.effects.is_empty())
    }

    pub(super) fn take_effects(&mut self) -> impl Iterator<Item = Effect> {
        self.all_mut().flat_map(|balancer| std::mem::take(&mut balancer.effects))
    }

    /// The one at a place; the first where there is none there.
    pub(super) fn at_mut(&mut self, place: usize) -> &mut Balancer {
        match place.checked_sub(1).and_then(|other| self.others.get_mut(other)) {
            Some(balancer) => balancer,
            None => &mut self.first,
        }
    }
}
