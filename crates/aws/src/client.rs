//! Setting the SDK up: region, endpoint, TLS, time limits, no retries.
//!
//! Credentials, profiles and endpoint overrides (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_EC2`, a `services`
//! section of the shared configuration file) are the SDK's own affair and need no code of ours.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use segue_domain::ids::Region;
use segue_engine::ports::{Cloud, LoadBalancer, Permissions};

use crate::balancer::Balancer;
use crate::calls::{CallCounts, Calls};
use crate::ec2::Ec2;
use crate::permissions::Asker;

/// How long one call may take. The operation's limit holds the attempt's one: there is one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) attempt: Duration,
    pub(crate) operation: Duration,
}

/// A healthy call takes well under a second; finding credentials is part of an operation and may take one more.
/// All of it ends before the engine gives the call up: what is given up is neither counted nor explained.
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(4),
};

/// Clients for one region. `endpoint` replaces AWS's addresses and the SDK's own overrides; without one they
/// hold. Nothing is sent yet. Calls are counted in `counts`, which several regions may share. `origin` is what
/// makes this journal's launch tokens its own: AWS remembers a token for longer than a lost journal does.
pub async fn connect(
    region: &Region,
    endpoint: Option<&str>,
    origin: &str,
    counts: &Arc<CallCounts>,
) -> (Arc<dyn Cloud>, Arc<dyn LoadBalancer>) {
    assemble(&loader(region, endpoint, LIMITS).load().await, origin, counts)
}

/// What the credentials may do in one region, asked of the same addresses as [`connect`] speaks to.
pub async fn permissions(
    region: &Region,
    endpoint: Option<&str>,
    counts: &Arc<CallCounts>,
) -> Arc<dyn Permissions> {
    asker(&loader(region, endpoint, LIMITS).load().await, counts)
}

pub(crate) fn loader(region: &Region, endpoint: Option<&str>, limits: Limits) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.operation)
        .build();
    let http = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .http_client(http);
    match endpoint {
        Some(endpoint) => loader.endpoint_url(endpoint),
        None => loader,
    }
}

pub(crate) fn assemble(
    config: &SdkConfig,
    origin: &str,
    counts: &Arc<CallCounts>,
) -> (Arc<dyn Cloud>, Arc<dyn LoadBalancer>) {
    (Arc::new(ec2(config, origin, counts)), Arc::new(balancer(config, counts)))
}

pub(crate) fn asker(config: &SdkConfig, counts: &Arc<CallCounts>) -> Arc<dyn Permissions> {
    // It launches nothing, so it needs no origin of tokens.
    Arc::new(Asker { ec2: ec2(config, "", counts), balancer: balancer(config, counts) })
}

fn ec2(config: &SdkConfig, origin: &str, counts: &Arc<CallCounts>) -> Ec2 {
    Ec2 {
        client: aws_sdk_ec2::Client::new(config),
        origin: origin.to_owned(),
        calls: Calls::new(Arc::clone(counts)),
    }
}

fn balancer(config: &SdkConfig, counts: &Arc<CallCounts>) -> Balancer {
    Balancer {
        client: aws_sdk_elasticloadbalancingv2::Client::new(config),
        calls: Calls::new(Arc::clone(counts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_by_itself_before_the_engine_gives_it_up() {
        let engine = segue_engine::Limits::default();
        assert!(LIMITS.connect < LIMITS.attempt && LIMITS.attempt < LIMITS.operation);
        assert!(LIMITS.operation < engine.read_timeout && LIMITS.operation < engine.write_timeout);
    }
}
