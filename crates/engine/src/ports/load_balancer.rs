//! Who is sent where.

use async_trait::async_trait;
use segue_domain::ids::{ForwardArn, GroupArn, InstanceId};
use segue_domain::target::{Targets, Weights};

use super::CallError;

/// ELBv2, as far as a release needs it. It creates nothing: groups and rules are there before.
#[async_trait]
pub trait LoadBalancer: Send + Sync {
    /// Every registered target of a group with its health; draining ones too.
    async fn targets(&self, group: &GroupArn) -> Result<Targets, CallError>;

    async fn register(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError>;

    /// On whatever port they are registered. Taking out one that is not in is success.
    async fn deregister(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError>;

    async fn weights(&self, forward: &ForwardArn) -> Result<Weights, CallError>;

    /// Replaces the shares of the one weighted forward; everything else of the action stays.
    async fn set_weights(&self, forward: &ForwardArn, weights: &Weights) -> Result<(), CallError>;
}
