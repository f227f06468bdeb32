//! The laws of the small world that are looked at when a load balancer's shares are changed.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::instance::InstanceState;
use segue_domain::service::Balancer;
use segue_domain::target::TargetHealth;

use super::law::Law;
use super::laws::JUST_NOW_MS;
use super::state::{Registration, State};

/// How the readings of groups went.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// The last one was not answered, or is not yet.
    open: BTreeSet<GroupArn>,
    /// When one was last found to have had no answer.
    missed_ms: BTreeMap<GroupArn, u64>,
}

impl Readings {
    pub(super) fn asked(&mut self, group: &GroupArn, now_ms: u64) {
        if !self.open.insert(group.clone()) {
            self.missed_ms.insert(group.clone(), now_ms);
        }
    }

    pub(super) fn answered(&mut self, group: &GroupArn) {
        self.open.remove(group);
    }

    /// Whoever does something now may not have seen the group.
    fn was_missed(&self, group: &GroupArn, now_ms: u64) -> bool {
        let lately = |missed_ms: &u64| now_ms < missed_ms.saturating_add(JUST_NOW_MS);
        self.open.contains(group) || self.missed_ms.get(group).is_some_and(lately)
    }
}

impl State {
    /// Shares are given to one load balancer after the other. Until all have theirs some have old servers and some new
    /// ones, each of them enough, and what that is together says nothing (decision 0008).
    pub(super) fn watch_capacity_of_shares(&mut self, forward: &ForwardArn) {
        let when = "the shares were changed";
        if self.same_versions_everywhere() {
            self.watch_capacity_of_all(when);
        }
        self.watch_capacity_of_each(when, |balancer| balancer.forward == *forward);
    }

    /// No part of a load balancer's users is led to a group in which nobody is, while others serve, unless a reading of it
    /// failed a moment ago. Where one colour has a share alone, that one is for the capacity's law to judge.
    pub(super) fn watch_shares_of_nobody(&mut self, forward: &ForwardArn) {
        let Some(balancer) = self.balancers.iter().find(|it| it.forward == *forward) else { return };
        // One that runs and is ill gets users all the same where no other is: a load balancer fails open.
        let may_serve = |(id, target): (&InstanceId, &Registration)| {
            let is_up = self.machines.get(id).is_some_and(|it| it.instance.state == InstanceState::Running);
            is_up && self.health(id, *target) != TargetHealth::Draining
        };
        let has_anybody =
            |group: &&GroupArn| self.groups.get(*group).is_some_and(|it| it.iter().any(may_serve));
        let shared: Vec<&GroupArn> = balancer.forwarded().filter(|group| self.has_share(group)).collect();
        let coloured = shared.iter().filter(|group| balancer.colours.contains(*group)).count();
        let is_judged = |group: &&&GroupArn| {
            let is_seen = !self.readings.was_missed(group, self.now_ms);
            is_seen && (coloured > 1 || !balancer.colours.contains(**group))
        };
        let (served, deserted): (Vec<&GroupArn>, Vec<&GroupArn>) =
            shared.iter().partition(|it| has_anybody(it));
        let deserted = deserted.iter().find(is_judged);
        // What lands late was right when it was sent, or is another law's.
        let is_fresh = self.sent_at_ms() == self.now_ms && self.died_unseen_at(Some(balancer)) == 0;
        if let (Some(group), false, true) = (deserted, served.is_empty(), is_fresh) {
            let what = format!("a part of the users of {forward} is led to {group}, where nobody is");
            self.violation(Law::SomebodyServes, what);
        }
    }

    /// Where users are led to somebody now, well or ill: asked before something is done.
    pub(super) fn led_somewhere(&self) -> Vec<bool> {
        self.balancers.iter().map(|balancer| self.led_to(Some(balancer)).next().is_some()).collect()
    }

    /// Users that were led to somebody before are so still. The floors do not say that where all are ill, for then they
    /// ask for nobody.
    pub(super) fn watch_who_was_led(&mut self, before: &[bool], when: &str) {
        let is_promised = |place| self.promised.floors.at(place) > 0;
        let lost = self.balancers.iter().enumerate().zip(before).find(|((place, balancer), was_led)| {
            let is_led = self.led_to(Some(balancer)).next().is_some();
            **was_led && !is_led && is_promised(*place) && self.died_unseen_at(Some(balancer)) == 0
        });
        let Some(((_, balancer), _)) = lost.filter(|_| !self.lands_late() && self.users.are_there()) else {
            return;
        };
        let what = format!("{when}: nobody is left to whom the users of {} are led", balancer.forward);
        self.violation(Law::SomebodyServes, what);
    }

    pub(super) fn has_share(&self, group: &GroupArn) -> bool {
        self.weights.get(group).is_some_and(|share| *share > 0)
    }

    /// Users are led to servers of the same versions at each load balancer where any colour has a share. Which colour the
    /// old ones have differs from one to the next. Where somebody else's version is left at one of them, or nobody is, only
    /// each by itself is looked at.
    fn same_versions_everywhere(&self) -> bool {
        let versions_at = |balancer: &Balancer| {
            let shared = self.shared_in(|group| balancer.colours.contains(group));
            let staying = shared.filter(|(_, target)| target.drained_at_ms.is_none());
            let machines = staying.filter_map(|(id, _)| self.machines.get(id));
            let running = machines.filter(|it| it.instance.state == InstanceState::Running);
            running.map(|machine| &machine.instance.version).collect::<BTreeSet<_>>()
        };
        let leads = |balancer: &&Balancer| balancer.colours.iter().any(|group| self.has_share(group));
        let leading = self.balancers.iter().filter(leads);
        let mut versions = leading.map(versions_at);
        let first = versions.next();
        versions.all(|others| Some(others) == first)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::fakes::FakeWorld;

    #[tokio::test(start_paused = true)]
    async fn a_share_for_a_group_where_nobody_is_leads_users_to_nobody() {
        let world = FakeWorld::with_spread_fleet_at(2, 4, 4);
        let (forward, canary) = {
            let state = world.now();
            let balancer = state.balancers.first().expect("there are two");
            (balancer.forward.clone(), balancer.canaries.first().cloned().expect("it has canaries"))
        };
        tokio::time::sleep(Duration::from_secs(30)).await;
        world.now().watch_shares_of_nobody(&forward);
        assert_eq!(world.violations(), Vec::<String>::new());
        world.now().weights.insert(canary, 1);
        world.now().watch_shares_of_nobody(&forward);
        let told = world.violations().join("; ");
        assert!(told.contains("where nobody is"), "{told}");
    }
}
