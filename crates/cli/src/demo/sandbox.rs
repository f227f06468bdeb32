//! The sandbox as a process of its own, and where everything in it is.

use std::time::Duration;

use anyhow::Result;
use segue_sandbox::{FleetConfig, LaunchedBy, Ready, SandboxConfig};
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
        let (child, ready) = children::sandbox(place, &config(place, args), START).await?;
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

fn config(place: &Place, args: &DemoArgs) -> SandboxConfig {
    let mut config = SandboxConfig {
        seed: Some(args.seed),
        data_dir: Some(place.path("sandbox")),
        slots: args.servers.saturating_mul(3).max(12),
        fleet: Some(FleetConfig {
            version: "1".to_owned(),
            count: args.servers,
            weight: 100,
            launched_by: LaunchedBy::Segue,
            tags: std::collections::BTreeMap::new(),
        }),
        sabotage: args.sabotage,
        ..SandboxConfig::default()
    };
    // Users may be silent for longer than a production's timeout allows; ours ping.
    config.load_balancer.idle_timeout_s = 4_000;
    config.store.abandoned_ms = ABANDONED_MS;
    config
}
