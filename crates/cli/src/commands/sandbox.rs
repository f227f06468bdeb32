//! `segue sandbox`: the stand-in for AWS, and on request users on it and a configuration for a daemon.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use segue_sandbox::Ready;
use segue_sandbox::users::{Crowd, CrowdConfig};

use crate::args::SandboxCommand;
use crate::daemon_config::{DaemonConfig, Patience};
use crate::demo::{canary_min_boards, front_door, other_doors};
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
    let mut config = CrowdConfig::demo(front_door(ready)?, boards, clients, EDITS_PER_S, 1);
    config.other_doors = other_doors(ready)?;
    Ok(Crowd::start(config)?)
}

/// The configuration, and beside it the key, by the same name with another ending.
fn write_config(ready: &Ready, file: &Path, clients: u32) -> Result<()> {
    let file = std::path::absolute(file).with_context(|| format!("{} is no path", file.display()))?;
    let (key_file, journal) = (file.with_extension("key"), file.with_extension("journal.db"));
    // It would tell of releases that this sandbox never saw, and a release would go by them.
    ensure!(
        !journal.exists(),
        "{journal} is the journal of another sandbox: remove it (rm {journal}*), or name another file with \
         --serve-config",
        journal = journal.display()
    );
    let servers = u32::try_from(ready.blue.len())?;
    let config = DaemonConfig {
        ready,
        listen: LISTEN,
        journal: &journal,
        key_file: &key_file,
        canary_bake: CANARY_BAKE,
        // A canary that nobody uses is watched for as long, and passes when it is healthy.
        canary_min_boards: canary_min_boards(clients / CLIENTS_PER_BOARD, servers),
        patience: Patience::default(),
    };
    write(&key_file, &ready.handover_key, OWNERS_ALONE)?;
    write(&file, &config.text(), EVERYBODYS)?;
    say(&format!("sandbox: `segue serve --config {}` starts a daemon for it", file.display()));
    Ok(())
}

/// Modes of the two files.
const OWNERS_ALONE: u32 = 0o600;
const EVERYBODYS: u32 = 0o644;

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = std::fs::File::options();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", path.display()))
}
