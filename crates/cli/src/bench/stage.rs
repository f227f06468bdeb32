//! What a measurement runs on: a sandbox with simulated servers, and a daemon.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail};
use segue_api::{Client, Limits as ApiLimits};
use segue_sandbox::{FleetConfig, Ready, SandboxConfig, SimulatedConfig, TokenBuckets};
use tokio::process::Child;
use url::Url;

use super::gauge::Gauge;
use super::{BenchArgs, Limits};
use crate::children::{self, Serve, settled_address, terminate};
use crate::daemon_config::{DaemonConfig, NeedsCanary, Pacing, Patience};
use crate::place::Place;

/// Until all servers are healthy.
const SANDBOX_START: Duration = Duration::from_mins(5);
const END: Duration = Duration::from_secs(30);
const LOG: &str = "daemon.log";
pub(super) const JOURNAL: &str = "journal.db";
/// A load balancer takes this many targets, unless AWS is asked for more.
pub(super) const TARGETS: u16 = 1_000;
/// Instances beyond two fleets.
const SPARE: u16 = 100;
/// Up to here a fleet is looked at as often as the demo's.
const SMALL_FLEET: u16 = 200;
/// Beyond this the load balancer, which is on the same machine, looks at its targets less often.
const LARGE_FLEET: u16 = 2_000;

pub(super) struct Stage {
    sandbox: Child,
    daemon: Child,
    pub(super) ready: Ready,
    pub(super) client: Client,
    pub(super) url: Url,
}

impl Stage {
    pub(super) async fn set(args: &BenchArgs, place: &Place) -> Result<Self> {
        let (sandbox, ready) = children::sandbox(place, &sandbox_config(args, place), SANDBOX_START).await?;
        let config = DaemonConfig {
            ready: &ready,
            listen: settled_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?,
            journal: &place.path(JOURNAL),
            key_file: &place.write("handover.key", &ready.handover_key)?,
            canary_bake: Duration::from_secs(1),
            canary_min_boards: 0,
            patience: patience(args),
        };
        let config = place.write("segue.toml", &config.text())?;
        let serve = Serve { config, log: place.path(LOG), credentials: ready.credentials.clone() };
        let (daemon, url) = match serve.once().await {
            Ok(started) => started,
            Err(error) => bail!("{error:#}:\n{}", place.tail(LOG)),
        };
        let client = Client::new(&url, ApiLimits::INTERACTIVE)?;
        Ok(Self { sandbox, daemon, ready, client, url })
    }

    pub(super) fn pid(&self) -> u32 {
        self.daemon.id().unwrap_or_default()
    }

    pub(super) fn daemon(&self) -> Result<Gauge> {
        Gauge::read(self.pid())
    }

    pub(super) fn sandbox(&self) -> Result<Gauge> {
        Gauge::read(self.sandbox.id().unwrap_or_default())
    }

    /// Nothing kills it here: a daemon that ends by itself is a measurement that failed.
    pub(super) fn check_that_the_daemon_lives(&mut self) -> Result<()> {
        match self.daemon.try_wait()? {
            Some(how) => bail!("the daemon ended by itself: {how}"),
            None => Ok(()),
        }
    }

    pub(super) async fn end(mut self) {
        terminate(&mut self.daemon, END).await;
        terminate(&mut self.sandbox, END).await;
    }
}

/// Two fleets, and those that take the place of servers that fail.
fn instances_max(args: &BenchArgs) -> u16 {
    args.instances.saturating_mul(2).saturating_add(SPARE)
}

/// Each load balancer's quota of targets: AWS's own, or what AWS would be asked for. Those that come in the place of
/// others may come to any of them.
pub(super) fn targets_max(args: &BenchArgs) -> u16 {
    let here = args.instances.div_ceil(args.load_balancers);
    here.saturating_mul(2).saturating_add(SPARE).max(TARGETS)
}

fn sandbox_config(args: &BenchArgs, place: &Place) -> SandboxConfig {
    let mut config = SandboxConfig {
        seed: Some(1),
        data_dir: Some(place.path("sandbox")),
        // The servers lead their clients by themselves: there are not as many slots as servers anywhere.
        slots: 0,
        load_balancers: args.load_balancers,
        fleet: Some(FleetConfig { count: args.instances, ..FleetConfig::of("1".to_owned()) }),
        simulated: Some(SimulatedConfig { boards: args.boards, clients_per_board: args.clients_per_board }),
        token_buckets: match args.limits {
            Limits::Aws => TokenBuckets::Aws,
            Limits::Off => TokenBuckets::Off,
        },
        ..SandboxConfig::default()
    };
    config.instances.max = instances_max(args).into();
    config.load_balancer.targets_max = targets_max(args);
    if args.instances > SMALL_FLEET {
        // As often as AWS checks at the most, and Prometheus usually scrapes.
        config.health.interval_ms = 5_000;
        config.prometheus.interval_ms = 5_000;
    }
    if args.instances > LARGE_FLEET {
        config.health.interval_ms = 15_000;
    }
    config
}

fn patience(args: &BenchArgs) -> Patience {
    let usual = Patience {
        // Standbys last a little longer than this: long enough for a slow machine to switch all waves' boards.
        attach_deadline: Duration::from_mins(5),
        wave_boards: 1_000,
        switching_at_once: 32,
        needs_canary: NeedsCanary::No,
        pacing: match args.limits {
            Limits::Aws => Pacing::Published,
            Limits::Off => Pacing::Off,
        },
        ..Patience::default()
    };
    let tick = match args.limits {
        // Six calls at the load balancer for each look: more than one a second empties its bucket.
        Limits::Aws => Duration::from_secs(1),
        Limits::Off => usual.tick,
    };
    if args.instances <= SMALL_FLEET {
        return Patience { tick, ..usual };
    }
    Patience {
        step: Duration::from_mins(15),
        tick: Duration::from_secs(1),
        // Longer than from one look of Prometheus to the next.
        settle: Duration::from_secs(15),
        max_age: Duration::from_secs(45),
        ..usual
    }
}
