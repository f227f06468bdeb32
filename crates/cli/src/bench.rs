//! `segue bench`: one full release of a large fleet on this machine, and what it took.
//!
//! The daemon is a process of its own and the real one; EC2, the load balancer and Prometheus answer over HTTP as
//! they do in any sandbox. What is simulated are the servers and their boards ([`segue_sandbox`]): they keep the
//! control contract, and have no users with sockets. What users notice is `segue demo`'s to show.

mod gauge;
mod journey;
mod report;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use segue_sandbox::BALANCERS_MAX;
use serde::Serialize;

use crate::args::{Common, parse_duration};
use crate::exit::Exit;
use crate::output::{self, say};
use crate::place::Place;

use self::report::Report;
use self::stage::Stage;

/// How large it is, and what it must keep.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArgs {
    /// Servers of version 1; as many of version 2 take their place
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    instances: u16,
    /// Boards that are open on them
    #[arg(long, value_name = "M", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    boards: u32,
    /// Load balancers that the servers stand behind, evenly
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(BALANCERS_MAX)))]
    load_balancers: u16,
    /// Clients of each board; they are counted, and have no sockets
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
    clients_per_board: u32,
    /// Whether calls are counted against AWS's published limits
    #[arg(long, value_name = "WHICH", default_value = "aws")]
    limits: Limits,
    /// Fail when the daemon held more at any time; a megabyte is a million bytes
    #[arg(long, value_name = "MB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_memory_mb: u32,
    /// Fail when the release takes longer
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = parse_duration)]
    timeout: Duration,
    /// Write the figures as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Limits {
    /// As AWS publishes them: a launch of thousands takes its time
    Aws,
    /// Not at all: what is measured is the daemon alone
    Off,
}

pub(crate) async fn run(common: &Common, args: BenchArgs) -> Result<Exit> {
    // What runs below may end at any of its awaits: every process that it started is ended with it.
    let place = Place::create("segue-bench-")?;
    let measured = tokio::select! {
        measured = measure(common, &args, &place) => measured,
        _ = tokio::signal::ctrl_c() => {
            say("bench: interrupted; everything that it started is ended");
            return Ok(Exit::Interrupted);
        }
    };
    if !matches!(measured, Ok(Exit::Done)) {
        say(&format!("bench: logs and journal are kept in {}", place.keep().display()));
    }
    measured
}

async fn measure(common: &Common, args: &BenchArgs, place: &Place) -> Result<Exit> {
    say(&format!("bench: starting {} simulated servers with {} boards", args.instances, args.boards));
    let mut stage = Stage::set(args, place).await?;
    say(&format!("bench: the daemon is process {}; its log is in {}", stage.pid(), place.root().display()));
    let outcome = journey::go(&mut stage, args).await?;
    let report = report::count(args, &stage, &outcome, place).await?;
    stage.end().await;
    output::data(common.output, &report, Report::to_string)?;
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("the figures cannot be written to {}", file.display()))?;
    }
    for failure in &report.failures {
        say(&format!("bench: {failure}"));
    }
    Ok(if report.failures.is_empty() { Exit::Done } else { Exit::Error })
}
