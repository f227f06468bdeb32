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

use super::BenchArgs;
use super::gauge::Gauge;
use super::journey::Outcome;
use super::stage::Stage;
use crate::exit::Exit;
use crate::place::Place;

/// For one page of figures.
const FETCH: Duration = Duration::from_secs(30);
/// What each look at the world begins with, as the daemon counts its calls.
const LOOK_CALL: &str = "cloud.instances";
const BYTES_PER_MB: f64 = 1_048_576.0;
/// What everybody should run in the end.
const NEW_VERSION: &str = "2";

/// What is printed, and written as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    instances: u16,
    boards: u32,
    clients_per_board: u32,
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
    /// Of them, those that were refused, with the code.
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
    daemon_mb_max: f64,
    daemon_cpu_s: f64,
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
        clients_per_board: args.clients_per_board,
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
    report.failures = report.broken(args, outcome);
    Ok(report)
}

fn step(step: &StepView, outcome: &Outcome) -> Option<StepFigures> {
    let (from, to) = (step.started_at?, step.ended_at?);
    let ms = u32::try_from(to.unix_ms().saturating_sub(from.unix_ms())).unwrap_or(u32::MAX);
    let during = outcome.by_step.get(&step.name).copied().unwrap_or_default();
    Some(StepFigures {
        name: step.name.clone(),
        seconds: f64::from(ms) / 1_000.0,
        daemon_mb_max: during.rss_mb_max,
        daemon_cpu_s: during.cpu_s,
    })
}

impl From<Gauge> for ProcessFigures {
    fn from(gauge: Gauge) -> Self {
        Self { memory_mb_peak: gauge.peak_mb, cpu_s: gauge.cpu_s }
    }
}

impl Report {
    fn broken(&self, args: &BenchArgs, outcome: &Outcome) -> Vec<String> {
        let mut broken = Vec::new();
        match outcome.exit {
            Some(Exit::Done) => {}
            Some(_) => {
                broken.push(format!("the release did not pass: {}", crate::text::now(&outcome.release)));
            }
            None => broken.push(format!("the release took longer than {} s", args.timeout.as_secs())),
        }
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
        if self.daemon.memory_mb_peak > f64::from(args.max_memory_mb) {
            broken.push(format!(
                "the daemon held {:.0} MB, at most {} are allowed",
                self.daemon.memory_mb_peak, args.max_memory_mb
            ));
        }
        broken
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} servers, {} boards: {:.1} s", self.instances, self.boards, self.seconds)?;
        writeln!(f, "{:<12} {:>9} {:>12} {:>12}", "step", "seconds", "daemon MB", "daemon CPU s")?;
        for step in &self.steps {
            let StepFigures { name, seconds, daemon_mb_max, daemon_cpu_s } = step;
            writeln!(f, "{name:<12} {seconds:>9.1} {daemon_mb_max:>12.0} {daemon_cpu_s:>12.1}")?;
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
    use super::*;

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
