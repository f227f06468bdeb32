//! What a misguided one asks for instead of what the domain would.

use std::sync::Arc;

use segue_domain::app::AppState;
use segue_domain::decision::{Cause, Decision, Reason, Verdict};
use segue_domain::effect::{Effect, Intent, Outcome};
use segue_domain::event::Event;
use segue_domain::ids::{EffectId, ImageId, InstanceId};
use segue_domain::state::{Leg, ReleaseState};
use segue_domain::step::{How, Step};
use segue_domain::world::World;

use crate::bug::{Bug, Bugs};

/// A mistake made of a decision.
type Deed = fn(&ReleaseState, &World, Decision) -> Decision;

/// Every mistaken deed that is planted.
pub(super) fn mistake(bugs: &Bugs, state: &ReleaseState, world: &World, decision: Decision) -> Decision {
    const DEEDS: &[(Bug, Deed)] = &[
        (Bug::LeavesEarly, leaves_early),
        (Bug::MovesToClosed, moves_to_closed),
        (Bug::MovesAnywhere, moves_anywhere),
        (Bug::TerminatesAtOnce, terminates_at_once),
        (Bug::TerminatesOthers, terminates_others),
        (Bug::SlotTwice, slot_twice),
        (Bug::WaitsForTheNotifier, waits_for_the_notifier),
        (Bug::PlanReloaded, plan_reloaded),
        (Bug::BackAfterNoReturn, back_after_no_return),
        (Bug::SentAway, sent_away),
        (Bug::StepsSkipped, steps_skipped),
        (Bug::RetireWithoutEmpty, one_wave_is_enough),
        (Bug::ReleasedAllTheSame, released_all_the_same),
    ];
    let planted = DEEDS.iter().filter(|(bug, _)| bugs.has(*bug));
    planted.fold(decision, |decision, (_, deed)| deed(state, world, decision))
}

fn step(state: &ReleaseState) -> Option<Step> {
    state.current().map(|record| record.step)
}

fn change(decision: Decision, change: impl Fn(&mut Intent)) -> Decision {
    let Decision::Do(mut intents) = decision else { return decision };
    for intent in &mut intents {
        change(intent);
    }
    Decision::Do(intents)
}

fn id(state: &ReleaseState, step: Step, rest: &str) -> EffectId {
    EffectId::new(format!("{}/{}/{step}/{rest}", state.plan.release, state.leg.name()))
}

/// Old servers leave the load balancer when the first boards are to be moved.
fn leaves_early(state: &ReleaseState, world: &World, decision: Decision) -> Decision {
    if step(state) != Some(Step::Handover) || !matches!(decision, Decision::Do(_)) {
        return decision;
    }
    let listed = world.targets.iter().find_map(|(group, targets)| {
        let here = targets.known()?.keys().filter(|id| state.blue.contains(*id));
        let here: Vec<InstanceId> = here.cloned().collect();
        (!here.is_empty()).then(|| (group.clone(), here))
    });
    let Some((group, instances)) = listed else { return decision };
    let id = id(state, Step::Handover, &format!("deregister/{group}"));
    let attempt = state.effects.get(&id).map_or(1, |it| it.attempt + 1);
    let effect = Effect::Deregister { group, instances };
    match attempt {
        1 => Decision::Do(vec![Intent { id, attempt, effect }]),
        _ => decision,
    }
}

fn moves_to_closed(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    change(decision, |intent| {
        let Effect::Move(effect) = &mut intent.effect else { return };
        for one in &mut Arc::make_mut(effect).wave.moves {
            let other = state.blue.iter().find(|id| **id != one.from);
            one.to = other.unwrap_or(&one.to).clone();
        }
    })
}

/// Whoever of another load balancer is open has room as well.
fn moves_anywhere(state: &ReleaseState, world: &World, decision: Decision) -> Decision {
    let joined = match &state.leg {
        Leg::Out => state.green(),
        Leg::Back { .. } => state.blue.clone(),
    };
    let is_open = |id: &&InstanceId| world.app(id).is_ok_and(|app| app.state == AppState::Serving);
    change(decision, |intent| {
        let Effect::Move(effect) = &mut intent.effect else { return };
        for one in &mut Arc::make_mut(effect).wave.moves {
            let home = state.home(&one.from);
            let elsewhere = joined.iter().filter(is_open).find(|id| state.home(id) != home);
            one.to = elsewhere.unwrap_or(&one.to).clone();
        }
    })
}

fn terminates_at_once(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    if step(state) != Some(Step::Retire) {
        return decision;
    }
    change(decision, |intent| {
        if let Effect::Stop { instances } = &intent.effect {
            intent.effect = Effect::Terminate { instances: instances.clone() };
        }
    })
}

fn terminates_others(_: &ReleaseState, world: &World, decision: Decision) -> Decision {
    change(decision, |intent| {
        let (Effect::Stop { instances } | Effect::Terminate { instances }) = &mut intent.effect else {
            return;
        };
        let all = world.instances.known().into_iter().flatten();
        let other = all.map(|(id, _)| id).find(|id| !instances.contains(*id));
        instances.extend(other.cloned());
    })
}

fn slot_twice(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let Decision::Record(mut events) = decision else { return decision };
    for event in &mut events {
        let Event::SlotsLeased { routes } = event else { continue };
        let taken = state.plan.routes.values().next().or_else(|| routes.values().next()).cloned();
        let Some(taken) = taken else { continue };
        for route in routes.values_mut() {
            *route = taken.clone();
        }
    }
    Decision::Record(events)
}

fn waits_for_the_notifier(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let told = |record: &segue_domain::state::EffectRecord| matches!(record.effect, Effect::Announce { .. });
    let failed = state.effects.values().filter(|it| told(it)).find_map(|record| match &record.ended {
        Some((Outcome::Refused { why, .. } | Outcome::Unknown(why), _)) => Some(why.clone()),
        Some((Outcome::Done(_), _)) | None => None,
    });
    match (step(state), failed) {
        (Some(Step::Announce), Some(why)) => Decision::Park(Reason::CannotGoOn { step: Step::Announce, why }),
        _ => decision,
    }
}

fn plan_reloaded(_: &ReleaseState, _: &World, decision: Decision) -> Decision {
    change(decision, |intent| {
        if let Effect::Launch(batch) = &mut intent.effect {
            batch.image = ImageId::new("ami-3");
        }
    })
}

fn back_after_no_return(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    match (decision, &state.leg, state.no_return) {
        (Decision::Park(Reason::CannotGoOn { step, why }), Leg::Out, Some(_)) => {
            Decision::Record(vec![Event::WayBackBegan { cause: Cause::StepFailed { step, why } }])
        }
        (decision, _, _) => decision,
    }
}

fn sent_away(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let Decision::Do(intents) = &decision else { return decision };
    let Some(Effect::Move(effect)) = intents.first().map(|it| &it.effect) else { return decision };
    let (Some(one), Some(step)) = (effect.wave.moves.first(), step(state)) else { return decision };
    let id = id(state, step, &format!("drain/{}", one.from));
    let attempt = state.effects.get(&id).map_or(1, |it| it.attempt + 1);
    let rate_per_s = effect.attach_rate_per_s;
    Decision::Do(vec![Intent {
        id,
        attempt,
        effect: Effect::Drain { instance: one.from.clone(), rate_per_s },
    }])
}

/// The new servers are admitted before they were warm.
fn steps_skipped(_: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let enter = |step| Decision::Record(vec![Event::StepEntered { step }]);
    if decision == enter(Step::Warm) { enter(Step::Admit) } else { decision }
}

fn released_all_the_same(_: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let is_abort = matches!(decision, Decision::Close(Verdict::Aborted { .. }));
    if is_abort { Decision::Close(Verdict::Released) } else { decision }
}

fn one_wave_is_enough(state: &ReleaseState, _: &World, decision: Decision) -> Decision {
    let a_wave_ended = state.effects.values().any(|record| {
        matches!((&record.effect, &record.ended), (Effect::Move(_), Some((Outcome::Done(_), _))))
    });
    match (step(state), a_wave_ended) {
        (Some(Step::Handover), true) => {
            Decision::Record(vec![Event::StepDone { step: Step::Handover, how: How::Did }])
        }
        _ => decision,
    }
}
