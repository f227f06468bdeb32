//! What is about to be done, and how it ended.

use segue_domain::effect::{Done, Effect, Lack, LaunchBatch, MoveWave, Outcome};
use segue_domain::moves::WaveResult;

use super::{count, instances};

/// After "about to".
pub(super) fn sentence(effect: &Effect) -> String {
    match effect {
        Effect::Launch(batch) => launch(batch),
        Effect::Start { instances: ids } => format!("start {}", instances(ids)),
        Effect::Stop { instances: ids } => format!("stop {}", instances(ids)),
        Effect::Terminate { instances: ids } => format!("terminate {}", instances(ids)),
        Effect::Register { group, instances: ids } => format!("register {} in {group}", instances(ids)),
        Effect::Deregister { group, instances: ids } => {
            format!("deregister {} from {group}", instances(ids))
        }
        Effect::SetWeights { weights, .. } => {
            let shares: Vec<_> = weights.iter().map(|(group, share)| format!("{group} {share}")).collect();
            format!("set the weights {}", super::list(shares.iter().map(String::as_str)))
        }
        Effect::Open { instance, route: Some(route) } => format!("open {instance} under the route {route}"),
        Effect::Open { instance, route: None } => format!("open {instance}"),
        Effect::CloseToNew { instance } => format!("close {instance} to new boards"),
        Effect::Configure { instance, command } => {
            format!("configure {instance} with {}", command.first().map_or("nothing", String::as_str))
        }
        Effect::WarmUp { instance, spec } => {
            format!("warm {instance} up with at most {} to {}", count(spec.requests, "request"), spec.path)
        }
        Effect::Move(plan) => wave(plan),
        Effect::Drain { instance, rate_per_s } => {
            format!("send the clients of {instance} away, {rate_per_s} a second")
        }
        Effect::Announce { line } => format!("announce: {line}"),
    }
}

fn launch(launch: &LaunchBatch) -> String {
    let LaunchBatch { image, subnet, instance_type, batch, attempt, .. } = launch;
    let wanted = count(launch.count, "instance");
    let kind = instance_type.as_ref().map_or_else(String::new, |kind| format!(" as {kind}"));
    format!("launch {wanted} of {image}{kind} in {subnet} (batch {batch}, attempt {attempt})")
}

fn wave(plan: &MoveWave) -> String {
    let MoveWave { wave, level, .. } = plan;
    let boards = count(u64::try_from(wave.moves.len()).unwrap_or(u64::MAX), "board");
    let direction = wave.direction.name();
    format!("move {boards} {direction} in wave {} at level {level}", wave.number)
}

/// After the effect's id.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(Done::Nothing) => "is done".to_owned(),
        Outcome::Done(Done::Launched(ids)) => format!("is done: launched {}", instances(ids)),
        Outcome::Done(Done::Moved(result)) => format!("is done: {}", moved(result)),
        Outcome::Refused { why, lack: None } => format!("was refused: {why}"),
        Outcome::Refused { why, lack: Some(Lack::Room) } => format!("was refused for want of room: {why}"),
        Outcome::Unknown(why) => format!("may have happened: {why}"),
    }
}

fn moved(result: &WaveResult) -> String {
    let WaveResult { boards_moved, clients_moved, boards_gone, exceptions } = result;
    let stayed: Vec<_> = exceptions.iter().map(|one| format!("{}: {}", one.board, one.why)).collect();
    format!(
        "{} and {} moved, {} gone before, stayed: {}",
        count(*boards_moved, "board"),
        count(*clients_moved, "client"),
        boards_gone,
        super::list(stayed.iter().map(String::as_str)),
    )
}
