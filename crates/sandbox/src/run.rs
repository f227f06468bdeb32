//! `segue sandbox`: reads the configuration, starts the store process and the sandbox, says that it is ready
//! and waits for a signal.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{BALANCERS_MAX, FleetConfig, INSTANCES_MAX_SIMULATED, LaunchedBy, SandboxConfig};
use crate::logfile;
use crate::process::{Process, ProcessRunner};
use crate::ready::Ready;
use crate::runner::Running;
use crate::sandbox::{Sandbox, Start};
use crate::world::Launch;

/// How long the store may take to say its address, and to end.
const STORE_LIMIT: Duration = Duration::from_secs(10);
/// Descriptors that twelve thousand websockets need: one to the client, one to the target, and some spare.
const DESCRIPTORS: u64 = 65_536;

/// How a sandbox is started from the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct SandboxArgs {
    /// Where the AWS endpoint listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// What the sandbox is made of, in TOML (docs/sandbox.md); without it there are two images and no fleet.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Servers that run already when the sandbox is ready, of the configured fleet's version, or of the first
    /// image's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub fleet: Option<u16>,
    /// Load balancers before the servers, each with a listener, groups and route slots of its own. The servers stand at
    /// them in turn.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(BALANCERS_MAX)))]
    pub load_balancers: Option<u16>,
    /// Somebody else launched those servers: they carry none of Segue's tags, and `segue adopt` takes them in.
    #[arg(long, requires = "fleet")]
    pub strangers: bool,
    /// Those servers are no processes: the sandbox simulates them, with this many boards in all. Thousands of
    /// them fit on one machine.
    #[arg(long = "virtual", value_name = "BOARDS", requires = "fleet")]
    pub simulated: Option<u32>,
}

impl SandboxArgs {
    /// The configuration file with what the command line says besides.
    fn config(&self) -> anyhow::Result<SandboxConfig> {
        let mut config = self.config.as_deref().map(SandboxConfig::read).transpose()?.unwrap_or_default();
        config.load_balancers = self.load_balancers.unwrap_or(config.load_balancers);
        if let Some(count) = self.fleet {
            let first = config.images.first().context("a fleet needs an image")?;
            let version = first.version.clone();
            let fleet = config.fleet.get_or_insert_with(|| FleetConfig::of(version));
            fleet.count = count;
            if self.strangers {
                fleet.launched_by = LaunchedBy::Others;
            }
        }
        if let Some(boards) = self.simulated {
            config.simulated.get_or_insert_default().boards = boards;
            config.instances.max = INSTANCES_MAX_SIMULATED;
            if self.fleet.is_some_and(|count| count > config.slots_in_all()) {
                config.slots = 0;
            }
        }
        config.check()?;
        Ok(config)
    }
}

/// Runs a sandbox until SIGINT or SIGTERM. When it is ready, `on_ready` is called; then one line of JSON
/// ([`Ready`]) is printed. What `on_ready` returns is kept until the sandbox ends.
pub async fn run<Kept>(
    args: SandboxArgs,
    on_ready: impl FnOnce(&Ready) -> anyhow::Result<Kept>,
) -> anyhow::Result<()> {
    // Before anything is started: a signal from now on ends whatever has been.
    let signals = Signals::listen()?;
    let config = args.config()?;
    raise_descriptors();
    let folder = Folder::of(&config)?;
    let ended = run_in(folder.path(), args.listen, config, signals, on_ready).await;
    folder.end(ended)
}

/// The store and the sandbox over it, from their start to their end.
async fn run_in<Kept>(
    data_dir: &Path,
    listen: SocketAddr,
    config: SandboxConfig,
    signals: Signals,
    on_ready: impl FnOnce(&Ready) -> anyhow::Result<Kept>,
) -> anyhow::Result<()> {
    let segue = std::env::current_exe().context("this program's own path is not known")?;
    let runner = ProcessRunner { segue, logs: data_dir.to_owned() };
    // Simulated instances keep their boards among themselves.
    let mut store = match config.simulated {
        Some(_) => None,
        None => Some(start_store(&runner, &config, data_dir).await?),
    };
    let start = Start {
        listen,
        handover_key: config.handover_key.clone().unwrap_or_else(fresh_key),
        config,
        data_dir: data_dir.to_owned(),
        runner: Arc::new(runner),
        store: store.as_ref().map(|(_, address)| *address),
        now: jiff::Timestamp::now(),
    };
    let ended = serve(start, store.as_mut().map(|(store, _)| store), signals, on_ready).await;
    if let Some((mut store, _)) = store {
        store.ask_to_end();
        if tokio::time::timeout(STORE_LIMIT, store.ended()).await.is_err() {
            store.kill();
        }
    }
    ended
}

/// Runs until a signal comes or the store ends. A signal during the start ends what has been started.
async fn serve<Kept>(
    start: Start,
    store: Option<&mut Process>,
    mut signals: Signals,
    on_ready: impl FnOnce(&Ready) -> anyhow::Result<Kept>,
) -> anyhow::Result<()> {
    let sandbox = tokio::select! {
        started = Sandbox::start(start) => started?,
        () = signals.any() => return Ok(()),
    };
    let told = on_ready(sandbox.ready()).and_then(|kept| {
        say(&serde_json::to_string(sandbox.ready())?)?;
        Ok(kept)
    });
    let ended = match told {
        Err(error) => Err(error),
        Ok(_kept) => tokio::select! {
            () = signals.any() => Ok(()),
            how = end_of(store) => Err(anyhow!("the store process ended by itself: {how}")),
        },
    };
    sandbox.shutdown().await;
    ended
}

/// Waits for the store's end; for ever where there is none.
async fn end_of(store: Option<&mut Process>) -> String {
    match store {
        Some(store) => store.ended().await,
        None => std::future::pending().await,
    }
}

/// The two signals that ask for an end.
#[derive(Debug)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns when one of them comes, or came since they are listened to.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Where the logs and the store's file are.
#[derive(Debug)]
enum Folder {
    /// The configuration names it, and whoever wrote that looks after it.
    Named(PathBuf),
    /// New, with nothing of an earlier sandbox in it, and gone when it is dropped.
    Temporary(TempDir),
}

impl Folder {
    fn of(config: &SandboxConfig) -> anyhow::Result<Self> {
        if let Some(dir) = &config.data_dir {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
            return Ok(Self::Named(dir.clone()));
        }
        let dir = tempfile::Builder::new().prefix("segue-sandbox-").tempdir();
        Ok(Self::Temporary(dir.context("cannot create a temporary folder")?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Named(dir) => dir,
            Self::Temporary(dir) => dir.path(),
        }
    }

    /// Removes what is temporary, but only after a good end: the logs tell why it was a bad one. Whoever wants
    /// the logs of a good end names a folder for them.
    fn end(self, ended: anyhow::Result<()>) -> anyhow::Result<()> {
        let Self::Temporary(dir) = self else { return ended };
        match ended {
            Ok(()) => {
                let path = dir.path().to_owned();
                dir.close().with_context(|| format!("cannot remove {}", path.display()))
            }
            Err(error) => {
                Err(error.context(format!("the sandbox failed; its logs are in {}", dir.keep().display())))
            }
        }
    }
}

/// The boards' database as a process of its own; its first line says where it listens.
async fn start_store(
    runner: &ProcessRunner,
    config: &SandboxConfig,
    data_dir: &Path,
) -> anyhow::Result<(Process, SocketAddr)> {
    let file = data_dir.join("boards.jsonl").display().to_string();
    let (latency, liveness) = (config.store.latency_ms.to_string(), config.store.liveness_ms.to_string());
    let command =
        ["segue", "demo-store", "--listen", "127.0.0.1:0", "--file", &file, "--latency-ms", &latency];
    let sabotage = config.sabotage.map(|it| ["--sabotage", it.name()]);
    let abandoned = config.store.abandoned_ms.to_string();
    let command = command.into_iter().chain(["--liveness-ms", &liveness, "--abandoned-ms", &abandoned]);
    let command = command.chain(sabotage.into_iter().flatten()).map(str::to_owned).collect();
    let mut store = runner
        .spawn(&Launch {
            instance: "store".into(),
            run: 1,
            address: std::net::Ipv4Addr::LOCALHOST,
            command,
            env: std::collections::BTreeMap::new(),
        })
        .context("the store process could not be started")?;
    let mut stdout = BufReader::new(store.take_stdout().context("the store has no stdout")?);
    logfile::collect(data_dir.join("store.log"), (None, store.take_stderr()));
    let mut line = String::new();
    let read = tokio::time::timeout(STORE_LIMIT, stdout.read_line(&mut line)).await;
    read.context("the store did not say its address in time")??;
    let address = line.trim().parse();
    let address = address.with_context(|| format!("the store said {line:?} and not its address"))?;
    Ok((store, address))
}

/// Room for many sockets, as far as the system allows it.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map(|most| most.max(DESCRIPTORS));
    let tries = [Rlimit { current: wanted, maximum: wanted }, Rlimit { current: limit.maximum, ..limit }];
    for limit in tries {
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return;
        }
    }
    tracing::warn!("the limit of open files could not be raised: many clients may be refused");
}

/// 32 random bytes in hexadecimal: a secret for a sandbox, which guards nothing.
fn fresh_key() -> String {
    let mut key = String::new();
    for _ in 0..4 {
        // Writing to a string cannot fail.
        let _written = write!(key, "{:016x}", fastrand::u64(..));
    }
    key
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush().context("stdout is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulated(servers: u16, load_balancers: u16) -> SandboxConfig {
        let args = SandboxArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            config: None,
            fleet: Some(servers),
            load_balancers: Some(load_balancers),
            strangers: false,
            simulated: Some(0),
        };
        args.config().expect("it is a sandbox")
    }

    #[test]
    fn simulated_servers_have_route_slots_as_long_as_all_load_balancers_have_enough() {
        let slots = SandboxConfig::default().slots;
        assert_eq!(simulated(slots, 1).slots, slots);
        assert_eq!(simulated(slots + 1, 1).slots, 0);
        assert_eq!(simulated(slots + 1, 2).slots, slots);
        assert_eq!(simulated(2 * slots + 1, 2).slots, 0);
    }
}
