//! Open boards and vital signs of instances, as Prometheus counts them.
//!
//! Three queries: how old the samples are and whether Prometheus reaches the servers at all, then the values of the
//! moment that the ages are of. In that order, because a scrape may be taken in between them: then a new value is
//! called old, which costs a look; an old zero called new would cost a server with boards. That moment is Prometheus'
//! own word: asked with the time of a machine whose clock was set back, it answers with old samples as if they were
//! new. (A sample with a timestamp of its own stays visible for minutes after its server died.) Only an answer without
//! any doubt is a number; everything else is unknown, each doubt with its own reason, never zero. There is deliberately
//! no `or vector(0)`, no sum and no maximum: they turn "no sample" into "no boards", and two series into one.

mod answer;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod metric;
mod query;
mod readings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use segue_domain::app::BoardCount;
use segue_domain::event::Vital;
use segue_domain::ids::InstanceId;
use segue_domain::reading::Reading;
use segue_engine::ports::BoardMetrics;
use url::Url;

pub use metric::{BadMetricName, MetricName};

use readings::{Answers, Column};

/// Instances in one query: a query stays below ten kilobytes.
const CHUNK: usize = 200;
/// Chunks, of three queries each, that may be under way at one time.
const AT_ONCE: usize = 4;

/// Which metrics of the application say what. Each has the label `instance_id` and one series for each instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricNames {
    /// Gauge: boards that the instance owns and serves.
    pub boards: MetricName,
    /// Counter: its errors since it started.
    pub errors: MetricName,
    /// Gauge: when its process started, in seconds since 1970.
    pub started: MetricName,
}

/// How long to wait, and how old a number may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    /// One query.
    pub timeout: Duration,
    /// An older sample is no number. Three scrape intervals is a good choice.
    pub max_age: Duration,
}

/// One Prometheus, or whatever speaks its HTTP API.
pub struct Prometheus {
    http: reqwest::Client,
    endpoint: Url,
    names: MetricNames,
    limits: QueryLimits,
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, names, limits, .. } = self;
        f.debug_struct("Prometheus")
            .field("endpoint", &endpoint.as_str())
            .field("names", names)
            .field("limits", limits)
            .finish()
    }
}

impl Prometheus {
    /// `base` may have a path, as behind a gateway: `https://HOST/prometheus`.
    pub fn new(http: reqwest::Client, base: &Url, names: MetricNames, limits: QueryLimits) -> Self {
        let mut endpoint = base.clone();
        endpoint.set_path(&format!("{}/api/v1/query", base.path().trim_end_matches('/')));
        Self { http, endpoint, names, limits }
    }

    /// One metric of all these instances.
    async fn column(&self, metric: &MetricName, instances: &BTreeSet<InstanceId>) -> Column {
        let ids: Vec<InstanceId> = instances.iter().cloned().collect();
        // Made before they are polled, because a closure inside the stream would have to be as general as it.
        let chunks: Vec<_> = ids.chunks(CHUNK).map(|chunk| self.chunk(metric, chunk)).collect();
        let columns: Vec<Column> = stream::iter(chunks).buffer_unordered(AT_ONCE).collect().await;
        columns.into_iter().flatten().collect()
    }

    /// The values are asked for last, of the moment that the ages are of.
    async fn chunk(&self, metric: &MetricName, ids: &[InstanceId]) -> Column {
        let [value, age, up] = [query::value(metric, ids), query::age(metric, ids), query::up(ids)];
        let (ages, ups) = tokio::join!(self.ask(&age, None), self.ask(&up, None));
        let at = ages.as_ref().ok().and_then(|ages| ages.evaluated_at);
        let values = self.ask(&value, at).await;
        Answers { values, ages, ups }.joined(ids, self.limits.max_age)
    }
}

#[async_trait]
impl BoardMetrics for Prometheus {
    async fn boards(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BoardCount> {
        let boards = self.column(&self.names.boards, instances).await;
        boards.into_iter().map(|(id, reading)| (id, readings::count(reading))).collect()
    }

    async fn vitals(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Reading<Vital>> {
        let (errors, mut started) = tokio::join!(
            self.column(&self.names.errors, instances),
            self.column(&self.names.started, instances),
        );
        errors
            .into_iter()
            .map(|(id, errors)| {
                let started = started.remove(&id);
                (id, readings::vital(errors, started))
            })
            .collect()
    }
}

#[cfg(test)]
mod debian;
#[cfg(test)]
mod tests;
