//! `--kills N`: the daemon is killed at moments that the seed draws, half of the times in the canary and half in
//! the full release, and nothing else is done to anybody.
//!
//! Measured each time: from the start of the process that takes its place to its first decision.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use segue_api::ReleaseKind;

use super::hand::{Hand, is_over};
use crate::output::say;

/// From one kill, or the release's acceptance, to the next one.
const APART_MS: std::ops::Range<u64> = 50..900;

/// The killer at work. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Kills {
    task: tokio::task::JoinHandle<()>,
    first_decisions: Arc<Mutex<Vec<Duration>>>,
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
        let task = tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(seed);
            let in_canary = times / 2;
            for (kind, times) in
                [(ReleaseKind::Canary, in_canary), (ReleaseKind::Full, times.saturating_sub(in_canary))]
            {
                if let Err(error) = kill(&mut hand, &mut rng, kind, times, &noted).await {
                    say(&format!("kills: {error:#}"));
                    return;
                }
            }
        });
        Self { task, first_decisions }
    }

    /// Ends it. One time for each kill after which the daemon decided something.
    pub(super) fn end(self) -> Vec<Duration> {
        self.first_decisions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn kill(
    hand: &mut Hand,
    rng: &mut fastrand::Rng,
    kind: ReleaseKind,
    times: u32,
    noted: &Mutex<Vec<Duration>>,
) -> Result<()> {
    let release = hand.accepted(kind).await?;
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(rng.u64(APART_MS))).await;
        let view = hand.view(&release).await?;
        if is_over(&view) {
            break;
        }
        let on = view.steps.iter().rfind(|step| step.started_at.is_some());
        let on = on.map_or("the beginning", |step| step.name.as_str());
        let started = hand.kill_daemon(&format!("kills: the daemon was killed in {kind} {on}")).await?;
        let after = hand.first_decision(&release, started).await?;
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(after);
    }
    Ok(())
}
