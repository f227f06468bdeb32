//! Tells decisions in an operator's words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use segue_domain::decision::{Decision, Then, WaitingOn};
use segue_domain::effect::{Done, Effect, Intent, Lack, Outcome};
use segue_domain::event::{CheckResult, Event};
use segue_domain::ids::GroupArn;
use segue_domain::plan::Plan;
use segue_domain::state::ReleaseState;
use segue_domain::time::Timestamp;

use crate::stage::Stage;

pub(crate) fn plan(story: &mut String, plan: &Plan) {
    writeln!(
        story,
        "  planned {}: {} {} after {}, {} new in {}, {} spares, {} taken over, {} leave, floor {}",
        plan.release,
        plan.kind,
        plan.image.version,
        plan.from_version,
        plan.green_size(),
        plan.green_groups().map(GroupArn::as_str).collect::<Vec<_>>().join(" and "),
        plan.spares.len(),
        plan.takeover.len(),
        plan.blue.len(),
        plan.floor
    )
    .unwrap();
    for front in plan.fronts.iter().filter(|_| plan.fronts.len() > 1) {
        let size = plan.green_size_at(&front.forward);
        writeln!(story, "    {}: {size} serve there, floor {}", front.forward, front.floor).unwrap();
    }
}

pub(crate) fn decision(state: &ReleaseState, decision: &Decision) -> String {
    let step = state.current().map_or("-", |record| record.step.name());
    match decision {
        Decision::Record(events) => {
            let lines: Vec<String> = events.iter().map(event).collect();
            format!("{step}: note {}", lines.join("; "))
        }
        Decision::Do(intents) => {
            let lines: Vec<String> = intents.iter().map(intent).collect();
            format!("{step}: do {}", lines.join("; "))
        }
        Decision::Wait(wait) => {
            let then = match wait.then {
                Then::GoOn => "then go on",
                Then::WayBack => "else the way back",
                Then::Hold => "else hold",
                Then::Refuse => "else refuse",
                Then::Stay => "until a person says so",
            };
            let on = match &wait.on {
                // The number changes with every pass; what is told is that it is waited for.
                WaitingOn::Bake { wanted, .. } => format!("the bake, {wanted} boards wanted"),
                on => on.overdue().replace(" did not come in time", "").replace(" in time", ""),
            };
            let until = match wait.until {
                Timestamp::NEVER => String::new(),
                until => format!("until {} ", until.as_ms() / 1_000),
            };
            format!("{step}: wait: {on}, {until}{then}")
        }
        Decision::Ask(gate) => format!("{step}: ask {gate:?}"),
        Decision::Park(reason) => format!("{step}: hold {reason:?}"),
        Decision::Close(verdict) => format!("{step}: close {verdict:?}"),
        Decision::Over => "over".to_owned(),
    }
}

fn event(event: &Event) -> String {
    match event {
        Event::StepEntered { step } => format!("enter {step}"),
        Event::StepDone { step, how } => format!("{step} done ({how:?})"),
        Event::Checked { check, result } => match result {
            CheckResult::Passed(_) => format!("{check} passed"),
            CheckResult::Failed(why) => format!("{check} failed: {why}"),
            CheckResult::Overridden { failed, reason } => format!("{check} overridden ({reason}): {failed}"),
        },
        Event::Joined { servers } => {
            let names = |groups: &BTreeSet<GroupArn>| {
                groups.iter().map(GroupArn::as_str).collect::<Vec<_>>().join(" and ")
            };
            let joined: Vec<String> =
                servers.iter().map(|(id, groups)| format!("{id} in {}", names(groups))).collect();
            format!("joined {}", joined.join(", "))
        }
        Event::SlotsLeased { routes } => {
            let routes: Vec<String> = routes.iter().map(|(id, route)| format!("{id} at {route}")).collect();
            format!("leased {}", routes.join(", "))
        }
        Event::FoundEmpty { instance, .. } => format!("{instance} found empty"),
        Event::WayBackBegan { cause } => format!("turn back: {cause}"),
        other => format!("{other:?}"),
    }
}

fn intent(intent: &Intent) -> String {
    let Intent { attempt, effect, .. } = intent;
    let again = if *attempt > 1 { format!(" (try {attempt})") } else { String::new() };
    let what = match effect {
        Effect::Launch(batch) => {
            let kind = batch.instance_type.as_ref().map_or(String::new(), |kind| format!(" {kind}"));
            format!("launch {}{kind} in {} as {}/{}", batch.count, batch.subnet, batch.batch, batch.attempt)
        }
        Effect::Register { group, instances } => format!("register {instances:?} in {group}"),
        Effect::Deregister { group, instances } => format!("deregister {instances:?} from {group}"),
        Effect::SetWeights { weights, .. } => {
            let shares: Vec<String> =
                weights.iter().map(|(group, share)| format!("{group}={share}")).collect();
            format!("shares {}", shares.join(" "))
        }
        Effect::Open { instance, route } => match route {
            Some(route) => format!("open {instance} at {route}"),
            None => format!("open {instance}"),
        },
        Effect::CloseToNew { instance } => format!("close {instance}"),
        Effect::Move(wave) => {
            format!(
                "move {} boards in wave {} {}",
                wave.wave.moves.len(),
                wave.wave.number,
                wave.wave.direction.name()
            )
        }
        Effect::Start { instances } => format!("start {instances:?}"),
        Effect::Stop { instances } => format!("stop {instances:?}"),
        Effect::Terminate { instances } => format!("terminate {instances:?}"),
        other => format!("{other:?}"),
    };
    format!("{what}{again}").replace("InstanceId(\"", "").replace("\")", "")
}

pub(crate) fn outcome(story: &mut String, outcome: &Outcome) {
    match outcome {
        Outcome::Done(Done::Launched(ids)) => {
            let ids: Vec<&str> = ids.iter().map(segue_domain::ids::InstanceId::as_str).collect();
            writeln!(story, "       launched {}", ids.join(", ")).unwrap();
        }
        Outcome::Done(Done::Moved(result)) if !result.exceptions.is_empty() => {
            writeln!(story, "       {} moved, {} stayed", result.boards_moved, result.exceptions.len())
                .unwrap();
        }
        Outcome::Done(_) => {}
        Outcome::Refused { why, lack: None } => writeln!(story, "       Refused({why:?})").unwrap(),
        Outcome::Refused { why, lack: Some(Lack::Room) } => {
            writeln!(story, "       no room: {why:?}").unwrap();
        }
        other => writeln!(story, "       {other:?}").unwrap(),
    }
}

/// Every server with what it is and holds.
pub(crate) fn stage(story: &mut String, stage: &Stage) {
    for (id, server) in &stage.servers {
        let groups: Vec<&str> = stage
            .groups
            .iter()
            .filter(|(_, targets)| targets.contains(id))
            .map(|(name, _)| name.as_str())
            .collect();
        let (version, state) = (&server.instance.version, server.instance.state);
        let boards = server.boards.len();
        writeln!(
            story,
            "  {id} version {version} {state} {:?} boards {boards} in [{}]",
            server.open,
            groups.join(" ")
        )
        .unwrap();
    }
    let shares: Vec<String> = stage.weights.iter().map(|(group, share)| format!("{group}={share}")).collect();
    writeln!(story, "  shares {}", shares.join(" ")).unwrap();
}
