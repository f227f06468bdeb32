//! The figures of a measurement, and which promises were broken.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use segue_api::{StepView, Verdict};
use segue_journal::Address;
use segue_sandbox::{BoardTally, Ledger};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::gauge::Gauge;
use super::journey::Outcome;
use super::stage::Stage;
use super::{BenchArgs, Limits};
use crate::exit::Exit;
use crate::place::Place;

/// For one page of figures.
const FETCH: Duration = Duration::from_secs(30);
/// What each look at the world begins with, as the daemon counts its calls.
const LOOK_CALL: &str = "cloud.instances";
const BYTES_PER_MB: f64 = 1_000_000.0;
/// How EC2 says that a dry run may do what it asked for: the check of permissions asks so.
const DRY_RUN_ENDING: &str = ":DryRunOperation";
/// What everybody should run in the end.
const NEW_VERSION: &str = "2";

/// What is printed, and written as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    instances: u16,
    boards: u32,
    load_balancers: u16,
    clients_per_board: u32,
    limits: Limits,
    /// Of what is below: from the request to the verdict.
    seconds: f64,
    verdict: Option<Verdict>,
    steps: Vec<StepFigures>,
    daemon: ProcessFigures,
    sandbox: ProcessFigures,
    /// Looks at the world.
    ticks: u64,
    /// The daemon's calls by port and method, repeated ones each for itself.
    calls: BTreeMap<String, u64>,
    /// Calls at AWS by action, as the sandbox counted them.
    aws_calls: BTreeMap<String, u64>,
    /// Of them, those that were refused, with the code. A dry run that may is answered by a refusal, too.
    aws_refused: BTreeMap<String, u64>,
    journal: JournalFigures,
    tally: BoardTally,
    /// Promises that were broken, in words; empty in a good measurement.
    pub(super) failures: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StepFigures {
    name: String,
    seconds: f64,
    /// None where nobody looked while it went on: it was too short.
    daemon_mb_max: Option<f64>,
    daemon_cpu_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ProcessFigures {
    /// The most that was resident at any time (`VmHWM`).
    memory_mb_peak: f64,
    cpu_s: f64,
}

#[derive(Debug, Serialize)]
struct JournalFigures {
    records: u64,
    /// The file and its write-ahead log.
    mb: f64,
}

pub(super) async fn count(
    args: &BenchArgs,
    stage: &Stage,
    outcome: &Outcome,
    place: &Place,
) -> Result<Report> {
    let calls = calls(&fetch_text(stage.url.as_str(), "metrics").await?);
    let ledger: Ledger = fetch(&stage.ready.admin, "admin/ledger").await?;
    let release = &outcome.release;
    let mut report = Report {
        instances: args.instances,
        boards: args.boards,
        load_balancers: args.load_balancers,
        clients_per_board: args.clients_per_board,
        limits: args.limits,
        seconds: outcome.seconds,
        verdict: release.verdict,
        steps: release.steps.iter().chain(&release.way_back).filter_map(|it| step(it, outcome)).collect(),
        daemon: stage.daemon()?.into(),
        sandbox: stage.sandbox()?.into(),
        ticks: calls.get(LOOK_CALL).copied().unwrap_or_default(),
        calls,
        aws_calls: ledger.calls,
        aws_refused: ledger.refused,
        journal: journal(&place.path(super::stage::JOURNAL)).await?,
        tally: fetch(&stage.ready.admin, "admin/boards").await?,
        failures: Vec::new(),
    };
    report.failures = ended(args, outcome).into_iter().chain(report.broken(args)).collect();
    Ok(report)
}

fn step(step: &StepView, outcome: &Outcome) -> Option<StepFigures> {
    let (from, to) = (step.started_at?, step.ended_at?);
    let ms = u32::try_from(to.unix_ms().saturating_sub(from.unix_ms())).unwrap_or(u32::MAX);
    let during = outcome.by_step.get(&step.name);
    Some(StepFigures {
        name: step.name.clone(),
        seconds: f64::from(ms) / 1_000.0,
        daemon_mb_max: during.map(|it| it.rss_mb_max),
        daemon_cpu_s: during.map(|it| it.cpu_s),
    })
}

impl From<Gauge> for ProcessFigures {
    fn from(gauge: Gauge) -> Self {
        Self { memory_mb_peak: gauge.peak_mb, cpu_s: gauge.cpu_s }
    }
}

/// How the release ended, if not well.
fn ended(args: &BenchArgs, outcome: &Outcome) -> Option<String> {
    match outcome.exit {
        Some(Exit::Done) => None,
        Some(_) => Some(format!("the release did not pass: {}", crate::text::now(&outcome.release))),
        None => Some(format!("the release took longer than {} s", args.timeout.as_secs())),
    }
}

impl Report {
    /// What the figures say against it.
    fn broken(&self, args: &BenchArgs) -> Vec<String> {
        let mut broken = Vec::new();
        let BoardTally { boards, on_one_living, on_ended, on_none, on_several, disputed, .. } = &self.tally;
        if *boards != u64::from(args.boards) || on_one_living != boards {
            broken.push(format!(
                "of {} boards {on_one_living} are on exactly one living server; {on_ended} are on an ended one, \
                 {on_none} on none, {on_several} on several, {disputed} have another owner in the table",
                args.boards
            ));
        }
        let (once, there) = (
            self.tally.by_moves.get(&1),
            self.tally.by_version.get(NEW_VERSION).copied().unwrap_or_default(),
        );
        if once != Some(boards) || there != *boards {
            broken.push(format!(
                "{} of {boards} boards moved exactly once, and {there} are on version {NEW_VERSION}",
                once.copied().unwrap_or_default()
            ));
        }
        for (what, count) in self.aws_refused.iter().filter(|(what, _)| !what.ends_with(DRY_RUN_ENDING)) {
            broken.push(format!("AWS refused {what} {count} times"));
        }
        if self.daemon.memory_mb_peak > f64::from(args.max_memory_mb) {
            broken.push(format!(
                "the daemon held {:.1} MB, at most {} are allowed",
                self.daemon.memory_mb_peak, args.max_memory_mb
            ));
        }
        broken
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, boards, load_balancers, seconds, .. } = self;
        let limits = match self.limits {
            Limits::Aws => "under AWS's limits",
            Limits::Off => "without limits",
        };
        writeln!(
            f,
            "{instances} servers behind {load_balancers} load balancers, {boards} boards, {limits}: {seconds:.1} s"
        )?;
        writeln!(f, "{:<12} {:>9} {:>12} {:>12}", "step", "seconds", "daemon MB", "daemon CPU s")?;
        for step in &self.steps {
            let StepFigures { name, seconds, daemon_mb_max, daemon_cpu_s } = step;
            let (mb, cpu_s) = (known(*daemon_mb_max, 0), known(*daemon_cpu_s, 1));
            writeln!(f, "{name:<12} {seconds:>9.1} {mb:>12} {cpu_s:>12}")?;
        }
        let (daemon, sandbox, journal) = (&self.daemon, &self.sandbox, &self.journal);
        writeln!(
            f,
            "daemon    {:.0} MB at most, {:.1} s of processor time",
            daemon.memory_mb_peak, daemon.cpu_s
        )?;
        writeln!(
            f,
            "sandbox   {:.0} MB at most, {:.1} s of processor time",
            sandbox.memory_mb_peak, sandbox.cpu_s
        )?;
        writeln!(f, "journal   {} records, {:.1} MB", journal.records, journal.mb)?;
        writeln!(f, "ticks     {}", self.ticks)?;
        rows(f, "calls of the daemon", &self.calls)?;
        rows(f, "calls at AWS", &self.aws_calls)?;
        rows(f, "refused by AWS", &self.aws_refused)?;
        let BoardTally { boards, on_one_living, by_version, by_moves, .. } = &self.tally;
        writeln!(f, "boards    {on_one_living} of {boards} on exactly one living server")?;
        writeln!(f, "          by version {by_version:?}, by times moved {by_moves:?}")
    }
}

fn known(figure: Option<f64>, places: usize) -> String {
    figure.map_or_else(|| "unknown".to_owned(), |figure| format!("{figure:.places$}"))
}

fn rows(f: &mut fmt::Formatter<'_>, title: &str, counts: &BTreeMap<String, u64>) -> fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}")?;
    counts.iter().try_for_each(|(name, count)| writeln!(f, "  {name:<32} {count:>10}"))
}

/// From the daemon's metrics page: `segue_calls_total{port="cloud",method="instances",result="done"} 7`.
fn calls(page: &str) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("segue_calls_total{")) {
        let Some((labels, value)) = line.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            let value = labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix("=\""));
            value.and_then(|value| value.strip_suffix('"'))
        };
        if let (Some(port), Some(method), Ok(count)) = (label("port"), label("method"), value.parse::<u64>())
        {
            *calls.entry(format!("{port}.{method}")).or_default() += count;
        }
    }
    calls.retain(|_, count| *count > 0);
    calls
}

async fn journal(file: &Path) -> Result<JournalFigures> {
    let reader = Address::File(file.to_owned()).open_to_read().await.context("the journal cannot be read")?;
    let records = reader.streams("").await?.iter().map(|stream| stream.seq).sum();
    let mut bytes = 0.0;
    for ending in ["", "-wal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        // Without a write-ahead log it is all in the file.
        if let Ok(kib) = std::fs::metadata(&name).map(|it| it.len().div_ceil(1_024)) {
            bytes += f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1_024.0;
        }
    }
    Ok(JournalFigures { records, mb: bytes / BYTES_PER_MB })
}

async fn fetch<T: DeserializeOwned>(base: &str, path: &str) -> Result<T> {
    serde_json::from_str(&fetch_text(base, path).await?)
        .with_context(|| format!("{base}/{path} answered something else"))
}

async fn fetch_text(base: &str, path: &str) -> Result<String> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    let answer = reqwest::Client::new().get(&url).timeout(FETCH).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    let answer = answer.with_context(|| format!("no answer from {url}"))?;
    answer.text().await.with_context(|| format!("no whole answer from {url}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn args() -> BenchArgs {
        Line::parse_from(["bench", "--instances", "2", "--boards", "10"]).args
    }

    /// Of a measurement in which every promise was kept.
    fn good() -> Report {
        let figures = |memory_mb_peak| ProcessFigures { memory_mb_peak, cpu_s: 1.0 };
        Report {
            instances: 2,
            boards: 10,
            load_balancers: 1,
            clients_per_board: 0,
            limits: Limits::Aws,
            seconds: 1.0,
            verdict: Some(Verdict::Released),
            steps: Vec::new(),
            daemon: figures(255.9),
            sandbox: figures(900.0),
            ticks: 1,
            calls: BTreeMap::new(),
            aws_calls: BTreeMap::new(),
            aws_refused: [("DescribeInstances:DryRunOperation".to_owned(), 1)].into(),
            journal: JournalFigures { records: 1, mb: 0.1 },
            tally: BoardTally {
                boards: 10,
                on_one_living: 10,
                by_version: [("2".to_owned(), 10)].into(),
                by_moves: [(1, 10)].into(),
                ..BoardTally::default()
            },
            failures: Vec::new(),
        }
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Report), expected: &[&str]) {
        let mut report = good();
        spoil(&mut report);
        assert_eq!(report.broken(&args()), expected);
    }

    #[test]
    fn each_broken_promise_is_said_and_nothing_else() {
        check(|_| {}, &[]);
        check(
            |it| (it.tally.on_one_living, it.tally.on_none, it.tally.disputed) = (8, 1, 1),
            &[
                "of 10 boards 8 are on exactly one living server; 0 are on an ended one, 1 on none, 0 on several, \
               1 have another owner in the table",
            ],
        );
        let lost = "of 10 boards 9 are on exactly one living server; 0 are on an ended one, 0 on none, 0 on several, \
                    0 have another owner in the table";
        check(
            |it| (it.tally.boards, it.tally.on_one_living) = (9, 9),
            &[lost, "10 of 9 boards moved exactly once, and 10 are on version 2"],
        );
        check(
            |it| it.tally.by_moves = [(1, 9), (2, 1)].into(),
            &["9 of 10 boards moved exactly once, and 10 are on version 2"],
        );
        check(
            |it| it.tally.by_version = [("1".to_owned(), 10)].into(),
            &["10 of 10 boards moved exactly once, and 0 are on version 2"],
        );
        check(|it| it.daemon.memory_mb_peak = 256.1, &["the daemon held 256.1 MB, at most 256 are allowed"]);
        check(
            |it| it.aws_refused.extend([("RegisterTargets:Throttling".to_owned(), 3)]),
            &["AWS refused RegisterTargets:Throttling 3 times"],
        );
    }

    #[test]
    fn what_nobody_looked_at_is_unknown_and_not_zero() {
        let step = |name: &str, figure| StepFigures {
            name: name.to_owned(),
            seconds: 0.1,
            daemon_mb_max: figure,
            daemon_cpu_s: figure,
        };
        let report = Report { steps: vec![step("resolve", None), step("launch", Some(61.0))], ..good() };
        let text = report.to_string();
        assert!(text.contains("resolve            0.1      unknown      unknown\n"), "{text}");
        assert!(text.contains("launch             0.1           61         61.0\n"), "{text}");
        let json = serde_json::to_value(&report).expect("it is JSON");
        assert_eq!(json["steps"][0]["daemon_mb_max"], serde_json::Value::Null);
        assert_eq!((&json["limits"], &json["load_balancers"]), (&"aws".into(), &1.into()));
    }

    #[test]
    fn calls_are_added_up_whatever_their_end_was() {
        let page = "# TYPE segue_calls counter\n\
            segue_calls_total{port=\"cloud\",method=\"instances\",result=\"done\"} 7\n\
            segue_calls_total{port=\"cloud\",method=\"instances\",result=\"retry\"} 2\n\
            segue_calls_total{port=\"boards\",method=\"seal\",result=\"bug\"} 0\n\
            segue_call_seconds_total{port=\"cloud\",method=\"instances\"} 0.5\n";
        assert_eq!(calls(page), BTreeMap::from([("cloud.instances".to_owned(), 9)]));
    }
}
