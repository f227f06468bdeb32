//! Laws of what is to be done, looked at when its intent is to be written.

use crate::effect::{Done, Effect, Intent, Lack, LaunchBatch, Outcome};
use crate::event::Event;
use crate::ids::{GroupArn, InstanceId};
use crate::plan::{Front, Kind, Plan};
use crate::state::ReleaseState;
use crate::target::Weights;

fn intent(event: &Event) -> Option<&Intent> {
    if let Event::Intended(intent) = event { Some(intent) } else { None }
}

/// Whom an effect ends, closes or takes out.
fn taken_away(effect: &Effect) -> &[InstanceId] {
    if let Effect::CloseToNew { instance } | Effect::Drain { instance, .. } = effect {
        return std::slice::from_ref(instance);
    }
    let (Effect::Stop { instances } | Effect::Terminate { instances } | Effect::Deregister { instances, .. }) =
        effect
    else {
        return &[];
    };
    instances
}

/// Who is ended, closed or taken out is in the plan, or was launched by this release.
pub(super) fn s5_only_ours(before: &ReleaseState, event: &Event) -> Option<String> {
    let intent = intent(event)?;
    let plan = &before.plan;
    let is_named =
        |id: &InstanceId| [&before.blue, &plan.spares, &plan.takeover].iter().any(|it| it.contains(id));
    let is_launched =
        |id: &InstanceId| before.batches.iter().any(|it| it.launched.contains(id) || it.lost.contains(id));
    let other = taken_away(&intent.effect).iter().find(|id| !is_named(id) && !is_launched(id))?;
    Some(format!("{} names {other}, which is not this release's", intent.id))
}

/// An old server is ended only after repeated zeros.
pub(super) fn s6_unknown_is_never_zero(before: &ReleaseState, event: &Event) -> Option<String> {
    let intent = intent(event)?;
    if before.verdict().is_some() {
        return None;
    }
    let (Effect::Stop { instances } | Effect::Terminate { instances }) = &intent.effect else { return None };
    let apart = before.plan.service.patience.zeros_apart;
    let is_proven = |id: &InstanceId| {
        let zeros = before.zeros.get(id);
        let span = zeros.and_then(|zeros| Some(zeros.last()?.since(*zeros.first()?)));
        span.is_some_and(|span| span >= apart)
    };
    let unproven = instances.iter().find(|id| before.blue.contains(*id) && !is_proven(id))?;
    Some(format!("{} ends {unproven} without repeated zeros", intent.id))
}

/// A wave keeps to the policy.
pub(super) fn s10_pace(before: &ReleaseState, event: &Event) -> Option<String> {
    let intent = intent(event)?;
    let Effect::Move(effect) = &intent.effect else { return None };
    let policy = &before.plan.service.handover;
    let most = usize::try_from(policy.wave_boards).unwrap_or(usize::MAX);
    let boards = effect.wave.moves.len();
    let is_fast = effect.attach_rate_per_s > policy.attach_rate_per_s
        || effect.switching_at_once > policy.switching_at_once;
    (boards > most || is_fast)
        .then(|| format!("{} moves {boards} boards at once, {most} are allowed", intent.id))
}

/// In the batch's own subnet as the first type, or once some launch found no room in any other that is configured.
fn is_in_its_place(before: &ReleaseState, batch: &LaunchBatch) -> bool {
    let (plan, launch) = (&before.plan, &before.plan.service.launch);
    let planned = usize::try_from(batch.batch).ok().and_then(|batch| plan.batches.get(batch));
    let is_own = planned.is_some_and(|planned| planned.subnet == batch.subnet)
        && batch.instance_type.as_ref() == launch.types.first();
    let is_listed = launch.subnets.contains(&batch.subnet)
        && batch.instance_type.as_ref().map_or(launch.types.is_empty(), |kind| launch.types.contains(kind));
    let found_no_room = before.effects.values().any(|record| match (&record.effect, &record.ended) {
        (Effect::Launch(_), Some((Outcome::Refused { lack, .. }, _))) => *lack == Some(Lack::Room),
        (Effect::Launch(launch), Some((Outcome::Done(Done::Launched(ids)), _))) => {
            u32::try_from(ids.len()).is_ok_and(|came| came < launch.count)
        }
        _ => false,
    });
    planned.is_some() && (is_own || (is_listed && found_no_room))
}

/// Shares of the plan, with none for some groups whose servers died: canaries', and where the release is no canary's a
/// colour's too, as long as another one has some.
fn follows_the_plan(plan: &Plan, front: &Front, weights: &Weights) -> bool {
    let is_colour =
        |group: &GroupArn| plan.service.routing.balancers().any(|balancer| balancer.colours.contains(group));
    let leaves_out_only = |planned: &Weights, may_be_left_out: &dyn Fn(&GroupArn) -> bool| {
        let is_kept = |(group, share): (&GroupArn, &u16)| {
            planned.get(group) == Some(share) || (*share == 0 && may_be_left_out(group))
        };
        weights.keys().eq(planned.keys()) && weights.iter().all(is_kept)
    };
    let may_lose_colours = plan.kind != Kind::Canary;
    weights.iter().any(|(group, share)| *share > 0 && is_colour(group))
        && (leaves_out_only(&front.weights_before, &|group| !is_colour(group))
            || leaves_out_only(&front.weights_shared, &|group| may_lose_colours || !is_colour(group))
            || leaves_out_only(&front.weights_after, &|group| may_lose_colours || !is_colour(group)))
}

/// What is launched, shared and registered is in the plan.
pub(super) fn s20_plan_is_fixed(before: &ReleaseState, event: &Event) -> Option<String> {
    let intent = intent(event)?;
    let plan = &before.plan;
    let follows = if let Effect::Launch(batch) = &intent.effect {
        let is_repeated = before.effects.get(&intent.id).is_some_and(|it| it.effect == intent.effect);
        batch.image == plan.image.id
            && batch.template == plan.service.launch.template
            && (is_repeated || is_in_its_place(before, batch))
    } else if let Effect::SetWeights { forward, weights } = &intent.effect {
        plan.front(forward).is_some_and(|front| {
            [&front.weights_before, &front.weights_shared, &front.weights_after].contains(&weights)
                || follows_the_plan(plan, front, weights)
        })
    } else if let Effect::Register { group, instances } = &intent.effect {
        // Everybody is registered at one load balancer only.
        let balancer = plan.service.routing.of_group(group);
        balancer.is_some_and(|it| instances.iter().all(|id| *before.home(id) == it.forward))
    } else if let Effect::Configure { command, .. } = &intent.effect {
        plan.service.launch.configure.as_ref() == Some(command)
    } else {
        true
    };
    (!follows).then(|| format!("{} does not follow from the plan", intent.id))
}
