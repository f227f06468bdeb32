//! What of the chaos was seen by others than who did it.

use anyhow::{Result, ensure};
use segue_api::{ReleaseView, StepView};
use segue_sandbox::users::{Chaos, Owners};
use segue_sandbox::{Instances, Ledger, Ready};

use super::Done;
use crate::demo::daemon::Daemon;
use crate::demo::figures::fetch;

/// As the sandbox's ledger names it.
const LOST: &str = "lose_response:RunInstances";

/// Counts it. `full` is the full release, when there was one.
pub(in crate::demo) fn count(
    done: &Done,
    daemon: &Daemon,
    full: Option<&ReleaseView>,
    ledger: &Ledger,
    owners: &Owners,
) -> Chaos {
    let kills = daemon.killed_at_ms();
    let in_handover = full
        .and_then(handover)
        .map_or(0, |during| count_of(kills.iter().filter(|at_ms| during.contains(at_ms)).count()));
    let died =
        |instance: &str| ledger.faults.get(&format!("kill:{instance}")).is_some_and(|strikes| *strikes > 0);
    let greens = done
        .greens
        .iter()
        .filter(|(instance, at_ms)| died(instance.as_str()) && owners.held(instance.as_str(), *at_ms) > 0);
    Chaos {
        daemon_kills: done.daemon_kills.min(count_of(kills.len())),
        daemon_kills_in_handover: in_handover,
        lost_replies: ledger.faults.get(LOST).copied().unwrap_or(0),
        green_killed_with_boards: count_of(greens.count()),
    }
}

/// From when the handover began to when it was done, or the release turned back or ended without that.
fn handover(release: &ReleaseView) -> Option<std::ops::RangeInclusive<u64>> {
    let step = release.steps.iter().find(|step| step.name == "handover")?;
    let turned = release.way_back.first().and_then(|step: &StepView| step.started_at);
    let (from, to) = (step.started_at?, step.ended_at.or(turned).or(release.closed_at)?);
    let ms = |time: segue_api::Time| u64::try_from(time.unix_ms()).unwrap_or_default();
    Some(ms(from)..=ms(to))
}

/// After a way back every old server runs again.
pub(in crate::demo) async fn as_before(ready: &Ready) -> Result<()> {
    let all: Instances = fetch(&ready.admin, "admin/instances").await?;
    for id in &ready.blue {
        let state = all.instances.iter().find(|it| it.id == *id).map(|it| it.state.as_str());
        ensure!(state == Some("running"), "the release went back, and {id} is {state:?}");
    }
    Ok(())
}

fn count_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
