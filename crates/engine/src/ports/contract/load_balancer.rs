//! What every [`LoadBalancer`] must do.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::target::TargetHealth;

use super::{Case, cases, eventually};
use crate::ports::{Class, LoadBalancer};

/// A forward, and an instance that answers health checks.
#[derive(Debug, Clone)]
pub struct LoadBalancerFixture {
    pub forward: ForwardArn,
    /// In the forward, and empty.
    pub group: GroupArn,
    /// One that does not exist, with a well-formed name.
    pub no_group: GroupArn,
    /// Runs and is healthy; in no group.
    pub instance: InstanceId,
    pub patience: Duration,
}

/// Everything that is tried.
pub const LOAD_BALANCER: &[Case<dyn LoadBalancer, LoadBalancerFixture>] = cases![
    a_target_comes_and_goes,
    one_that_is_not_in_can_be_taken_out,
    shares_are_replaced_as_a_whole,
    a_group_that_is_not_there_is_refused,
];

/// Runs the whole suite.
pub async fn load_balancer(balancer: Arc<dyn LoadBalancer>, fixture: LoadBalancerFixture) {
    for case in LOAD_BALANCER {
        (case.holds)(Arc::clone(&balancer), fixture.clone()).await;
    }
}

async fn a_target_comes_and_goes(balancer: &dyn LoadBalancer, fixture: &LoadBalancerFixture) {
    let (group, ids) = (&fixture.group, std::slice::from_ref(&fixture.instance));
    balancer.register(group, ids).await.expect("a target is registered");
    balancer.register(group, ids).await.expect("and registered again");
    let health = || async { balancer.targets(group).await.ok()?.get(&fixture.instance).copied() };
    eventually("a healthy target", fixture.patience, || async {
        health().await == Some(TargetHealth::Healthy)
    })
    .await;
    balancer.deregister(group, ids).await.expect("a target is taken out");
    let after = health().await;
    assert!(matches!(after, None | Some(TargetHealth::Draining)), "a target that was taken out is {after:?}");
    eventually("an empty group", fixture.patience, || async { health().await.is_none() }).await;
}

async fn one_that_is_not_in_can_be_taken_out(balancer: &dyn LoadBalancer, fixture: &LoadBalancerFixture) {
    let (group, ids) = (&fixture.group, std::slice::from_ref(&fixture.instance));
    balancer.deregister(group, ids).await.expect("taking out one that is not in is success");
}

async fn shares_are_replaced_as_a_whole(balancer: &dyn LoadBalancer, fixture: &LoadBalancerFixture) {
    let before = balancer.weights(&fixture.forward).await.expect("shares are read");
    assert!(before.contains_key(&fixture.group), "the group is in the forward: {before:?}");
    let mut shares = before.clone();
    shares.insert(fixture.group.clone(), 7);
    balancer.set_weights(&fixture.forward, &shares).await.expect("shares are set");
    eventually("the new shares", fixture.patience, || async {
        balancer.weights(&fixture.forward).await.is_ok_and(|now| now == shares)
    })
    .await;
    balancer.set_weights(&fixture.forward, &before).await.expect("shares are set back");
    eventually("the old shares", fixture.patience, || async {
        balancer.weights(&fixture.forward).await.is_ok_and(|now| now == before)
    })
    .await;
}

async fn a_group_that_is_not_there_is_refused(balancer: &dyn LoadBalancer, fixture: &LoadBalancerFixture) {
    let ids = std::slice::from_ref(&fixture.instance);
    let listed = balancer.targets(&fixture.no_group).await.map_err(|error| error.class);
    assert_eq!(listed, Err(Class::Refused));
    let registered = balancer.register(&fixture.no_group, ids).await.map_err(|error| error.class);
    assert_eq!(registered, Err(Class::Refused));
}
