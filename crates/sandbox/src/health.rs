//! Health checks as the load balancer makes them: who is checked and what follows is the world's business.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::fetch::{Fetch, FetchError, fetch};
use crate::shared::Shared;
use crate::simulated::Simulated;
use crate::world::{Check, CheckOutcome, Failure, World};

/// Due checks are looked for this often in an interval, so that they are spread and none is late by much.
const LOOKS_PER_INTERVAL: u32 = 5;
/// The longest time between two looks: a new target is checked at once, however long the interval.
const LOOK_MAX: Duration = Duration::from_millis(100);
/// The shortest.
const LOOK_MIN: Duration = Duration::from_millis(1);
/// Checks at once.
const IN_FLIGHT_MAX: usize = 256;
/// What a health check may answer, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// Makes the checks that are due until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, simulated: Option<Arc<Simulated>>, stop: CancellationToken) {
    let (interval, timeout, path) = shared.with(|world, _| {
        // They are the same at all of them.
        let settings = &world.balancers.first.settings;
        (settings.check_interval, settings.check_timeout, settings.check_path.clone())
    });
    let path: Arc<str> = path.into();
    let mut looks = tokio::time::interval((interval / LOOKS_PER_INTERVAL).clamp(LOOK_MIN, LOOK_MAX));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let due = shared.with(World::due_checks);
        if let Some(simulated) = &simulated {
            look(&shared, simulated, &due);
            continue;
        }
        for check in due {
            while checks.len() >= IN_FLIGHT_MAX {
                checks.join_next().await;
            }
            checks.spawn(make(Arc::clone(&shared), check, timeout, Arc::clone(&path)));
        }
        while checks.try_join_next().is_some() {}
    }
}

/// Simulated instances are looked at where they are: a connection to oneself for each would tell no more.
fn look(shared: &Shared, simulated: &Simulated, due: &[Check]) {
    let outcome = |check: &Check| match simulated.runs(*check.address.ip()) {
        true => CheckOutcome::Passed,
        false => CheckOutcome::Failed(Failure::Connection),
    };
    let outcomes: Vec<_> = due.iter().map(outcome).collect();
    shared.with(|world, now| {
        for (check, outcome) in due.iter().zip(outcomes) {
            world.checked(check, outcome, now);
        }
    });
}

async fn make(shared: Arc<Shared>, check: Check, timeout: Duration, path: Arc<str>) {
    let agent = "ELB-HealthChecker/2.0";
    let what = Fetch { address: check.address, path: &path, agent, timeout, body_max: BODY_MAX };
    let outcome = match fetch(what).await {
        Ok((200, _)) => CheckOutcome::Passed,
        Ok((code, _)) => CheckOutcome::Failed(Failure::Code(code)),
        Err(FetchError::Timeout) => CheckOutcome::Failed(Failure::Timeout),
        Err(FetchError::Connection(_)) => CheckOutcome::Failed(Failure::Connection),
    };
    shared.with(|world, now| world.checked(&check, outcome, now));
}
