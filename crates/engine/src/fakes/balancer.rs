//! ELBv2 of the small world.

use async_trait::async_trait;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::instance::InstanceState;
use segue_domain::service::Balancer;
use segue_domain::target::{TargetHealth, Targets, Weights};

use super::app::App;
use super::state::{Registration, State};
use super::{FakePort, Method};
use crate::ports::{CallError, LoadBalancer};

/// From registration, or the first answer, to healthy.
pub(super) const CHECKS_MS: u64 = 1_000;
/// The deregistration delay.
const DRAIN_MS: u64 = 1_000;

#[async_trait]
impl LoadBalancer for FakePort {
    async fn targets(&self, group: &GroupArn) -> Result<Targets, CallError> {
        let now_ms = self.world.now_ms();
        self.world.now().readings.asked(group, now_ms);
        let told = self
            .call(Method::Targets, |state| {
                let targets = state.groups.get(group).ok_or_else(|| no_group(group))?;
                let health =
                    |(id, target): (&InstanceId, &Registration)| (id.clone(), state.health(id, *target));
                Ok(targets.iter().map(health).collect())
            })
            .await;
        if told.is_ok() {
            self.world.now().readings.answered(group);
        }
        told
    }

    async fn register(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        let (group, instances) = (group.clone(), instances.to_vec());
        self.change(Method::Register, move |state| {
            let now_ms = state.now_ms;
            let targets = state.groups.get_mut(&group).ok_or_else(|| no_group(&group))?;
            for id in &instances {
                let fresh = Registration { since_ms: now_ms, drained_at_ms: None };
                let target = targets.entry(id.clone()).or_insert(fresh);
                if target.drained_at_ms.is_some() {
                    *target = fresh;
                }
                if let Some(machine) = state.machines.get_mut(id) {
                    machine.was_registered = true;
                }
            }
            state.watch_slots();
            state.watch_balancers(&instances);
            state.watch_readiness(&group, &instances);
            Ok(())
        })
        .await
    }

    async fn deregister(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        let (group, instances) = (group.clone(), instances.to_vec());
        self.change(Method::Deregister, move |state| {
            let gone_at = state.now_ms + DRAIN_MS;
            let led_before = state.led_somewhere();
            let targets = state.groups.get_mut(&group).ok_or_else(|| no_group(&group))?;
            for (_, target) in targets.iter_mut().filter(|(id, _)| instances.contains(id)) {
                target.drained_at_ms.get_or_insert(gone_at);
            }
            state.watch_the_leave(&instances);
            state.watch_who_was_led(&led_before, "somebody was taken out of a group");
            // Who is dead serves nobody: nothing is taken away with it, however few the others are.
            if instances.iter().any(|id| !state.is_dead(id)) {
                state.watch_capacity("somebody was taken out of a group");
            }
            Ok(())
        })
        .await
    }

    async fn weights(&self, forward: &ForwardArn) -> Result<Weights, CallError> {
        self.call(Method::Weights, |state| {
            let own = state.balancer(forward)?.forwarded();
            Ok(own.filter_map(|group| Some((group.clone(), *state.weights.get(group)?))).collect())
        })
        .await
    }

    async fn set_weights(&self, forward: &ForwardArn, weights: &Weights) -> Result<(), CallError> {
        let (forward, weights) = (forward.clone(), weights.clone());
        self.change(Method::SetWeights, move |state| {
            let balancer = state.balancer(&forward)?;
            if let Some(group) = weights.keys().find(|group| !balancer.forwarded().any(|it| it == *group)) {
                return Err(CallError::refused(format!("the rule {forward} has no group {group}")));
            }
            let (able_before, led_before) = (state.able(None), state.led_somewhere());
            state.weights.extend(weights);
            // Where more serve than before nobody was taken away, however few they are.
            if state.able(None) <= able_before {
                state.watch_capacity_of_shares(&forward);
            }
            state.watch_shares_of_nobody(&forward);
            state.watch_who_was_led(&led_before, "the shares were changed");
            Ok(())
        })
        .await
    }
}

impl Registration {
    /// When it is healthy, as long as its process answers.
    pub(super) fn checked_at_ms(self, app: &App) -> u64 {
        self.since_ms.max(app.well_since_ms()).saturating_add(CHECKS_MS)
    }
}

impl State {
    fn balancer(&self, forward: &ForwardArn) -> Result<&Balancer, CallError> {
        let found = self.balancers.iter().find(|balancer| balancer.forward == *forward);
        found.ok_or_else(|| CallError::refused(format!("the rule {forward} does not exist")))
    }

    pub(super) fn health(&self, id: &InstanceId, target: Registration) -> TargetHealth {
        if target.drained_at_ms.is_some() {
            return TargetHealth::Draining;
        }
        let Some(machine) = self.machines.get(id) else { return TargetHealth::Unused };
        match (machine.instance.state, &machine.app) {
            (InstanceState::Running, Some(app)) => {
                let first_check_ms = target.since_ms.max(app.started_at_ms).saturating_add(CHECKS_MS);
                if self.now_ms >= target.checked_at_ms(app) {
                    TargetHealth::Healthy
                } else if self.now_ms >= first_check_ms {
                    TargetHealth::Unhealthy
                } else {
                    TargetHealth::Initial
                }
            }
            (InstanceState::Running, None) => TargetHealth::Unhealthy,
            (
                InstanceState::Pending
                | InstanceState::Stopping
                | InstanceState::Stopped
                | InstanceState::ShuttingDown
                | InstanceState::Terminated,
                _,
            ) => TargetHealth::Unused,
        }
    }
}

fn no_group(group: &GroupArn) -> CallError {
    CallError::refused(format!("the target group {group} does not exist"))
}
