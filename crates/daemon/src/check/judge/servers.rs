//! What Prometheus counts of the servers, and what they say themselves.

use std::collections::{BTreeMap, BTreeSet};

use segue_config::Config;
use segue_domain::app::{AppStatus, BoardCount};
use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};
use segue_domain::service::Service;
use segue_engine::ports::{CallError, Class};
use url::Url;

use crate::check::finding::{Check, few};
use crate::check::gather::{Aws, Found};

const NOBODY_RUNS: &str = "no server is known to be the service's and to run";

/// It was asked about a server that does not exist, and should know nothing of it.
pub(super) fn prometheus(url: &Url, nobody: &BoardCount) -> Check {
    let url = shown(url);
    match nobody {
        Reading::Unknown(Why::Missing) => {
            Check::ok("prometheus", format!("{url} answers the query of a release"))
        }
        Reading::Unknown(Why::Unreachable(what)) => Check::fail(
            "prometheus",
            format!("{url} gives no answer: {what}"),
            "`prometheus.url` must name a Prometheus that this machine reaches",
        ),
        Reading::Unknown(why @ (Why::NotAsked | Why::Stale { .. } | Why::Unusable(_) | Why::Refused(_))) => {
            let hint = "`prometheus.url` must name a Prometheus: its address, and the path in front of /api/v1 if it has one";
            Check::fail("prometheus", format!("{url} does not answer as a Prometheus: {why}"), hint)
        }
        Reading::Known { .. } => {
            let hint = "`prometheus.boards_metric` must be a metric with the label instance_id";
            Check::fail("prometheus", format!("{url} counts boards of a server that does not exist"), hint)
        }
    }
}

/// Without a name and a password, which a URL can have.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only a URL without a host refuses, and has neither.
    let _cannot = (url.set_username(""), url.set_password(None));
    url.to_string()
}

/// `samples` and `vitals`: each server that runs is counted, and freshly.
pub(super) fn samples(config: &Config, service: &Service, found: &Found) -> [Check; 2] {
    // Whose fault it is stands under `prometheus` already.
    if let Reading::Unknown(Why::Unreachable(_) | Why::Refused(_) | Why::Unusable(_)) = &found.nobody {
        return ["samples", "vitals"].map(|name| Check::skip(name, "Prometheus was not read"));
    }
    let metrics = &config.prometheus.metrics;
    let max_age_s = service.patience.max_age.as_secs();
    let boards = readings(found.boards.iter().map(|(id, reading)| (id, reading.why())));
    let vitals = readings(found.vitals.iter().map(|(id, reading)| (id, reading.why())));
    let check = |name, metrics: String, read: Option<Vec<String>>, then: &str| match read {
        None => Check::skip(name, NOBODY_RUNS),
        Some(unknown) if unknown.is_empty() => {
            Check::ok(name, format!("{metrics} of every server, not older than {max_age_s} s"))
        }
        Some(unknown) => Check::fail(
            name,
            format!("{metrics}: unknown of {}", few(unknown)),
            format!(
                "the application must export it with the label instance_id, the EC2 instance's id, and be scraped \
                 more often than `patience.max_age` ({max_age_s} s); {then}"
            ),
        ),
    };
    [
        check("samples", metrics.boards.to_string(), boards, "no release begins without it"),
        check(
            "vitals",
            format!("{} and {}", metrics.errors, metrics.started),
            vitals,
            "no canary can be judged without it",
        ),
    ]
}

/// The servers whose reading is unknown, each with its reason; none at all when nobody was asked about.
fn readings<'a>(read: impl Iterator<Item = (&'a InstanceId, Option<&'a Why>)>) -> Option<Vec<String>> {
    let mut read = read.peekable();
    read.peek()?;
    Some(read.filter_map(|(id, why)| Some(format!("{id}: {}", why?))).collect())
}

/// `control`, `versions`, `level` and `formats`: what each server says of itself.
pub(super) fn control(
    config: &Config,
    service: &Service,
    aws: &Aws,
    apps: &BTreeMap<InstanceId, Result<AppStatus, CallError>>,
) -> Vec<Check> {
    const NAMES: [&str; 4] = ["control", "versions", "level", "formats"];
    if apps.is_empty() {
        return NAMES.map(|name| Check::skip(name, NOBODY_RUNS)).into();
    }
    let silent: Vec<(&InstanceId, &CallError)> =
        apps.iter().filter_map(|(id, app)| Some((id, app.as_ref().err()?))).collect();
    let spoken: BTreeMap<&InstanceId, &AppStatus> =
        apps.iter().filter_map(|(id, app)| Some((id, app.as_ref().ok()?))).collect();
    let mut checks = vec![answers(config, apps.len(), &silent)];
    if spoken.is_empty() {
        checks.extend(NAMES.into_iter().skip(1).map(|name| Check::skip(name, "no server says it")));
        return checks;
    }
    checks.extend([versions(aws, &spoken), level(service, &spoken), formats(&spoken)]);
    checks
}

fn answers(config: &Config, all: usize, silent: &[(&InstanceId, &CallError)]) -> Check {
    let port = config.handover.port;
    let Some((_, first)) = silent.first() else {
        return Check::ok("control", format!("{all} of {all} servers answer on port {port}"));
    };
    let hint = match first.class {
        // A signature that is wrong is a request that makes no sense to the server.
        Class::Bug | Class::Refused => format!(
            "port {port} answers, and not as the contract says: the key under [handover] must be the one that the \
             servers were started with, and `handover.port` their control port"
        ),
        Class::Retry | Class::Unknown => format!(
            "this machine must reach port {port} of every server (security group, `handover.port`), and the \
             application must keep the contract (docs/handover.md)"
        ),
    };
    let who = few(silent.iter().map(|(id, _)| id));
    Check::fail("control", format!("{} of {all} do not answer ({who}): {}", silent.len(), first.what), hint)
}

fn versions(aws: &Aws, spoken: &BTreeMap<&InstanceId, &AppStatus>) -> Check {
    let running = aws.running();
    let others: Vec<String> = spoken
        .iter()
        .filter_map(|(id, app)| {
            let tag = &running.get(id)?.version;
            (app.version != *tag).then(|| format!("{id} is tagged {tag} and says {}", app.version))
        })
        .collect();
    match others.is_empty() {
        true => Check::ok("versions", "every server says the version of its tag"),
        false => Check::fail(
            "versions",
            few(others),
            "segue:version must be what the application answers as its version, and the AMI's releaseVersion too",
        ),
    }
}

fn level(service: &Service, spoken: &BTreeMap<&InstanceId, &AppStatus>) -> Check {
    let levels: BTreeSet<u8> = spoken.values().map(|app| app.level).collect();
    let lowest = levels.first().copied().unwrap_or(0);
    let used = lowest.min(service.handover.level_max);
    match used {
        0 => Check::warn(
            "level",
            format!("the servers keep level {} of the contract, and level 0 is used", few(&levels)),
            "at level 0 people are asked to reconnect; docs/handover.md says what each level takes away",
        ),
        _ => Check::ok("level", format!("level {} of the contract, and {used} is used", few(&levels))),
    }
}

fn formats(spoken: &BTreeMap<&InstanceId, &AppStatus>) -> Check {
    let blind: Vec<&&InstanceId> = spoken
        .iter()
        .filter(|(_, app)| !spoken.values().all(|other| app.formats.can_read(&other.formats)))
        .map(|(id, _)| id)
        .collect();
    let writes: BTreeSet<&str> = spoken.values().map(|app| app.formats.writes.as_str()).collect();
    match blind.is_empty() {
        true => Check::ok("formats", format!("every server reads what is written: {}", few(writes))),
        false => Check::fail(
            "formats",
            format!("not every server reads what the others write ({}): {}", few(writes), few(blind)),
            "`status` must list in `reads` every format that boards are written in today",
        ),
    }
}
