//! The engine's cloud: EC2. One line for each method; the work is in the modules beside this one.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, InstanceId, ServiceName, SubnetId, TemplateId};
use segue_domain::instance::{Image, Instance};
use segue_domain::stranger::Stranger;
use segue_engine::ports::{CallError, Cloud, ImageQuery};

use crate::calls::Calls;
use crate::{images, instances, launch, lifecycle, places, strangers};

/// Results that one page of a listing asks for: the most that EC2 gives.
pub(crate) const PAGE: i32 = 1000;
/// Pages after which a listing is given up: a hundred thousand of anything is not one service.
pub(crate) const PAGES_MAX: usize = 100;

/// One region's EC2.
#[derive(Debug)]
pub(crate) struct Ec2 {
    pub(crate) client: Client,
    /// For listings: its calls may take longer.
    pub(crate) listing_client: Client,
    /// Whose launch tokens they are.
    pub(crate) origin: String,
    pub(crate) calls: Calls,
}

#[async_trait]
impl Cloud for Ec2 {
    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CallError> {
        images::available(self, query).await
    }

    async fn instances(&self, service: &ServiceName) -> Result<BTreeMap<InstanceId, Instance>, CallError> {
        instances::of_service(self, service).await
    }

    async fn strangers(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, Stranger>, CallError> {
        strangers::look_at(self, instances).await
    }

    async fn free_addresses(&self, subnets: &[SubnetId]) -> Result<BTreeMap<SubnetId, u64>, CallError> {
        places::free_addresses(self, subnets).await
    }

    async fn template_exists(&self, template: &TemplateId) -> Result<bool, CallError> {
        places::template_exists(self, template).await
    }

    async fn launch(&self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError> {
        launch::batch(self, id, batch).await
    }

    async fn start(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        lifecycle::start(self, instances).await
    }

    async fn stop(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        lifecycle::stop(self, instances).await
    }

    async fn terminate(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        lifecycle::terminate(self, instances).await
    }

    async fn tag(&self, instances: &[InstanceId], tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        strangers::tag(self, instances, tags).await
    }
}

/// The token of the next page; AWS also ends a listing with an empty one.
pub(crate) fn next_page(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

pub(crate) fn endless(call: &str) -> CallError {
    CallError::bug(format!("{call} was given up after {PAGES_MAX} pages of {PAGE}"))
}
