//! `segue demo`: the whole product on this machine. A sandbox with a fleet of version 1, users who edit, the
//! daemon as a process of its own; a canary of version 2, then a full release; at the end a report.
//!
//! The demo is an observer: it asks the daemon's API for releases as anybody does, and takes its figures
//! from the users' own records, the boards' stored logs and the sandbox's ledger.

mod chaos;
mod daemon;
mod faults;
mod figures;
mod freeze;
mod hand;
mod journey;
mod kills;
mod sandbox;
mod screen;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use segue_api::{Client, Limits, ReleaseKind};
use segue_handover::wire::Connect;
use segue_sandbox::users::{AtMost, Crowd, CrowdConfig, Phase, Records, Report, Verdict, ndjson};
use segue_sandbox::{Ready, Sabotage};
use serde::Serialize;

use crate::args::{Output, parse_duration};
use crate::daemon_config::Patience;
use crate::exit::Exit;
use crate::output::{self, say};
use crate::place::Place;

use self::chaos::Chaos;
use self::daemon::Daemon;
use self::figures::{Counted, Sources};
use self::hand::Hand;
use self::journey::{Journey, Outcome};
use self::kills::Kills;
use self::sandbox::Sandbox;

/// What the demo shows.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and none goes with another"
)]
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
    /// What the sandbox is like besides, in TOML (docs/sandbox.md): faults, delays, limits, switches
    #[arg(long, value_name = "FILE")]
    sandbox: Option<PathBuf>,
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
    /// Kill the daemon and a new server, lose a reply, throttle calls and take Prometheus away, as the seed has it
    #[arg(long, conflicts_with_all = ["rollback", "sabotage"])]
    chaos: bool,
    /// Kill the daemon so many times, in steps and at moments of them that the seed draws
    #[arg(long, value_name = "N", conflicts_with_all = ["rollback", "sabotage", "chaos"],
          value_parser = clap::value_parser!(u32).range(1..=50))]
    kills: Option<u32>,
    /// With --kills: fail where a daemon decided nothing within this time of its start
    #[arg(long, value_name = "TIME", requires = "kills", value_parser = parse_duration)]
    decides_within: Option<Duration>,
    /// Plant a fault that the report must show: what shows that its counters count
    #[arg(long, value_name = "FAULT", conflicts_with = "rollback")]
    sabotage: Option<Sabotage>,
    /// Only freeze an old server for longer than it may be silent, with nothing planted
    #[arg(long, hide = true)]
    freeze: bool,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl DemoArgs {
    /// Whether an old server stands still for a while: the stale writer.
    fn freezes(&self) -> bool {
        self.freeze || self.sabotage == Some(Sabotage::NoFence)
    }

    /// One fleet is there, one is launched, and the first is stopped; the canary is one of the new servers. In the
    /// place of one that was killed comes another. Under chaos a release may turn back, and stops what it launched.
    fn at_most(&self, servers_killed: u64) -> AtMost {
        let servers = u64::from(self.servers);
        AtMost {
            launched: (servers * 2).saturating_add(servers_killed),
            stopped: (!self.chaos).then_some(servers),
            first_decision_ms: self.decides_within.map(|within| within.as_secs_f64() * 1_000.0),
        }
    }

    fn patience(&self) -> Patience {
        let usual = Patience::default();
        match (self.sabotage, self.chaos || self.kills.is_some()) {
            // Boards that a planted fault has spoilt cannot be moved: that need not be waited for.
            (Some(_), _) => Patience { step: SPOILT, ..usual },
            // Boards go in many small waves, so that there is time to be killed among them.
            (None, true) => Patience { wave_boards: SMALL_WAVE, ..usual },
            (None, false) => usual,
        }
    }
}

/// Boards that are carried at a time under chaos.
const SMALL_WAVE: u32 = 5;
/// How long a release with a planted fault waits for what does not come.
const SPOILT: Duration = Duration::from_secs(15);
/// How long users edit before anything is released: what is normal must be known.
const QUIET: Duration = Duration::from_secs(4);
/// Until everybody is in.
const JOINING: Duration = Duration::from_mins(1);
/// Boards that a canary holds at least while it is watched, or its release waits for a person. Users open some five a second,
/// a fifth of them on one canary beside four servers, and most are left within seconds: four at a time are usual.
const CANARY_MIN_BOARDS: u32 = 2;
/// Of an even share it is asked for so much only: neither chance nor a busy machine is to hold a release.
const CANARY_SHARE: u32 = 8;
/// The one service of the demo.
const SERVICE: &str = "boards";

/// How many boards a canary beside so many servers must have held, where users have so many open.
pub(crate) fn canary_min_boards(boards: u32, servers: u32) -> u32 {
    (boards / (servers + 1) / CANARY_SHARE).min(CANARY_MIN_BOARDS)
}

pub(crate) async fn run(args: DemoArgs) -> Result<Exit> {
    // Every user has a socket here, and a second one while a board changes servers.
    segue_sandbox::raise_descriptors();
    // What runs below may end at any of its awaits: every process that it started is ended with it.
    let place = Place::create("segue-demo-")?;
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
    let mut stage = Stage::set(args, place).await?;
    let ready = stage.sandbox.ready().clone();
    if args.freezes() {
        freeze::an_old_server(&ready).await?;
    }
    stage.crowd.mark(Phase::Before);
    tokio::time::sleep(QUIET).await;
    let mut journey = Journey::new(stage.client.clone());
    let released = released(args, &mut stage, &mut journey).await?;
    let mut exit = show_report("release", &released)?;
    let mut back = None;
    if args.rollback && released.report.verdict == Verdict::Released {
        stage.crowd.resume().await?;
        let outcome = journey.go(&mut stage.crowd, ReleaseKind::Rollback, None).await?;
        stage.crowd.mark(Phase::After);
        let records = stage.crowd.quiet().await?;
        let mut counted = figures::count(stage.sources(), &records, Phase::Rollback, &outcome, None).await?;
        // The servers of both versions were stopped by now, one fleet after the other.
        let at_most = args.at_most(0);
        counted.report.at_most = Some(AtMost { stopped: at_most.stopped.map(|it| it * 2), ..at_most });
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
        stage.crowd.resume().await?;
        keep(&stage.daemon, &ready).await?;
    }
    stage.end().await;
    Ok(exit)
}

/// Everything that runs.
struct Stage {
    sandbox: Sandbox,
    crowd: Crowd,
    daemon: Daemon,
    client: Client,
}

impl Stage {
    /// Starts it all, and waits until everybody is in.
    async fn set(args: &DemoArgs, place: &Place) -> Result<Self> {
        say(&format!("demo: starting the sandbox with {} servers of version 1", args.servers));
        let sandbox = Sandbox::start(place, args).await?;
        let ready = sandbox.ready();
        say(&format!("demo: its ledger and its faults are at {}", ready.admin));
        say(&format!("demo: {} users join {} boards at {}", args.clients, args.boards, ready.load_balancer));
        let crowd = Crowd::start(crowd_config(args, ready)?)?;
        let daemon = Daemon::start(place, ready, args).await?;
        let client = Client::new(daemon.url(), Limits::INTERACTIVE)?;
        say(&format!("demo: the daemon is process {} at {}", daemon.pid(), daemon.url()));
        crowd.settled(JOINING).await?;
        Ok(Self { sandbox, crowd, daemon, client })
    }

    fn sources(&self) -> Sources<'_> {
        Sources { ready: self.sandbox.ready(), daemon: &self.daemon, client: &self.client }
    }

    async fn end(self) {
        drop(self.crowd);
        self.daemon.end().await;
        self.sandbox.end().await;
    }
}

/// The canary and the full release, with whatever is done to them on purpose, as everybody else saw it.
async fn released(args: &DemoArgs, stage: &mut Stage, journey: &mut Journey) -> Result<Counted> {
    let ready = stage.sandbox.ready().clone();
    let hand = || Hand { client: stage.client.clone(), daemon: stage.daemon.seen(), asked: journey.asked() };
    let chaos = args.chaos.then(|| Chaos::start(args.seed, &ready, hand())).transpose()?;
    let kills = args.kills.map(|times| Kills::start(args.seed, times, hand()));
    let (canary, full) = release(journey, &mut stage.crowd).await?;
    let done = chaos.map(Chaos::end);
    let killed = match kills {
        Some(kills) => Some(kills.end().await),
        None => None,
    };
    stage.crowd.mark(Phase::After);
    let records = stage.crowd.quiet().await?;
    let outcome = full.as_ref().unwrap_or(&canary);
    let mut counted =
        figures::count(stage.sources(), &records, Phase::Release, outcome, Some(&canary)).await?;
    if let Some(killed) = killed {
        let releases: Vec<_> =
            [Some(&canary), full.as_ref()].into_iter().flatten().map(|it| &it.release).collect();
        counted.report.kills = Some(kills::count(&killed, &stage.daemon.killed_at_ms(), &releases));
        counted.report.daemon.first_decision_ms_max = killed.first_decision_ms_max();
    }
    let servers_killed = done.as_ref().map_or(0, chaos::Done::servers_killed);
    counted.report.at_most = Some(args.at_most(servers_killed));
    if let Some(done) = done {
        let full = full.as_ref().map(|full| &full.release);
        let (ledger, owners) = (&counted.ledger, &counted.owners);
        counted.report.chaos = Some(chaos::count(&done, &stage.daemon, full, ledger, owners));
        if counted.report.verdict == Verdict::RolledBack {
            chaos::as_before(&ready).await?;
        }
    }
    write_records(args, "", &records, &counted)?;
    Ok(counted)
}

/// A canary, and a full release where it passed.
async fn release(journey: &mut Journey, crowd: &mut Crowd) -> Result<(Outcome, Option<Outcome>)> {
    let canary = journey.go(crowd, ReleaseKind::Canary, Some("2")).await?;
    if canary.exit != Exit::Done {
        say("demo: the canary did not pass; there is no full release");
        return Ok((canary, None));
    }
    let full = journey.go(crowd, ReleaseKind::Full, None).await?;
    Ok((canary, Some(full)))
}

fn crowd_config(args: &DemoArgs, ready: &Ready) -> Result<CrowdConfig> {
    let front_door = front_door(ready)?;
    let (boards, clients) = (usize::try_from(args.boards)?, usize::try_from(args.clients)?);
    let mut config = CrowdConfig::demo(front_door, boards, clients, args.edits_per_s, args.seed);
    if args.freezes() {
        config.silence = freeze::SILENCE;
    }
    Ok(config)
}

/// Where users find a board that they know nothing of.
pub(crate) fn front_door(ready: &Ready) -> Result<Connect> {
    door_of(&ready.load_balancer)
}

/// The same through each of the other load balancers.
pub(crate) fn other_doors(ready: &Ready) -> Result<Vec<Connect>> {
    ready.others.iter().map(|other| door_of(&other.load_balancer)).collect()
}

fn door_of(url: &str) -> Result<Connect> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
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
    let Counted { stored, owners, ledger, .. } = counted;
    let witnesses = ndjson::Witnesses { records, stored, owners, ledger };
    ndjson::write(&folder, witnesses)
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
