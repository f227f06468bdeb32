//! `segue instance-init -- CMD…`: the last thing that happens before an instance's program.
//!
//! Without `unsafe` a parent cannot prepare its child between fork and exec, so the child does it itself: it
//! asks the kernel to be killed when its parent dies, and becomes the program.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// What to become, and for whom.
#[derive(Debug, Clone, clap::Args)]
pub struct InstanceInitArgs {
    /// The process that this one must not outlive; when it is gone already, nothing is run.
    #[arg(long)]
    pub parent: Option<i32>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Becomes the program. Returns only when that is impossible.
pub fn instance_init(args: &InstanceInitArgs) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot tie this process to its parent")?;
    if let Some(expected) = args.parent {
        let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
        ensure!(parent == Some(expected), "the sandbox {expected} is gone");
    }
    let (program, rest) = args.command.split_first().context("no program was given")?;
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("cannot run {program}"))
}
