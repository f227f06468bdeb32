//! What the metrics system counts.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use segue_domain::app::BoardCount;
use segue_domain::event::Vital;
use segue_domain::ids::InstanceId;
use segue_domain::reading::Reading;

/// Prometheus, as far as a release needs it. It never fails as a whole: what could not be read is unknown,
/// one by one, and every instance that was asked for is in the answer.
#[async_trait]
pub trait BoardMetrics: Send + Sync {
    async fn boards(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BoardCount>;

    /// Error counter and process start.
    async fn vitals(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Reading<Vital>>;
}
