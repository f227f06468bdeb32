//! The report: the users' own records and the boards' stored logs and owners, the sandbox's ledger, the servers'
//! metrics, and the steps as the API tells them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use segue_api::{Client, ReleaseState, ReleaseView, ServiceView, StepOutcome, StepView};
use segue_sandbox::store::client::StoreClient;
use segue_sandbox::users::{
    AttachRate, Boards, Canary, Daemon as DaemonFigures, Figures, Instances as InstanceFigures, Owners,
    Phase, Records, Recount, Report, StepLine, Stored, Verdict, Window,
};
use segue_sandbox::{Instances, Ledger, Ready};
use serde::de::DeserializeOwned;

use super::daemon::Daemon;
use super::journey::Outcome;

/// For one page of figures.
const FETCH: Duration = Duration::from_secs(10);
/// The demo's servers show their metrics beside the control contract.
const METRICS_PORT: u16 = segue_handover::wire::CONTROL_PORT;

/// Where everything is that figures are taken from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) ready: &'a Ready,
    pub(super) daemon: &'a Daemon,
    pub(super) client: &'a Client,
}

/// A report, what it was counted against, and the first differences of the recount in words.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) report: Report,
    pub(super) stored: Stored,
    pub(super) owners: Owners,
    pub(super) ledger: Ledger,
    pub(super) examples: Vec<String>,
}

/// Counts one journey. `phase` is its part of the records; without a canary there is no canary's verdict.
pub(super) async fn count(
    sources: Sources<'_>,
    records: &Records,
    phase: Phase,
    outcome: &Outcome,
    canary: Option<&Outcome>,
) -> Result<Counted> {
    let store = StoreClient::connect(sources.ready.store.context("the sandbox has no store")?);
    let stored = Stored::fetch(&store).await.context("the boards' logs cannot be read")?;
    let owners = Owners::fetch(&store).await.context("the boards' owners cannot be read")?;
    let recount = Recount::of(records, &stored);
    let window = Window {
        before_us: records.span(Phase::Before).unwrap_or(NOTHING),
        during_us: records.span(phase).unwrap_or(NOTHING),
    };
    let mut report = Report::of_users(&Figures::of(records, &window), &recount);
    report.verdict = verdict(&outcome.release);
    report.seconds = outcome.seconds;
    report.canary = canary.map(|canary| Canary { verdict: verdict(&canary.release) });
    report.steps = steps(&outcome.release);
    let told = &outcome.release.boards;
    report.boards = Boards {
        total: report.boards.total,
        alive_on_blue_at_close: told.alive_at_close.unwrap_or(0),
        moved: told.moved,
        failed: told.failed,
    };
    let ledger: Ledger = fetch(&sources.ready.admin, "admin/ledger").await?;
    let service = sources.client.service(super::SERVICE).await?;
    report.instances = instances(&ledger, &service, &owners);
    report.aws_calls.clone_from(&ledger.calls);
    report.attach_rate = attach_rate(sources.ready).await?;
    report.daemon = DaemonFigures {
        restarts: u64::from(sources.daemon.restarts()),
        killed: u64::try_from(sources.daemon.killed_at_ms().len())?,
        first_decision_ms_max: None,
        rss_mb_max: Some(sources.daemon.rss_mb_max()),
    };
    Ok(Counted { report, stored, owners, ledger, examples: recount.examples })
}

const NOTHING: Range<u64> = 0..0;

fn verdict(release: &ReleaseView) -> Verdict {
    match (release.state, release.verdict) {
        (ReleaseState::Closed, Some(segue_api::Verdict::Passed)) => Verdict::Passed,
        (ReleaseState::Closed, Some(segue_api::Verdict::Released)) => Verdict::Released,
        (ReleaseState::Closed, Some(segue_api::Verdict::RolledBack)) => Verdict::RolledBack,
        (ReleaseState::Closed, Some(segue_api::Verdict::Aborted)) => Verdict::Aborted,
        (ReleaseState::Closed, Some(segue_api::Verdict::Refused)) => Verdict::Refused,
        (ReleaseState::Held | ReleaseState::Asking, _) => Verdict::Held,
        (ReleaseState::Closed, None) | (ReleaseState::Running | ReleaseState::Paused, _) => {
            Verdict::Unfinished
        }
    }
}

fn steps(release: &ReleaseView) -> Vec<StepLine> {
    release.steps.iter().chain(&release.way_back).filter_map(step).collect()
}

fn step(step: &StepView) -> Option<StepLine> {
    let (from, to) = (step.started_at?, step.ended_at?);
    let ms = u32::try_from(to.unix_ms().saturating_sub(from.unix_ms())).unwrap_or(u32::MAX);
    let outcome = match step.outcome {
        Some(StepOutcome::FoundDone) => "found_done",
        Some(StepOutcome::Did) => "did",
        Some(StepOutcome::TookOver) => "took_over",
        None => "not_done",
    };
    Some(StepLine { name: step.name.clone(), seconds: f64::from(ms) / 1_000.0, outcome: outcome.to_owned() })
}

/// Orphaned: it runs, and the daemon does not know it as part of a fleet. One that was launched twice has its tags, and
/// is in a fleet: that is told by how many there may be.
fn instances(ledger: &Ledger, service: &ServiceView, owners: &Owners) -> InstanceFigures {
    let known: BTreeSet<&str> = service
        .fleets
        .iter()
        .flat_map(|fleet| &fleet.instances)
        .map(|instance| instance.id.as_str())
        .collect();
    let alive = ledger.launches.iter().filter(|it| it.state != "terminated" && it.state != "shutting-down");
    let orphaned = alive.filter(|it| !known.contains(it.instance_id.as_str())).count();
    InstanceFigures {
        launched: u64::try_from(ledger.launches.len()).unwrap_or(u64::MAX),
        terminated: ledger.terminated,
        stopped: ledger.stopped,
        orphaned: u64::try_from(orphaned).unwrap_or(u64::MAX),
        ended_with_boards: owners.ended_with_boards(&ledger.ends),
    }
}

/// The highest peak of any server that admitted somebody, and the limit that was set there. Unknown where a server does
/// not tell.
async fn attach_rate(ready: &Ready) -> Result<AttachRate> {
    let instances: Instances = fetch(&ready.admin, "admin/instances").await?;
    let mut paces = Vec::new();
    for instance in instances.instances.iter().filter(|instance| instance.state == "running") {
        let url = format!("http://{}:{METRICS_PORT}/metrics", instance.address);
        let page = reqwest::Client::new().get(&url).timeout(FETCH).send().await?.text().await?;
        paces.push(Pace::of(&parse_metrics(&page)));
    }
    Ok(highest(&paces))
}

/// What one server tells of whom it let in.
#[derive(Debug, Clone, Copy)]
struct Pace {
    admitted: Option<u64>,
    limit_per_s: Option<u64>,
    peak_in_100ms: Option<u64>,
}

impl Pace {
    fn of(metrics: &BTreeMap<&str, u64>) -> Self {
        let value = |name: &str| metrics.get(name).copied();
        Self {
            admitted: value("attach_admitted_total"),
            limit_per_s: value("attach_limit_per_s"),
            peak_in_100ms: value("attach_peak_in_100ms"),
        }
    }
}

fn highest(paces: &[Pace]) -> AttachRate {
    // One that does not say whether it admitted anybody may have.
    let admitted = || paces.iter().filter(|pace| pace.admitted != Some(0));
    let highest = |of: fn(&Pace) -> Option<u64>| {
        let all: Option<Vec<u64>> = admitted().map(of).collect();
        all.and_then(|all| all.into_iter().max())
    };
    AttachRate {
        limit_per_s: highest(|pace| pace.limit_per_s),
        peak_in_100ms: highest(|pace| pace.peak_in_100ms),
    }
}

/// Whole numbers without labels, which is all that is wanted of the page.
fn parse_metrics(page: &str) -> BTreeMap<&str, u64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect()
}

pub(super) async fn fetch<T: DeserializeOwned>(base: &str, path: &str) -> Result<T> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    let answer = reqwest::Client::new().get(&url).timeout(FETCH).send().await;
    let answer = answer
        .and_then(reqwest::Response::error_for_status)
        .with_context(|| format!("no answer from {url}"))?;
    answer.json().await.with_context(|| format!("{url} answered something else"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metrics_page_is_read_for_its_whole_numbers() {
        let page =
            "# TYPE attach_limit_per_s gauge\nattach_limit_per_s 250\nwith{label=\"x\"} 3\nratio 0.5\n";
        assert_eq!(parse_metrics(page).get("attach_limit_per_s"), Some(&250));
        assert_eq!(parse_metrics(page).get("ratio"), None);
    }
    #[test]
    fn a_pace_that_one_of_the_servers_does_not_tell_is_unknown() {
        let pace = |admitted, limit_per_s, peak_in_100ms| Pace { admitted, limit_per_s, peak_in_100ms };
        let (idle, busy) = (pace(Some(0), None, None), pace(Some(9), Some(250), Some(20)));
        let known = AttachRate { limit_per_s: Some(250), peak_in_100ms: Some(21) };
        assert_eq!(highest(&[idle, busy, pace(Some(1), Some(100), Some(21))]), known);
        assert_eq!(highest(&[idle]), AttachRate::default());
        assert_eq!(highest(&[busy, pace(Some(1), Some(250), None)]).peak_in_100ms, None);
        assert_eq!(highest(&[busy, pace(None, None, None)]), AttachRate::default());
    }
}
