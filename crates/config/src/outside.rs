//! The outside systems that every service shares: `[aws]`, `[prometheus]` and `[handover]`.
//!
//! Credentials of AWS are not here: the SDK finds them by its own chain (instance role, profile,
//! environment), as every tool of the account does.

use secrecy::SecretString;
use segue_engine::Pacing;
use segue_handover::wire::CONTROL_PORT;
use segue_integrations::prometheus::{MetricName, MetricNames};
use url::Url;

use super::secret::{self, Environment};
use super::shape::{self, Shape};
use super::table::Table;

/// `[aws]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsConfig {
    /// Instead of the region's own endpoints; the SDK's `AWS_ENDPOINT_URL` does the same.
    pub endpoint: Option<Url>,
    /// Whether changes at EC2, and all calls at the load balancer, keep to the buckets that AWS publishes.
    pub pacing: Pacing,
}

/// `[prometheus]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusConfig {
    pub url: Url,
    /// Open boards of an instance, its errors, the start of its process.
    pub metrics: MetricNames,
}

/// `[handover]`
#[derive(Debug, Clone)]
pub struct HandoverConfig {
    /// The private port of the instances that serves the control contract.
    pub port: u16,
    /// Shared with the application: it signs every control call.
    pub key: SecretString,
    /// The variable that holds it, if it came from one: no command that is run for a release is given it.
    pub key_variable: Option<String>,
}

impl AwsConfig {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let endpoint = table.optional("endpoint", &shape::http_url("\"http://127.0.0.1:4566\""));
        let pacings = &[("published", Pacing::Published), ("off", Pacing::Off)];
        let pacing = table.or("pacing", Pacing::Published, &shape::word(pacings, "\"published\""));
        table.done();
        Some(Self { endpoint: endpoint.ok()?, pacing: pacing? })
    }
}

impl PrometheusConfig {
    pub(crate) fn read(mut table: Table<'_>) -> Option<Self> {
        let url = table.required("url", &shape::http_url("\"http://prometheus.internal:9090\""));
        let mut metric = |key, default: &str| {
            let default = MetricName::parse(default).expect("the default is a name");
            table.or(key, default, &metric())
        };
        let boards = metric("boards_metric", "rtb_spaces_count");
        let errors = metric("errors_metric", "app_errors_total");
        let started = metric("start_metric", "process_start_time_seconds");
        table.done();
        Some(Self { url: url?, metrics: MetricNames { boards: boards?, errors: errors?, started: started? } })
    }
}

impl HandoverConfig {
    pub(crate) fn read(mut table: Table<'_>, environment: &Environment) -> Option<Self> {
        let port = table.or("port", CONTROL_PORT, &shape::port("9000"));
        let key = secret::required(&mut table, "key_file", "key_env", environment);
        table.done();
        let secret::Found { secret, variable } = key?;
        Some(Self { port: port?, key: secret, key_variable: variable })
    }
}

fn metric() -> Shape<MetricName> {
    Shape::text("the name of a metric", "\"rtb_spaces_count\"", |text| MetricName::parse(text).ok())
}
