//! `segue check`: whether everything that a release needs is there, before any daemon runs.
//!
//! The adapters answer ([`gather`]), pure functions judge what they said ([`judge`]), and what comes out are
//! values. Nothing is changed anywhere: what would change something is asked with EC2's dry run, and what has
//! none is not asked. A secret is never part of a sentence.

mod finding;
mod gather;
mod judge;
mod place;

pub(crate) use place::daemon_at;

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use segue_config::{Config, LoadError, ServiceConfig};
use segue_engine::ports::Clock;
use segue_integrations::system::SystemClock;

use crate::serve;
use crate::start::StartError;

pub use finding::{Check, CheckState};

/// Services that are looked at at one time.
const SERVICES_AT_ONCE: usize = 4;

/// Looks at everything that the configuration names. In the order of docs/check.md, each service after the other.
pub async fn check(file: &Path) -> Vec<Check> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => return vec![unread(error)],
    };
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let read = format!("{} reads well: {}", file.display(), counted(config.services.len(), "service"));
    let mut checks = vec![Check::ok("config", read)];
    let (here, services) = tokio::join!(place::look(&config), all_services(&config));
    checks.extend(here);
    checks.extend(services);
    checks
}

async fn all_services(config: &Config) -> Vec<Check> {
    let http = match segue_integrations::http::client() {
        Ok(http) => http,
        Err(error) => {
            let hint = "see the limits under which it runs: files, memory";
            return vec![Check::fail("prometheus", format!("no HTTP client can be made: {error}"), hint)];
        }
    };
    // Made before they are polled, because a closure inside the stream would have to be as general as it.
    let each: Vec<_> = config.services.iter().map(|service| one_service(config, service, &http)).collect();
    let all: Vec<Vec<Check>> = futures_util::stream::iter(each).buffered(SERVICES_AT_ONCE).collect().await;
    all.into_iter().flatten().collect()
}

/// What a daemon asks once when it starts: whether AWS takes its credentials. It serves either way, because they
/// may come later; its log says what is wrong and how to mend it.
pub(crate) async fn warn_of_credentials(config: &Config) {
    let endpoint = config.aws.endpoint.as_ref().map(url::Url::as_str);
    for ServiceConfig { service, .. } in &config.services {
        let permissions =
            segue_aws::permissions(&service.region, endpoint, &segue_aws::CallCounts::new()).await;
        let asked = gather::access(service, permissions.as_ref()).await;
        let checks = judge::access::credentials(service, &asked);
        for check in checks.iter().filter(|check| check.state == CheckState::Fail) {
            let hint = check.hint.as_deref().unwrap_or_default();
            tracing::warn!(service = %service.name, check = check.name, hint, "{}", check.sentence);
        }
    }
}

async fn one_service(config: &Config, service: &ServiceConfig, http: &reqwest::Client) -> Vec<Check> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let region = &service.service.region;
    let counts = segue_aws::CallCounts::new();
    let endpoint = config.aws.endpoint.as_ref().map(url::Url::as_str);
    // It launches nothing, so nothing carries this name. Its credentials come while those of the questions are waited for.
    let (cloud, balancer) = segue_aws::connect(region, endpoint, "check", &counts).await;
    let permissions = segue_aws::permissions(region, endpoint, &counts).await;
    let asked = gather::Asked {
        service: &service.service,
        images: &service.images,
        permissions,
        cloud,
        balancer,
        metrics: Arc::new(serve::prometheus(config, service, http)),
        boards: Arc::new(serve::boards(config, http, &clock)),
    };
    let found = gather::gather(&asked).await;
    let mut checks = judge::all(&service.service, &service.images, config, &found);
    checks.push(place::command(service.service.launch.configure.as_deref()));
    let name = service.service.name.as_str();
    checks.into_iter().map(|check| check.about(name)).collect()
}

fn unread(error: LoadError) -> Check {
    let error = StartError::from(error);
    // Every mistake comes with its own hint.
    let hint = error.hint().unwrap_or("mend each of them; deploy/segue.example.toml explains every key");
    Check::fail("config", segue_engine::ports::chain(&error), hint)
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
