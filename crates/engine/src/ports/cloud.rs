//! Machines and their images.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, InstanceId, ServiceName, SubnetId, TemplateId};
use segue_domain::instance::{Image, Instance};
use segue_domain::stranger::Stranger;

use super::CallError;

/// EC2, as far as a release needs it.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Every image that carries the query's tags and is available, newest first.
    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CallError>;

    /// Every instance that carries the service's tag, terminated ones while EC2 still lists them. All pages.
    async fn instances(&self, service: &ServiceName) -> Result<BTreeMap<InstanceId, Instance>, CallError>;

    /// These instances, whoever launched them, with all their tags and with what their AMIs say. One that EC2 does
    /// not list is left out.
    async fn strangers(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, Stranger>, CallError>;

    /// Free addresses of each subnet.
    async fn free_addresses(&self, subnets: &[SubnetId]) -> Result<BTreeMap<SubnetId, u64>, CallError>;

    /// Whether the launch template exists.
    async fn template_exists(&self, template: &TemplateId) -> Result<bool, CallError>;

    /// Launches one batch, all or as many as there is room for. `id` is the idempotency key: the same id brings
    /// the same instances, and refuses other parameters. Whatever is known to have launched nothing is a refusal, also
    /// where the request was nonsense: what is unknown is asked for again under the same id until it is known.
    async fn launch(&self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError>;

    async fn start(&self, instances: &[InstanceId]) -> Result<(), CallError>;

    async fn stop(&self, instances: &[InstanceId]) -> Result<(), CallError>;

    async fn terminate(&self, instances: &[InstanceId]) -> Result<(), CallError>;

    /// Writes these tags on each of them; others that they carry stay. Written again they change nothing.
    async fn tag(&self, instances: &[InstanceId], tags: &BTreeMap<String, String>) -> Result<(), CallError>;
}

/// Which images belong to a service: an owner (`self`) and tags they must carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageQuery {
    pub owner: String,
    pub tags: BTreeMap<String, String>,
}
