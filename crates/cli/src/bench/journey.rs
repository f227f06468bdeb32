//! One full release, followed to its end, and the daemon looked at meanwhile.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, Result};
use segue_api::{Override, Patience, ReleaseKind, ReleaseRequest, ReleaseView};
use tokio::time::Instant;

use super::BenchArgs;
use super::gauge::Gauge;
use super::stage::{self, Stage};
use crate::exit::Exit;
use crate::output::say;
use crate::text;

/// A daemon that is busy answers within this.
const AWAY: Duration = Duration::from_mins(2);
/// Between two looks at its memory.
const LOOK: Duration = Duration::from_millis(250);
/// Between two lines of talk about the same step.
const TELL: Duration = Duration::from_secs(30);

pub(super) struct Outcome {
    pub(super) release: ReleaseView,
    /// None when its time was over.
    pub(super) exit: Option<Exit>,
    pub(super) seconds: f64,
    pub(super) by_step: BTreeMap<String, InStep>,
}

/// What the daemon took while a step went on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InStep {
    pub(super) rss_mb_max: f64,
    pub(super) cpu_s: f64,
}

/// Two fleets of more targets than an unasked AWS lets a load balancer have.
fn overrides(args: &BenchArgs) -> Vec<Override> {
    let reason = format!("each of the sandbox's load balancers takes {} targets", stage::targets_max(args));
    let wanted = stage::targets_max(args) > stage::TARGETS;
    wanted.then(|| Override { check: "targets".to_owned(), reason }).into_iter().collect()
}

pub(super) async fn go(stage: &mut Stage, args: &BenchArgs) -> Result<Outcome> {
    let within = args.timeout;
    let began = Instant::now();
    let request = ReleaseRequest {
        service: stage.ready.service.clone(),
        kind: ReleaseKind::Full,
        version: Some("2".to_owned()),
        to: None,
        overrides: overrides(args),
        reason: Some("segue bench".to_owned()),
        plan: None,
    };
    let asked = stage.client.create(&request, &"bench".parse()?).await;
    let mut release = asked.context("the release was not accepted")?;
    let mut by_step = BTreeMap::new();
    let mut teller = Teller { told: String::new(), at: began };
    let mut before = stage.daemon()?;
    while Exit::of(&release).is_none() && began.elapsed() < within {
        stage.check_that_the_daemon_lives()?;
        let known = release.clone();
        let changed = |view: &ReleaseView| match *view == known {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let patience = Patience { total: Some(LOOK), away: AWAY };
        if let Some(next) = stage.client.follow(&release.id, patience, changed).await? {
            release = next;
        }
        let now = stage.daemon()?;
        note(&mut by_step, &known, before, now);
        before = now;
        teller.tell(&release, now);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Outcome { exit: Exit::of(&release), release, seconds, by_step })
}

fn note(by_step: &mut BTreeMap<String, InStep>, release: &ReleaseView, before: Gauge, now: Gauge) {
    let Some(step) = release.current_step() else { return };
    let figures = by_step.entry(step.name.clone()).or_default();
    figures.rss_mb_max = figures.rss_mb_max.max(now.rss_mb);
    figures.cpu_s += now.cpu_s - before.cpu_s;
}

/// One line for each step, and now and then one more.
struct Teller {
    told: String,
    at: Instant,
}

impl Teller {
    fn tell(&mut self, release: &ReleaseView, daemon: Gauge) {
        let step = release.current_step().map(|step| step.name.clone()).unwrap_or_default();
        // Between two steps there is none for a moment.
        let is_new = !step.is_empty() && step != self.told;
        if !is_new && self.at.elapsed() < TELL {
            return;
        }
        let boards = &release.boards;
        say(&format!(
            "bench: {}; {} boards moved, failed tries: {}; the daemon holds {:.0} MB after {:.0} s of processor time",
            text::now(release),
            boards.moved,
            boards.failed,
            daemon.rss_mb,
            daemon.cpu_s
        ));
        (self.told, self.at) = (step, Instant::now());
    }
}
