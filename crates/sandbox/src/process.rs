//! Instances as processes of this machine.
//!
//! Each is started through `segue instance-init`, which asks the kernel to kill it when the sandbox dies, in a
//! process group of its own, so that what it starts ends with it and a Ctrl-C in the sandbox's terminal
//! reaches the sandbox alone. What it prints goes to a bounded log file. Its environment is what the launch
//! says and `PATH`: nothing of whoever started the sandbox, least of all their credentials.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::logfile;
use crate::runner::{Runner, Running, StartFailed};
use crate::world::Launch;

/// Runs instances as processes.
#[derive(Debug, Clone)]
pub struct ProcessRunner {
    /// This very binary, which has the `instance-init` command.
    pub segue: PathBuf,
    /// Where the logs go, one file for each instance.
    pub logs: PathBuf,
}

/// A process in a group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
}

impl ProcessRunner {
    /// Starts a program that dies with this process. Its stdout and stderr are pipes.
    ///
    /// Must be called on a thread that lives as long as the sandbox, because the kernel's signal at the
    /// parent's death is really one at the death of the thread that forked: tokio's workers do, its
    /// blocking threads do not.
    pub(crate) fn spawn(&self, launch: &Launch) -> io::Result<Process> {
        let mut command = Command::new(&self.segue);
        command.arg("instance-init").arg("--parent").arg(std::process::id().to_string()).arg("--");
        command.args(launch.command.iter().map(|part| self.resolve(part)));
        command.env_clear().envs(path()).envs(&launch.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Process { child, group })
    }

    /// The word `segue` stands for this binary, wherever it lies.
    fn resolve(&self, part: &str) -> OsString {
        if part == "segue" { self.segue.clone().into_os_string() } else { part.into() }
    }
}

#[async_trait]
impl Runner for ProcessRunner {
    async fn start(&self, launch: Launch) -> Result<Box<dyn Running>, StartFailed> {
        let failed = |source| StartFailed { program: launch.command.join(" "), source };
        let mut process = self.spawn(&launch).map_err(failed)?;
        let path = self.logs.join(format!("{}.log", launch.instance));
        let pipes = (process.child.stdout.take(), process.child.stderr.take());
        logfile::collect(path, pipes);
        Ok(Box::new(process))
    }
}

impl Process {
    pub(crate) fn take_stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn take_stderr(&mut self) -> Option<tokio::process::ChildStderr> {
        self.child.stderr.take()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group
            && let Err(error) = kill_process_group(group, signal)
        {
            tracing::debug!(%error, "signal not delivered: the group is gone");
        }
    }
}

#[async_trait]
impl Running for Process {
    fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        // What it started and left behind goes with it.
        self.signal(Signal::KILL);
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    fn ask_to_end(&mut self) {
        self.signal(Signal::TERM);
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
    }

    fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }
}

/// Where programs are found; the launch may say another.
fn path() -> Option<(&'static str, OsString)> {
    std::env::var_os("PATH").map(|path| ("PATH", path))
}
