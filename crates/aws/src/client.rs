//! Setting the SDK up: region, endpoint, TLS, time limits, no retries.
//!
//! Where credentials come from, profiles and endpoint overrides (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_EC2`, a
//! `services` section of the shared configuration file) are the SDK's own affair and need no code of ours; when
//! credentials are fetched is ours (`credentials`).

use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use segue_domain::ids::Region;
use segue_engine::ports::{Cloud, LoadBalancer, Permissions};

use crate::balancer::Balancer;
use crate::calls::{CallCounts, Calls};
use crate::credentials::Keeper;
use crate::ec2::Ec2;
use crate::permissions::Asker;

/// How long one call may take. The operation's limit holds the attempt's one: there is one attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A part of the attempt: for credentials that are still being fetched.
    pub(crate) credentials: Duration,
    pub(crate) connect: Duration,
    pub(crate) attempt: Duration,
    /// The attempt of one page of a listing: a thousand instances with all their tags are megabytes.
    pub(crate) page: Duration,
    /// From an attempt's limit to its operation's.
    pub(crate) spare: Duration,
}

/// A healthy call takes well under a second, and a look that takes longer than a page may is too old to be acted on.
/// All of it ends before the engine gives the call up: what is given up is neither counted nor explained.
pub(crate) const LIMITS: Limits = Limits {
    credentials: Duration::from_secs(1),
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(3),
    page: Duration::from_secs(10),
    spare: Duration::from_secs(1),
};

impl Limits {
    fn timeouts(self, attempt: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(attempt)
            .operation_timeout(attempt + self.spare)
            .build()
    }
}

/// Clients for one region. `endpoint` replaces AWS's addresses and the SDK's own overrides; without one they
/// hold. Nothing is sent to AWS yet; credentials begin to be fetched. Calls are counted in `counts`, which several
/// regions may share. `origin` is what makes this journal's launch tokens its own: AWS remembers a token for longer than
/// a lost journal does.
pub async fn connect(
    region: &Region,
    endpoint: Option<&str>,
    origin: &str,
    counts: &Arc<CallCounts>,
) -> (Arc<dyn Cloud>, Arc<dyn LoadBalancer>) {
    let (config, keeper) = configured(loader(region, endpoint, LIMITS), LIMITS).await;
    keeper.iter().for_each(Keeper::begin);
    assemble(&config, LIMITS, origin, counts)
}

/// What the credentials may do in one region, asked of the same addresses as [`connect`] speaks to. Whoever asks wants
/// to know of credentials: they are waited for, as long as it takes to get them or to be refused them.
pub async fn permissions(
    region: &Region,
    endpoint: Option<&str>,
    counts: &Arc<CallCounts>,
) -> Arc<dyn Permissions> {
    let (config, keeper) = configured(loader(region, endpoint, LIMITS), LIMITS).await;
    if let Some(keeper) = keeper {
        keeper.fetch().await;
    }
    asker(&config, LIMITS, counts)
}

pub(crate) fn loader(region: &Region, endpoint: Option<&str>, limits: Limits) -> ConfigLoader {
    let http = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(limits.timeouts(limits.attempt))
        // Credentials have a keeper, and one who keeps them is enough.
        .identity_cache(IdentityCache::no_cache())
        .http_client(http);
    match endpoint {
        Some(endpoint) => loader.endpoint_url(endpoint),
        None => loader,
    }
}

/// The settings, in which whatever gives credentials has its keeper.
pub(crate) async fn configured(loader: ConfigLoader, limits: Limits) -> (SdkConfig, Option<Keeper>) {
    let config = loader.load().await;
    let Some(source) = config.credentials_provider() else { return (config, None) };
    let keeper = Keeper::new(source, limits.credentials);
    let kept = SharedCredentialsProvider::new(keeper.clone());
    (config.into_builder().credentials_provider(kept).build(), Some(keeper))
}

pub(crate) fn assemble(
    config: &SdkConfig,
    limits: Limits,
    origin: &str,
    counts: &Arc<CallCounts>,
) -> (Arc<dyn Cloud>, Arc<dyn LoadBalancer>) {
    (Arc::new(ec2(config, limits, origin, counts)), Arc::new(balancer(config, counts)))
}

pub(crate) fn asker(config: &SdkConfig, limits: Limits, counts: &Arc<CallCounts>) -> Arc<dyn Permissions> {
    // It launches nothing, so it needs no origin of tokens.
    Arc::new(Asker { ec2: ec2(config, limits, "", counts), balancer: balancer(config, counts) })
}

fn ec2(config: &SdkConfig, limits: Limits, origin: &str, counts: &Arc<CallCounts>) -> Ec2 {
    let patient = aws_sdk_ec2::config::Builder::from(config).timeout_config(limits.timeouts(limits.page));
    Ec2 {
        client: aws_sdk_ec2::Client::new(config),
        listing_client: aws_sdk_ec2::Client::from_conf(patient.build()),
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
    use crate::calls::TURN_WITHIN;

    #[test]
    fn a_call_ends_by_itself_before_the_engine_gives_it_up() {
        let engine = segue_engine::Limits::default();
        assert!(LIMITS.credentials + LIMITS.connect <= LIMITS.attempt && LIMITS.attempt <= LIMITS.page);
        let operation = LIMITS.attempt + LIMITS.spare;
        assert!(operation < engine.read_timeout && TURN_WITHIN + operation < engine.write_timeout);
        assert!(LIMITS.page + LIMITS.spare < engine.list_timeout);
    }
}
