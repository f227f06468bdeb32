//! The machine room: carries out what the world decides about programs and connections.
//!
//! One task looks after all of them and one more after each running program. Programs are asked to end at
//! first and killed after a limit; none outlives the sandbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;
use crate::names::InstanceId;
use crate::runner::{Runner, Running};
use crate::shared::Shared;
use crate::world::{Effect, Launch};

/// How long a killed program may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// Everything that the machine room works with.
#[derive(Debug, Clone)]
pub(crate) struct Machines {
    pub(crate) shared: Arc<Shared>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) connections: Arc<Connections>,
    /// From being asked to end until being killed.
    pub(crate) kill_after: Duration,
}

/// Runs until `stop`, then ends every program.
pub(crate) async fn run(machines: Machines, stop: CancellationToken) {
    let mut keepers = JoinSet::new();
    let mut enders: HashMap<InstanceId, (u32, CancellationToken)> = HashMap::new();
    loop {
        let (effects, due) = machines.shared.with(|world, _| (world.take_effects(), world.next_due()));
        for effect in effects {
            match effect {
                Effect::Start(launch) => {
                    let end = CancellationToken::new();
                    enders.insert(launch.instance.clone(), (launch.run, end.clone()));
                    keepers.spawn(keep(machines.clone(), launch, end));
                }
                Effect::Stop { instance, run } => {
                    if let Some((of, end)) = enders.remove(&instance)
                        && of == run
                    {
                        end.cancel();
                    }
                }
                Effect::Cut { group, target } => machines.connections.cut(&group, &target),
            }
        }
        let next = due.map(|at| machines.shared.clock.instant(at));
        tokio::select! {
            () = stop.cancelled() => break,
            () = machines.shared.changed.notified() => {}
            () = until(next) => {}
            Some(_) = keepers.join_next() => {}
        }
    }
    for (_, end) in enders.into_values() {
        end.cancel();
    }
    while keepers.join_next().await.is_some() {}
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Starts one program, waits for its end, and tells the world.
async fn keep(machines: Machines, launch: Launch, end: CancellationToken) {
    let Machines { shared, runner, kill_after, .. } = machines;
    let (instance, run) = (launch.instance.clone(), launch.run);
    let mut running = match runner.start(launch).await {
        Ok(running) => running,
        Err(error) => {
            let why = error.source.to_string();
            tracing::warn!(%instance, %error, why, "instance not started");
            shared.with(|world, now| world.launch_failed(&instance, run, &why, now));
            return;
        }
    };
    tracing::info!(%instance, pid = running.pid(), "instance started");
    shared.set_pid(&instance, running.pid());
    let how = tokio::select! {
        how = running.ended() => how,
        () = end.cancelled() => end_program(running.as_mut(), kill_after).await,
    };
    tracing::info!(%instance, how, "instance ended");
    shared.set_pid(&instance, None);
    shared.with(|world, now| world.program_ended(&instance, run, &how, now));
}

async fn end_program(running: &mut dyn Running, kill_after: Duration) -> String {
    running.ask_to_end();
    if let Ok(how) = tokio::time::timeout(kill_after, running.ended()).await {
        return how;
    }
    running.kill();
    let gone = tokio::time::timeout(KILLED, running.ended()).await;
    gone.unwrap_or_else(|_| "killed, but still there".to_owned())
}
