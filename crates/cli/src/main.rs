//! The one binary, `segue`: the daemon, the demo, the sandbox, and the operator's verbs.
//!
//! It decides nothing: verbs are calls of the daemon's API, the rest is started from here.

mod args;
mod bench;
mod children;
mod commands;
mod daemon_config;
mod demo;
mod exit;
mod output;
mod place;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any thread exists: it becomes another program.
    if let Command::InstanceInit(args) = &cli.command {
        return match segue_sandbox::instance_init(args) {
            Ok(()) => Exit::Done,
            Err(error) => commands::explain(&error),
        }
        .into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("error: no runtime: {error}"));
            return Exit::Error.into();
        }
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(exit) => exit.into(),
        Err(error) => commands::explain(&error).into(),
    }
}
