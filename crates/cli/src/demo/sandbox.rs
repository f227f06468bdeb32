//! The sandbox as a process of its own, and where everything in it is.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use segue_sandbox::{FleetConfig, LaunchedBy, Ready, SandboxConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use super::DemoArgs;
use super::place::Place;

/// Until the fleet is healthy.
const START: Duration = Duration::from_mins(1);
/// Until every instance has ended.
const END: Duration = Duration::from_secs(15);
const LOG: &str = "sandbox.log";
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
        let config = place.write("sandbox.toml", &toml::to_string(&config(place, args))?)?;
        let log = std::fs::File::create(place.path(LOG))?;
        let mut child = super::child("sandbox")?
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            // A Ctrl-C at the terminal is for the demo, which ends the others in order.
            .process_group(0)
            .spawn()
            .context("the sandbox did not start")?;
        let stdout = child.stdout.take().context("the sandbox has no stdout")?;
        let mut line = String::new();
        let read = tokio::time::timeout(START, BufReader::new(stdout).read_line(&mut line)).await;
        match read {
            Ok(Ok(bytes)) if bytes > 0 => {}
            Ok(_) => bail!("the sandbox ended before it was ready:\n{}", place.tail(LOG)),
            Err(_) => bail!("the sandbox was not ready within {} s:\n{}", START.as_secs(), place.tail(LOG)),
        }
        let ready =
            serde_json::from_str(&line).context("the sandbox said something else than where it is")?;
        Ok(Self { child, ready })
    }

    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Asks it to end, and sees that it does.
    pub(super) async fn end(mut self) {
        super::daemon::terminate(&mut self.child, END).await;
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
