//! The machine room: carries out what the world decides about programs and connections.
//!
//! One task looks after all of them and one more after each running program. Programs are asked to end at
//! first and killed after a limit; none outlives the sandbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::connections::Connections;
use crate::names::InstanceId;
use crate::runner::{Runner, Running};
use crate::shared::Shared;
use crate::world::{Effect, Launch, ProcessSignal};

/// How long a killed program may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// Signals that wait for their program; more are dropped, which no program could tell from a late one.
const SIGNALS_MAX: usize = 16;

/// Everything that the machine room works with.
#[derive(Debug, Clone)]
pub(crate) struct Machines {
    pub(crate) shared: Arc<Shared>,
    pub(crate) runner: Arc<dyn Runner>,
    pub(crate) connections: Arc<Connections>,
    /// From being asked to end until being killed.
    pub(crate) kill_after: Duration,
}

/// How the task that looks after a program is spoken to.
#[derive(Debug)]
struct Keeper {
    run: u32,
    end: CancellationToken,
    signals: mpsc::Sender<ProcessSignal>,
}

/// Runs until `stop`, then ends every program.
pub(crate) async fn run(machines: Machines, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut keepers: HashMap<InstanceId, Keeper> = HashMap::new();
    loop {
        let (effects, due) = machines.shared.with(|world, _| (world.take_effects(), world.next_due()));
        for effect in effects {
            match effect {
                Effect::Start(launch) => {
                    let end = CancellationToken::new();
                    let (signals, received) = mpsc::channel(SIGNALS_MAX);
                    let keeper = Keeper { run: launch.run, end: end.clone(), signals };
                    keepers.insert(launch.instance.clone(), keeper);
                    tasks.spawn(keep(machines.clone(), launch, end, received));
                }
                Effect::Stop { instance, run } => {
                    if let Some(keeper) = keepers.remove(&instance)
                        && keeper.run == run
                    {
                        keeper.end.cancel();
                    }
                }
                Effect::Signal { instance, run, signal } => {
                    let keeper = keepers.get(&instance).filter(|keeper| keeper.run == run);
                    if keeper.is_none_or(|keeper| keeper.signals.try_send(signal).is_err()) {
                        tracing::warn!(%instance, ?signal, "a signal reached no program");
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
            Some(_) = tasks.join_next() => {}
        }
    }
    for keeper in keepers.into_values() {
        keeper.end.cancel();
    }
    while tasks.join_next().await.is_some() {}
}

async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Starts one program, waits for its end, and tells the world.
async fn keep(
    machines: Machines,
    launch: Launch,
    end: CancellationToken,
    mut signals: mpsc::Receiver<ProcessSignal>,
) {
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
    let how = loop {
        tokio::select! {
            how = running.ended() => break how,
            () = end.cancelled() => break end_program(running.as_mut(), kill_after).await,
            Some(signal) = signals.recv() => match signal {
                ProcessSignal::Kill => running.kill(),
                ProcessSignal::Freeze => running.freeze(),
                ProcessSignal::Thaw => running.thaw(),
            },
        }
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
