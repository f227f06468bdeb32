//! The report of a demo, in users' terms: its shape, its text, and which promises were broken.
//!
//! It is a plain value. The users' part comes from [`Recount`] and [`Figures`]; whoever runs the demo
//! fills in the rest from the ledger, the API and the processes.

mod failures;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures::{Figures, Percentiles};
use super::recount::Recount;

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A canary proved itself.
    Passed,
    /// The service runs the version that was asked for.
    Released,
    /// It failed, and everything is as it was before.
    RolledBack,
    /// A person aborted it.
    Aborted,
    /// It never began.
    Refused,
    /// It waits for a person.
    Held,
    /// It was not over when the report was made.
    Unfinished,
}

/// Everything; the keys are fixed, numbers that are not known are `null` and never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub verdict: Verdict,
    /// From the request to the verdict.
    pub seconds: f64,
    /// None where there was no canary (a rollback).
    pub canary: Option<Canary>,
    pub steps: Vec<StepLine>,
    pub boards: Boards,
    pub clients: Clients,
    pub edits: Edits,
    pub stall_ms: Stall,
    pub control_stall_ms: Control,
    pub edit_latency_ms: EditLatency,
    pub attach_rate: AttachRate,
    pub aws_calls: BTreeMap<String, u64>,
    pub instances: Instances,
    pub daemon: Daemon,
    /// None where nothing was done on purpose.
    #[serde(default)]
    pub chaos: Option<Chaos>,
    /// None where nothing was planned: the users' part alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
    /// None where the daemon was not killed at moments that were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kills: Option<Kills>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub verdict: Verdict,
}

/// A step as the API told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    pub name: String,
    pub seconds: f64,
    pub outcome: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boards {
    /// Distinct boards of the whole run.
    pub total: u64,
    /// That were on the old servers when these were closed to new ones.
    pub alive_on_blue_at_close: u64,
    pub moved: u64,
    /// Tries that moved nothing: the board stayed for that wave.
    pub failed: u64,
}

/// The figures about clients, as they are.
pub type Clients = super::figures::ClientFigures;

/// The recount's figures, as they are.
pub type Edits = super::recount::EditCounts;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub max: Option<f64>,
}

/// Two percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Control {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EditLatency {
    pub before: Control,
    pub during: Control,
}

/// Of the servers that admitted somebody; unknown where there is none, and where one of them does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachRate {
    pub limit_per_s: Option<u64>,
    /// The most that any server admitted within 100 ms.
    pub peak_in_100ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    pub launched: u64,
    pub terminated: u64,
    pub stopped: u64,
    /// Running, and nobody's.
    pub orphaned: u64,
    /// Stopped or terminated while the ownership table gave boards to them.
    pub ended_with_boards: u64,
}

/// What a demo may come to, by its plan and by what it is held to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtMost {
    /// The servers that were there included, and one for each that was killed.
    pub launched: u64,
    /// None where a release may turn back: it stops what it launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<u64>,
    /// From the start of a daemon to its first decision; none where time is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_decision_ms: Option<f64>,
}

/// What was done to a release on purpose, as far as it was seen to be so by others than who did it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chaos {
    pub daemon_kills: u64,
    /// Of these, while boards were being carried across.
    pub daemon_kills_in_handover: u64,
    /// Answers to launches that the sandbox did not send, though it had done as asked.
    pub lost_replies: u64,
    /// New servers that were killed while the ownership table gave boards to them.
    pub green_killed_with_boards: u64,
}

/// Kills of the daemon at moments that a seed drew, as its keeper saw them and the journal's times place them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kills {
    pub wanted: u64,
    /// Those after which the daemon decided something.
    pub followed: u64,
    /// By release and step, as `full handover`; `between` is before a release began or after it ended.
    pub by_step: BTreeMap<String, u64>,
    /// Of these, from a full release's `close` on.
    pub late: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Daemon {
    pub restarts: u64,
    /// How often it ended by SIGKILL.
    #[serde(default)]
    pub killed: u64,
    /// The longest time from the start of a process to its first decision; there where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_decision_ms_max: Option<f64>,
    /// Unknown where the machine does not tell.
    pub rss_mb_max: Option<f64>,
}

impl Stall {
    fn of(figures: &Percentiles) -> Self {
        Self { p50: figures.p50_ms, p99: figures.p99_ms, max: figures.max_ms }
    }
}

impl Control {
    fn of(figures: &Percentiles) -> Self {
        Self { p50: figures.p50_ms, p99: figures.p99_ms }
    }
}

impl Report {
    /// A report with the users' part filled in and the rest as if nothing had been done: `Unfinished`,
    /// no steps, no calls. `boards.moved` counts boards with a client that was moved.
    pub fn of_users(figures: &Figures, recount: &Recount) -> Self {
        Self {
            verdict: Verdict::Unfinished,
            seconds: 0.0,
            canary: None,
            steps: Vec::new(),
            boards: Boards {
                total: figures.boards_total,
                alive_on_blue_at_close: 0,
                moved: figures.boards_moved,
                failed: 0,
            },
            clients: figures.clients,
            edits: recount.counts,
            stall_ms: Stall::of(&figures.stall),
            control_stall_ms: Control::of(&figures.control_stall),
            edit_latency_ms: EditLatency {
                before: Control::of(&figures.latency_before),
                during: Control::of(&figures.latency_during),
            },
            attach_rate: AttachRate::default(),
            aws_calls: BTreeMap::new(),
            instances: Instances {
                launched: 0,
                terminated: 0,
                stopped: 0,
                orphaned: 0,
                ended_with_boards: 0,
            },
            daemon: Daemon { restarts: 0, killed: 0, first_decision_ms_max: None, rss_mb_max: None },
            chaos: None,
            at_most: None,
            kills: None,
        }
    }
}

/// Just enough of everything.
#[cfg(test)]
fn chaos() -> Chaos {
    Chaos { daemon_kills: 5, daemon_kills_in_handover: 2, lost_replies: 1, green_killed_with_boards: 1 }
}

/// As many as were wanted, in all parts of a demo.
#[cfg(test)]
fn kills() -> Kills {
    let by_step = [("canary admit", 4), ("full close", 2), ("full handover", 4)];
    let by_step = by_step.map(|(step, times)| (step.to_owned(), times)).into();
    Kills { wanted: 10, followed: 10, by_step, late: 6 }
}

/// A report in which every promise is kept.
#[cfg(test)]
fn good() -> Report {
    let counts =
        super::recount::EditCounts { sent: 9_000, acknowledged: 9_000, stored: 9_000, ..Default::default() };
    let of = |p50, p99| Percentiles { count: 9, p50_ms: Some(p50), p99_ms: Some(p99), max_ms: Some(p99) };
    let figures = Figures {
        boards_total: 240,
        boards_moved: 200,
        stall: of(1.5, 12.0),
        control_stall: of(1.2, 8.0),
        latency_before: of(1.1, 6.0),
        latency_during: of(1.3, 9.0),
        ..Figures::default()
    };
    let recount = Recount { counts, examples: vec![] };
    let step = |name: &str, seconds| StepLine { name: name.to_owned(), seconds, outcome: "did".to_owned() };
    let mut report = Report::of_users(&figures, &recount);
    report.verdict = Verdict::Released;
    report.seconds = 61.25;
    report.canary = Some(Canary { verdict: Verdict::Passed });
    report.steps = vec![step("launch", 2.5), step("handover", 7.25)];
    report.boards.alive_on_blue_at_close = 200;
    report.clients = Clients {
        came: 1_400,
        unrecorded: 0,
        total: 1_400,
        moved: 990,
        reconnects_forced: 0,
        without_socket_ms_max: 0.0,
        wait_ms_max: 210.5,
    };
    report.attach_rate = AttachRate { limit_per_s: Some(500), peak_in_100ms: Some(50) };
    report.aws_calls = [("RunInstances".to_owned(), 4), ("DescribeInstances".to_owned(), 60)].into();
    report.instances =
        Instances { launched: 8, terminated: 4, stopped: 0, orphaned: 0, ended_with_boards: 0 };
    report.daemon = Daemon { rss_mb_max: Some(42.0), ..report.daemon };
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path to a leaf, dotted; the first entry of a list stands for all.
    fn keys(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    keys(value, &format!("{path}.{key}"), found);
                }
            }
            serde_json::Value::Array(items) => keys(&items[0], &format!("{path}[]"), found),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => found.push(path.trim_start_matches('.').to_owned()),
        }
    }

    #[test]
    fn the_keys_are_the_agreed_ones() {
        let mut found = Vec::new();
        keys(&serde_json::to_value(good()).unwrap(), "", &mut found);
        found.sort_unstable();
        let mut agreed: Vec<&str> = "attach_rate.limit_per_s attach_rate.peak_in_100ms \
            aws_calls.DescribeInstances aws_calls.RunInstances boards.alive_on_blue_at_close boards.failed \
            boards.moved boards.total canary.verdict chaos clients.came clients.moved clients.reconnects_forced clients.total \
            clients.unrecorded clients.wait_ms_max clients.without_socket_ms_max control_stall_ms.p50 control_stall_ms.p99 daemon.killed daemon.restarts \
            daemon.rss_mb_max edit_latency_ms.before.p50 edit_latency_ms.before.p99 \
            edit_latency_ms.during.p50 edit_latency_ms.during.p99 edits.acknowledged edits.duplicated \
            edits.lost edits.out_of_order edits.sent edits.stored instances.ended_with_boards instances.launched instances.orphaned \
            instances.stopped instances.terminated seconds stall_ms.max stall_ms.p50 stall_ms.p99 \
            steps[].name steps[].outcome steps[].seconds verdict"
            .split_whitespace()
            .collect();
        agreed.sort_unstable();
        assert_eq!(found, agreed);
    }

    #[test]
    fn a_report_survives_its_file() {
        let text = serde_json::to_string(&good()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), good());
    }
}
