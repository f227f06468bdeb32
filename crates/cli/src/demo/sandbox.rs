//! The sandbox as a process of its own, and where everything in it is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use segue_sandbox::{FleetConfig, Ready, SandboxConfig};
use tokio::process::Child;

use super::DemoArgs;
use crate::children;
use crate::place::Place;

/// Until the fleet is healthy.
const START: Duration = Duration::from_mins(1);
/// Until every instance has ended.
const END: Duration = Duration::from_secs(15);
/// Twice the liveness rule, not ten times: a release that meets a dead server is waited for at a screen. A server
/// that was only slow takes its boards back.
const ABANDONED_MS: u64 = 6_000;

#[derive(Debug)]
pub(super) struct Sandbox {
    child: Child,
    ready: Ready,
}

impl Sandbox {
    pub(super) async fn start(place: &Place, args: &DemoArgs) -> Result<Self> {
        let (child, ready) = children::sandbox(place, &config(place, args)?, START).await?;
        Ok(Self { child, ready })
    }

    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Asks it to end, and sees that it does.
    pub(super) async fn end(mut self) {
        children::terminate(&mut self.child, END).await;
    }
}

fn config(place: &Place, args: &DemoArgs) -> Result<SandboxConfig> {
    let mut config = args.sandbox.as_deref().map(besides).transpose()?.unwrap_or_default();
    config.seed = Some(args.seed);
    config.data_dir = Some(place.path("sandbox"));
    config.slots = args.servers.saturating_mul(3).max(12);
    config.fleet = Some(FleetConfig { count: args.servers, ..FleetConfig::of("1".to_owned()) });
    config.sabotage = args.sabotage;
    // Users may be silent for longer than a production's timeout allows; ours ping.
    config.load_balancer.idle_timeout_s = 4_000;
    config.store.abandoned_ms = ABANDONED_MS;
    Ok(config)
}

/// What a file says of the sandbox besides. What the demo itself says would not be heard there; and its daemon looks so
/// often that AWS's buckets are empty at once.
fn besides(file: &Path) -> Result<SandboxConfig> {
    let (read, usual) = (SandboxConfig::read(file)?, SandboxConfig::default());
    let of_the_demo = [
        ("service", read.service != usual.service),
        ("load_balancers", read.load_balancers != usual.load_balancers),
        ("slots", read.slots != usual.slots),
        ("token_buckets", read.token_buckets != usual.token_buckets),
        ("seed", read.seed.is_some()),
        ("data_dir", read.data_dir.is_some()),
        ("virtual", read.simulated.is_some()),
        ("fleet", read.fleet.is_some()),
        ("sabotage", read.sabotage.is_some()),
    ];
    let said: Vec<&str> =
        of_the_demo.into_iter().filter(|(_, is_said)| *is_said).map(|(key, _)| key).collect();
    let (file, keys) = (file.display(), said.join(", "));
    ensure!(said.is_empty(), "{file} says {keys}: that is the demo's own to say, see `segue demo --help`");
    read.check().with_context(|| format!("{file} is not a sandbox's configuration"))?;
    Ok(read)
}
