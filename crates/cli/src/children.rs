//! This program as other processes: a sandbox, and a daemon on it. Neither outlives its parent, however that ends.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use segue_sandbox::{Credentials, Ready, SandboxConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use url::Url;

use crate::place::Place;

/// Until a daemon says where it listens.
const DAEMON_START: Duration = Duration::from_secs(30);
const SANDBOX_LOG: &str = "sandbox.log";

/// This program with a command.
fn child(command: &str) -> Result<Command> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let mut child = Command::new(&program);
    child
        .args(["instance-init", "--parent", &std::process::id().to_string(), "--"])
        .arg(program)
        .arg(command);
    Ok(child)
}

/// Starts a sandbox and waits until it is ready, for so long.
pub(crate) async fn sandbox(
    place: &Place,
    config: &SandboxConfig,
    within: Duration,
) -> Result<(Child, Ready)> {
    let config = place.write("sandbox.toml", &toml::to_string(config)?)?;
    let log = std::fs::File::create(place.path(SANDBOX_LOG))?;
    let mut child = child("sandbox")?
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        // A Ctrl-C at the terminal is for the parent, which ends the others in order.
        .process_group(0)
        .spawn()
        .context("the sandbox did not start")?;
    let stdout = child.stdout.take().context("the sandbox has no stdout")?;
    let mut line = String::new();
    let read = tokio::time::timeout(within, BufReader::new(stdout).read_line(&mut line)).await;
    match read {
        Ok(Ok(bytes)) if bytes > 0 => {}
        Ok(_) => bail!("the sandbox ended before it was ready:\n{}", place.tail(SANDBOX_LOG)),
        Err(_) => {
            bail!("the sandbox was not ready within {} s:\n{}", within.as_secs(), place.tail(SANDBOX_LOG))
        }
    }
    let ready = serde_json::from_str(&line).context("the sandbox said something else than where it is")?;
    Ok((child, ready))
}

/// Everything to start a daemon, again and again.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) config: PathBuf,
    pub(crate) log: PathBuf,
    /// What the sandbox takes signatures of.
    pub(crate) credentials: Credentials,
}

impl Serve {
    /// Starts one, and waits until it says where it listens.
    pub(crate) async fn once(&self) -> Result<(Child, Url)> {
        let mut child = self.command(&self.log)?.spawn().context("the daemon did not start")?;
        let stdout = child.stdout.take().context("the daemon has no stdout")?;
        let url = tokio::time::timeout(DAEMON_START, listening(stdout))
            .await
            .with_context(|| format!("the daemon was not ready within {} s", DAEMON_START.as_secs()))??;
        Ok((child, url))
    }

    fn command(&self, log: &Path) -> Result<Command> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut command = child("serve")?;
        command
            .arg("--config")
            .arg(&self.config)
            .env("AWS_ACCESS_KEY_ID", &self.credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.credentials.secret_access_key)
            // Of somebody's session at AWS; the pair has none.
            .env_remove("AWS_SESSION_TOKEN")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .process_group(0);
        Ok(command)
    }
}

#[derive(serde::Deserialize)]
struct Listening {
    listening: Url,
}

async fn listening(stdout: ChildStdout) -> Result<Url> {
    let mut line = String::new();
    let bytes = BufReader::new(stdout).read_line(&mut line).await?;
    if bytes == 0 {
        bail!("the daemon ended before it was ready");
    }
    let said: Listening =
        serde_json::from_str(&line).with_context(|| format!("the daemon said {:?}", line.trim()))?;
    Ok(said.listening)
}

/// A port of its own, so that a daemon that is started again is found where it was.
pub(crate) async fn settled_address(listen: SocketAddr) -> Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("{listen} cannot be listened on; --listen names another address"))?;
    Ok(listener.local_addr()?)
}

/// Asks a process to end, and ends it when it does not.
pub(crate) async fn terminate(child: &mut Child, within: Duration) {
    let Some(pid) = child.id() else { return };
    // The standard library can only kill at once.
    let asked = signal(pid, Signal::TERM);
    let ended = tokio::time::timeout(within, child.wait()).await;
    if asked.is_err() || ended.is_err() {
        // It is gone already when this fails.
        let _gone = child.kill().await;
    }
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process has such a number")?;
    kill_process(process, signal).with_context(|| format!("process {pid} takes no signal"))
}
