//! `segue demo`: the whole product on this machine. A sandbox with a fleet of version 1, users who edit, the
//! daemon as a process of its own; a canary of version 2, then a full release; at the end a report.
//!
//! The demo is an observer: it asks the daemon's API for releases as anybody does, and takes its figures
//! from the users' own records, the boards' stored logs and the sandbox's ledger.

mod daemon;
mod figures;
mod journey;
mod place;
mod sandbox;
mod screen;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use segue_api::{Client, Limits, ReleaseKind};
use segue_handover::wire::Connect;
use segue_sandbox::Ready;
use segue_sandbox::users::{Crowd, CrowdConfig, Phase, Records, Report, ndjson};
use serde::Serialize;
use tokio::process::Command;

use crate::args::{Output, parse_duration};
use crate::exit::Exit;
use crate::output::{self, say};

use self::daemon::Daemon;
use self::figures::{Counted, Sources};
use self::journey::Journey;
use self::place::Place;
use self::sandbox::Sandbox;

/// What the demo shows.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// Servers of version 1
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=16))]
    servers: u16,
    /// Boards that are open at a time
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    boards: u32,
    /// Users
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    clients: u32,
    /// Edits of each user in a second
    #[arg(long, default_value_t = 2.0)]
    edits_per_s: f64,
    /// How long the canary is watched
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse_duration)]
    bake: Duration,
    /// Makes the users do the same again
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the report as JSON, too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write every user's and every board's record, a line of JSON each
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Where the daemon listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// After the full release go back to version 1, with a report of its own
    #[arg(long)]
    rollback: bool,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// How long users edit before anything is released: what is normal must be known.
const QUIET: Duration = Duration::from_secs(4);
/// Until everybody is in.
const JOINING: Duration = Duration::from_mins(1);
/// Boards that the canary holds at least while it is watched, or the demo's release waits for a person.
pub(crate) const CANARY_MIN_BOARDS: u32 = 5;
/// The one service of the demo.
const SERVICE: &str = "boards";

pub(crate) async fn run(args: DemoArgs) -> Result<Exit> {
    // What runs below may end at any of its awaits: every process that it started is ended with it.
    let place = Place::create()?;
    let shown = tokio::select! {
        shown = show(&args, &place) => shown,
        _ = tokio::signal::ctrl_c() => {
            say("demo: interrupted; everything that it started is ended");
            return Ok(Exit::Interrupted);
        }
    };
    if !matches!(shown, Ok(Exit::Done)) {
        say(&format!("demo: logs are kept in {}", place.keep().display()));
    }
    shown
}

async fn show(args: &DemoArgs, place: &Place) -> Result<Exit> {
    say(&format!("demo: starting the sandbox with {} servers of version 1", args.servers));
    let sandbox = Sandbox::start(place, args).await?;
    let ready = sandbox.ready();
    say(&format!("demo: {} users join {} boards at {}", args.clients, args.boards, ready.load_balancer));
    let mut crowd = Crowd::start(crowd_config(args, ready)?)?;
    let daemon = Daemon::start(place, ready, args).await?;
    say(&format!("demo: the daemon is process {} at {}", daemon.pid(), daemon.url()));
    crowd.settled(JOINING).await?;
    crowd.mark(Phase::Before);
    tokio::time::sleep(QUIET).await;

    let client = Client::new(daemon.url(), Limits::INTERACTIVE)?;
    let mut journey = Journey::new(client.clone());
    let canary = journey.go(&mut crowd, ReleaseKind::Canary, Some("2")).await?;
    if canary.exit != Exit::Done {
        say("demo: the canary did not pass; there is no full release");
        return Ok(canary.exit);
    }
    let full = journey.go(&mut crowd, ReleaseKind::Full, None).await?;
    crowd.mark(Phase::After);
    let sources = Sources { ready, daemon: &daemon, client: &client };
    let records = crowd.quiet().await?;
    let released = figures::count(sources, &records, Phase::Release, &full, Some(&canary)).await?;
    write_records(args, "", &records, &released)?;
    let mut exit = show_report("release", &released)?;
    let mut back = None;
    if args.rollback && full.exit == Exit::Done {
        crowd.resume().await?;
        let outcome = journey.go(&mut crowd, ReleaseKind::Rollback, None).await?;
        crowd.mark(Phase::After);
        let records = crowd.quiet().await?;
        let counted = figures::count(sources, &records, Phase::Rollback, &outcome, None).await?;
        write_records(args, "rollback", &records, &counted)?;
        exit = worse(exit, show_report("rollback", &counted)?);
        back = Some(counted.report);
    }
    if let Some(file) = &args.report {
        let written = Written { release: &released.report, rollback: back.as_ref() };
        std::fs::write(file, serde_json::to_string_pretty(&written)?)
            .with_context(|| format!("the report cannot be written to {}", file.display()))?;
    }
    if args.keep {
        crowd.resume().await?;
        keep(&daemon, ready).await?;
    }
    drop(crowd);
    daemon.end().await;
    sandbox.end().await;
    Ok(exit)
}

/// This program as a process of its own, which does not outlive the demo, however that ends.
fn child(command: &str) -> Result<Command> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let mut child = Command::new(&program);
    child
        .args(["instance-init", "--parent", &std::process::id().to_string(), "--"])
        .arg(program)
        .arg(command);
    Ok(child)
}

fn crowd_config(args: &DemoArgs, ready: &Ready) -> Result<CrowdConfig> {
    let front_door = front_door(ready)?;
    let (boards, clients) = (usize::try_from(args.boards)?, usize::try_from(args.clients)?);
    Ok(CrowdConfig::demo(front_door, boards, clients, args.edits_per_s, args.seed))
}

/// Where users find a board that they know nothing of.
pub(crate) fn front_door(ready: &Ready) -> Result<Connect> {
    let host = ready.load_balancer.trim_start_matches("http://").trim_end_matches('/');
    Ok(Connect::parse(&format!("ws://{host}/board/{{board}}"))?)
}

/// The report as a file: the release's keys, and the rollback's below its own.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    release: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<&'a Report>,
}

/// Into the folder that was asked for, or one inside of it.
fn write_records(args: &DemoArgs, inside: &str, records: &Records, counted: &Counted) -> Result<()> {
    let Some(folder) = &args.records else { return Ok(()) };
    let folder = folder.join(inside);
    ndjson::write(&folder, records, &counted.stored)
        .with_context(|| format!("the records cannot be written to {}", folder.display()))
}

/// Prints it; broken promises are an error.
fn show_report(name: &str, counted: &Counted) -> Result<Exit> {
    let report = &counted.report;
    output::data(Output::Text, report, |report| format!("\nthe {name}\n{report}"))?;
    let failures = report.failures();
    for line in failures.iter().chain(&counted.examples) {
        say(&format!("demo: {line}"));
    }
    Ok(if failures.is_empty() { Exit::Done } else { Exit::Error })
}

fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Done { other } else { one }
}

async fn keep(daemon: &Daemon, ready: &Ready) -> Result<()> {
    say(&format!("demo: kept running until Ctrl-C; the application is at {}", ready.load_balancer));
    say(&format!("demo: try `segue status --daemon {}`", daemon.url()));
    say(&format!("demo: try `segue rollback {SERVICE} --wait --daemon {}`", daemon.url()));
    // The caller ends on Ctrl-C.
    std::future::pending().await
}
