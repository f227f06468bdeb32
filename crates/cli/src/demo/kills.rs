//! `--kills N`: the daemon is killed in steps that the seed draws, at moments of them that it draws too, and nothing
//! else is done to anybody. Half of the kills are drawn from the full release's `close` on: its steps are short, and
//! boards are at stake there.
//!
//! Measured each time: from the start of the process that takes its place to its first decision. Where a kill really
//! fell is told by others: when the keeper saw the daemon die, and the journal's times of the steps.

mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use segue_api::{ReleaseId, ReleaseKind, ReleaseView, StepState};
use segue_sandbox::users;
use tokio::time::Instant;

use super::hand::{Hand, is_over};
use crate::output::say;
use script::{Aim, LATE, Script};

/// Between two looks at how far a release is.
const LOOK: Duration = Duration::from_millis(10);
/// The last kill may fall on the end of its release; then the daemon has this long to come back and decide.
const LAST: Duration = Duration::from_mins(1);
/// Before a release began or after it ended.
const BETWEEN: &str = "between";

/// The killer at work. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Kills {
    task: tokio::task::JoinHandle<()>,
    wanted: u32,
    first_decisions: Arc<Mutex<Vec<Duration>>>,
}

/// What was done.
#[derive(Debug)]
pub(super) struct Done {
    wanted: u32,
    /// One for each kill after which the daemon decided something.
    first_decisions: Vec<Duration>,
}

impl Drop for Kills {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kills {
    pub(super) fn start(seed: u64, times: u32, mut hand: Hand) -> Self {
        let first_decisions = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&first_decisions);
        let script = Script::of(seed, times);
        say(&format!("kills: {script}"));
        let task = tokio::spawn(async move {
            for aim in script.aims {
                match kill(&mut hand, aim).await {
                    Ok(after) => noted.lock().unwrap_or_else(PoisonError::into_inner).push(after),
                    Err(error) => {
                        say(&format!("kills: {error:#}"));
                        return;
                    }
                }
            }
        });
        Self { task, wanted: times, first_decisions }
    }

    /// Waits for the last one, and tells what was done.
    pub(super) async fn end(mut self) -> Done {
        if tokio::time::timeout(LAST, &mut self.task).await.is_err() {
            say("kills: they did not come to an end");
        }
        let first_decisions = self.first_decisions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Done { wanted: self.wanted, first_decisions }
    }
}

async fn kill(hand: &mut Hand, aim: Aim) -> Result<Duration> {
    let release = hand.accepted(aim.kind).await?;
    wait_for(hand, &release, aim).await?;
    let started = hand.kill_daemon(&format!("kills: the daemon was killed, {aim}")).await?;
    hand.first_decision(&release, started).await
}

/// Until the step has begun and its moment has come. A step that was over sooner, or a release, is not waited for: the
/// kill falls wherever the release is then.
async fn wait_for(hand: &Hand, id: &ReleaseId, aim: Aim) -> Result<()> {
    let mut moment = None;
    loop {
        let view = hand.view(id).await?;
        let step = view.steps.iter().find(|step| step.name == aim.step).map(|step| step.state);
        match step {
            _ if is_over(&view) => return Ok(()),
            Some(StepState::Pending) => {}
            Some(StepState::Running) => {
                let moment = *moment.get_or_insert_with(|| Instant::now() + aim.after);
                if Instant::now() >= moment {
                    return Ok(());
                }
            }
            Some(StepState::Done | StepState::Failed) | None => return Ok(()),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Places each death of the daemon in a step. `releases` in the order in which they were.
pub(super) fn count(done: &Done, killed_at_ms: &[u64], releases: &[&ReleaseView]) -> users::Kills {
    let mut by_step: BTreeMap<String, u64> = BTreeMap::new();
    let mut late = 0_u64;
    for at_ms in killed_at_ms {
        let place = releases.iter().find_map(|release| Some((release.kind, step_at(release, *at_ms)?)));
        late +=
            u64::from(place.is_some_and(|(kind, step)| kind == ReleaseKind::Full && LATE.contains(&step)));
        let name = place.map_or_else(|| BETWEEN.to_owned(), |(kind, step)| format!("{kind} {step}"));
        *by_step.entry(name).or_default() += 1;
    }
    let followed = u64::try_from(done.first_decisions.len()).unwrap_or(u64::MAX);
    users::Kills { wanted: done.wanted.into(), followed, by_step, late }
}

/// The step that had begun last; none before the first, and after the release's end.
fn step_at(release: &ReleaseView, at_ms: u64) -> Option<&str> {
    let ms = |time: segue_api::Time| u64::try_from(time.unix_ms()).unwrap_or_default();
    if release.closed_at.is_some_and(|closed| ms(closed) < at_ms) {
        return None;
    }
    let mut steps = release.steps.iter().chain(&release.way_back);
    let begun = steps.rfind(|step| step.started_at.is_some_and(|started| ms(started) <= at_ms));
    begun.map(|step| step.name.as_str())
}

impl Done {
    /// The longest.
    pub(super) fn first_decision_ms_max(&self) -> Option<f64> {
        self.first_decisions.iter().max().map(|longest| longest.as_secs_f64() * 1_000.0)
    }
}
