//! `segue serve`: from a file to a daemon that answers, and back to a stopped one.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use segue_config::{Config, ServiceConfig};
use segue_engine::ports::Clock;
use segue_engine::{ByTheDomain, Limits, Ports, Rhythm, ServiceSetup, Settings};
use segue_handover::auth::Key;
use segue_handover::control::ControlTimeouts;
use segue_integrations::boards::ContractBoards;
use segue_integrations::hooks::SystemHooks;
use segue_integrations::log::LogNotifier;
use segue_integrations::prometheus::{Prometheus, QueryLimits};
use segue_integrations::system::{RandomEntropy, SteadyClock, SystemClock};
use segue_journal::{Owner, ReadError, Reader, Scope, Store};
use tokio::net::TcpListener;

use crate::check;
use crate::logging;
use crate::running::{Begun, Told};
use crate::server::{Parts, Server};
use crate::start::StartError;

/// The lease's time to live. A daemon that died is followed by another one after this long; its own next
/// life, which has the same name, takes over at once.
const LEASE_TTL: Duration = Duration::from_secs(30);
/// What the lease is for: all daemons of one journal are one group.
pub(crate) const SCOPE: &str = "segue";
/// One query at Prometheus, and one control call at a server, which may not take as long as the engine waits:
/// what it gives up has no reason.
const QUERY_WITHIN: Duration = Duration::from_secs(4);
const CONTROL_WITHIN: Duration = Duration::from_secs(4);

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT); told a second time, it ends at once. When it is ready to work it prints one line of
/// JSON on stdout: `{"listening":"http://127.0.0.1:7788"}`; with `"waits_for":"segue-1"` beside it when another
/// daemon works on the journal and this one is ready to take over.
pub async fn serve(config: &Path) -> Result<(), StartError> {
    let config = Config::load(config)?;
    let address = config.daemon.listen;
    logging::begin(&config.log);
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let journal = config.daemon.journal.open().await?;
    understood(&*journal).await?;
    let (listener, bound) = listen(address).await?;
    let mut told = Told::listen().map_err(StartError::Signals)?;
    let server = Server::begin(parts(&config, Arc::clone(&journal)).await?);
    let begun = Begun { server, journal, listener, bound };
    Box::pin(begun.run(check::warn_of_credentials(&config), async || told.stop().await)).await
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    match bound.await {
        Ok(listening) => Ok(listening),
        Err(source) => {
            let daemon = check::daemon_at(address).await.is_some();
            Err(StartError::CannotListen { address, daemon, source })
        }
    }
}

/// A record of a newer daemon is refused before anything is begun: this one must not guess what it means. What
/// cannot be read for another reason the engine leaves alone, and says why; the others are served.
pub(crate) async fn understood(journal: &dyn Reader) -> Result<(), StartError> {
    journal.understood().await.map_err(|error| match error {
        ReadError::Newer { stream, found, understood } => {
            StartError::JournalNewer { stream: stream.to_string(), found, understood }
        }
        error @ (ReadError::Unavailable(_)
        | ReadError::Broken { .. }
        | ReadError::TooManyStreams
        | ReadError::NoSuchStream { .. }) => StartError::JournalUnreadable(error),
    })
}

async fn parts(config: &Config, journal: Arc<dyn Store>) -> Result<Parts, StartError> {
    // Control calls are signed with the time that the servers have.
    let wall: Arc<dyn Clock> = Arc::new(SystemClock);
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting(wall.as_ref()));
    let aws_calls = segue_aws::CallCounts::new();
    let http = segue_integrations::http::client().map_err(StartError::HttpClient)?;
    let passing = segue_integrations::http::passing_client().map_err(StartError::HttpClient)?;
    let mut services = Vec::new();
    for service in &config.services {
        let region = &service.service.region;
        let endpoint = config.aws.endpoint.as_ref().map(url::Url::as_str);
        let origin = journal.journal_id().to_string();
        let (cloud, balancer) = segue_aws::connect(region, endpoint, &origin, &aws_calls).await;
        let ports = Ports {
            cloud,
            balancer,
            metrics: Arc::new(prometheus(config, service, &http)),
            boards: Arc::new(boards(config, &http, &wall).passing_by(passing.clone())),
            hooks: Arc::new(
                SystemHooks::new(http.clone())
                    .with_port(service.warm_port)
                    .without_variables(config.secret_variables()),
            ),
            notifier: Arc::new(LogNotifier),
        };
        services.push(ServiceSetup {
            service: service.service.clone(),
            images: service.images.clone(),
            ports,
            decider: Arc::new(ByTheDomain),
        });
    }
    Ok(Parts {
        settings: settings(config),
        services,
        journal,
        clock,
        entropy: Arc::new(RandomEntropy::new()),
        aws_calls,
        hosts: config.daemon.hosts.clone(),
        config_digest: Some(config.digest.clone()),
    })
}

pub(crate) fn prometheus(config: &Config, service: &ServiceConfig, http: &reqwest::Client) -> Prometheus {
    let limits = QueryLimits { timeout: QUERY_WITHIN, max_age: service.service.patience.max_age };
    let names = config.prometheus.metrics.clone();
    Prometheus::new(http.clone(), &config.prometheus.url, names, limits)
}

pub(crate) fn boards(config: &Config, http: &reqwest::Client, wall: &Arc<dyn Clock>) -> ContractBoards {
    let key = Key::new(config.handover.key.expose_secret().as_bytes());
    let key = key.expect("the configuration refuses a key that is too short");
    let timeouts = ControlTimeouts { ordinary: CONTROL_WITHIN, ..ControlTimeouts::default() };
    let boards = ContractBoards::new(http.clone(), key, Arc::clone(wall));
    boards.with_port(config.handover.port).with_timeouts(timeouts)
}

fn settings(config: &Config) -> Settings {
    Settings {
        scope: Scope::new(SCOPE),
        owner: Owner::new(config.daemon.name.clone()),
        lease_ttl: LEASE_TTL,
        limits: Limits { pacing: config.aws.pacing, ..Limits::default() },
        rhythm: Rhythm { tick: config.daemon.tick, ..Rhythm::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_by_itself_before_the_engine_gives_it_up() {
        let engine = Limits::default();
        for within in [QUERY_WITHIN, CONTROL_WITHIN] {
            assert!(within < engine.read_timeout && within < engine.write_timeout);
        }
    }
}
