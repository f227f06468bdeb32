//! The engine's load balancer: ELBv2. One line for each method; the work is in the modules beside this one.

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::Client;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::target::{Targets, Weights};
use segue_engine::ports::{CallError, LoadBalancer};

use crate::calls::Calls;
use crate::{targets, weights};

/// One region's ELBv2.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) client: Client,
    pub(crate) calls: Calls,
}

#[async_trait]
impl LoadBalancer for Balancer {
    async fn targets(&self, group: &GroupArn) -> Result<Targets, CallError> {
        targets::of_group(self, group).await
    }

    async fn register(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        targets::register(self, group, instances).await
    }

    async fn deregister(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        targets::deregister(self, group, instances).await
    }

    async fn weights(&self, forward: &ForwardArn) -> Result<Weights, CallError> {
        weights::read(self, forward).await
    }

    async fn set_weights(&self, forward: &ForwardArn, weights: &Weights) -> Result<(), CallError> {
        weights::write(self, forward, weights).await
    }
}
