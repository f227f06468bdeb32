//! `segue sandbox`: the stand-in for AWS, and on request users on it and a configuration for a daemon.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use segue_sandbox::Ready;
use segue_sandbox::users::{Crowd, CrowdConfig};

use crate::args::SandboxCommand;
use crate::daemon_config::{DaemonConfig, Patience};
use crate::demo::{CANARY_MIN_BOARDS, front_door};
use crate::output::say;

const CLIENTS_PER_BOARD: u32 = 5;
const EDITS_PER_S: f64 = 2.0;
/// Where `segue` looks for a daemon when it is told nothing.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7788);
/// How long a canary on the sandbox is watched.
const CANARY_BAKE: Duration = Duration::from_secs(10);

pub(super) async fn run(args: SandboxCommand) -> Result<()> {
    let SandboxCommand { sandbox, clients, serve_config } = args;
    segue_sandbox::run(sandbox, move |ready| {
        if let Some(file) = serve_config {
            write_config(ready, &file, clients)?;
        }
        (clients > 0).then(|| crowd(ready, clients)).transpose()
    })
    .await
}

fn crowd(ready: &Ready, clients: u32) -> Result<Crowd> {
    ensure!(
        !ready.blue.is_empty(),
        "nobody serves {clients} users: --fleet N says how many servers there are"
    );
    let boards = clients.div_ceil(CLIENTS_PER_BOARD);
    let (boards, clients) = (usize::try_from(boards)?, usize::try_from(clients)?);
    Ok(Crowd::start(CrowdConfig::demo(front_door(ready)?, boards, clients, EDITS_PER_S, 1))?)
}

/// The configuration, and beside it the key, by the same name with another ending.
fn write_config(ready: &Ready, file: &Path, clients: u32) -> Result<()> {
    let file = std::path::absolute(file).with_context(|| format!("{} is no path", file.display()))?;
    let key_file = file.with_extension("key");
    let config = DaemonConfig {
        ready,
        listen: LISTEN,
        journal: &file.with_extension("journal.db"),
        key_file: &key_file,
        canary_bake: CANARY_BAKE,
        // A canary that nobody uses is watched for as long, and passes when it is healthy.
        canary_min_boards: if clients > 0 { CANARY_MIN_BOARDS } else { 0 },
        patience: Patience::default(),
    };
    for (path, text) in [(&key_file, ready.handover_key.clone()), (&file, config.text())] {
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    say(&format!("sandbox: `segue serve --config {}` starts a daemon for it", file.display()));
    Ok(())
}
