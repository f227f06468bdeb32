//! Step `preflight`: every named check passed, or somebody with the right overrode it.
//!
//! Guarantees: each check's answer is in the journal, with the reason of each override.
//! Assumptions: none; a check that cannot be answered has not passed.
//! If killed here: nothing was done; the checks are made again.

use std::collections::BTreeSet;

use super::registry;
use super::scope::{Progress, Scope, Taken};
use crate::decision::{Then, WaitingOn};
use crate::event::{CheckResult, Event};
use crate::ids::{CheckName, InstanceId};
use crate::instance::InstanceState;
use crate::plan::Kind;
use crate::reading::Reading;
use crate::service::NeedsCanary;
use crate::state::ReleaseState;
use crate::step::Step;
use crate::target::TargetHealth;
use crate::world::World;

/// What one check says.
enum Answer {
    Yes(String),
    /// It may be yes in a moment.
    NotYet(String),
    No(String),
}

impl Answer {
    /// With the word of whoever set the check aside.
    fn result(self, scope: &Scope<'_>, check: &CheckName) -> CheckResult {
        match (self, scope.plan().overrides.get(check)) {
            (Self::Yes(sentence), _) => CheckResult::Passed(sentence),
            (Self::NotYet(failed) | Self::No(failed), Some(reason)) => {
                CheckResult::Overridden { failed, reason: reason.clone() }
            }
            (Self::NotYet(failed) | Self::No(failed), None) => CheckResult::Failed(failed),
        }
    }
}

type Check = fn(&Scope<'_>) -> Answer;

/// The checks by name, in the order in which they are told.
const CHECKS: [(&str, Check); 8] = [
    ("blue-healthy", blue_healthy),
    ("nobody-left-behind", nobody_left_behind),
    ("boards-known", boards_known),
    ("app-answers", app_answers),
    ("canary", canary),
    ("slots", slots),
    ("addresses", addresses),
    ("targets", targets),
];

/// The names by which checks can be set aside.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    CHECKS.into_iter().map(|(name, _)| name)
}

/// What each check of the release's preflight would say in this world, in the order in which they are told; none
/// waits for what may be otherwise in a moment.
pub fn checks(state: &ReleaseState, world: &World) -> Vec<(CheckName, CheckResult)> {
    let scope = Scope { state, world, step: Step::Preflight };
    let said = CHECKS.into_iter().map(|(name, check)| {
        let name = CheckName::new(name);
        let result = check(&scope).result(&scope, &name);
        (name, result)
    });
    said.collect()
}

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    let mut events = Vec::new();
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let name = CheckName::new(name);
        let answer = check(scope);
        let may_turn = matches!(answer, Answer::NotYet(_));
        let result = answer.result(scope, &name);
        if let CheckResult::Failed(sentence) = &result {
            let until = scope.entered_at().after(scope.patience().settle);
            if may_turn && scope.world.at < until {
                let on = WaitingOn::Check { check: name, sentence: sentence.clone() };
                return Err(Progress::WaitUntil(on, until, Then::Refuse));
            }
            failed.push(name.clone());
        }
        events.push(Event::Checked { check: name, result });
    }
    let recorded = scope.state.checks.iter().filter(|(_, it)| matches!(it, CheckResult::Failed(_)));
    let refused: Vec<CheckName> = recorded.map(|(name, _)| name.clone()).collect();
    // What passed before a pause of hours may not pass now.
    if scope.state.checks.is_empty() || (refused.is_empty() && !failed.is_empty()) {
        return Ok(Progress::Record(events));
    }
    Ok(if refused.is_empty() { Progress::Done } else { Progress::Refuse(refused) })
}

fn blue_healthy(scope: &Scope<'_>) -> Answer {
    let sick: Vec<&str> = scope
        .plan()
        .blue_groups
        .iter()
        .filter(|(id, groups)| {
            !groups.iter().any(|group| registry::health(scope, group, id) == Some(TargetHealth::Healthy))
        })
        .map(|(id, _)| id.as_str())
        .collect();
    match sick.is_empty() {
        true => Answer::Yes(format!("all {} old servers are healthy", scope.plan().blue.len())),
        false => Answer::NotYet(format!("not healthy by the load balancer's word: {}", sick.join(", "))),
    }
}

/// Servers of what runs that no group of the configuration has: their load balancer was taken out of it, or a person
/// took them out of their groups. A release would leave them as they are, with whatever boards they have, and nobody
/// would hear of it. A canary leaves everybody as they are.
fn nobody_left_behind(scope: &Scope<'_>) -> Answer {
    let plan = scope.plan();
    if plan.kind == Kind::Canary {
        return Answer::Yes("a canary leaves every server where it is".to_owned());
    }
    let Some(all) = scope.world.instances.known() else {
        return Answer::NotYet("EC2's list cannot be read".to_owned());
    };
    let old: BTreeSet<_> = plan.blue.iter().filter_map(|id| all.get(id)).map(|it| &it.version).collect();
    let is_named =
        |id: &InstanceId| [&plan.blue, &plan.takeover, &plan.spares].iter().any(|named| named.contains(id));
    let groups = registry::all_groups(scope);
    let is_listed = |id: &InstanceId| groups.iter().any(|it| registry::health(scope, it, id).is_some());
    let left: Vec<&str> = all
        .values()
        .filter(|it| it.state == InstanceState::Running && old.contains(&it.version))
        .filter(|it| !is_named(&it.id) && !is_listed(&it.id))
        .map(|it| it.id.as_str())
        .collect();
    match left.is_empty() {
        true => Answer::Yes("every server of what runs is in a configured target group".to_owned()),
        false => Answer::NotYet(format!(
            "no target group of the configuration has {}, and the release would leave them with their boards: \
             configure their load balancer again, or stop them, or take their tags away",
            left.join(", ")
        )),
    }
}

fn boards_known(scope: &Scope<'_>) -> Answer {
    for id in &scope.plan().blue {
        if let Err(why) = scope.world.boards(id) {
            return Answer::NotYet(format!("the number of boards on {id} is unknown: {why}"));
        }
    }
    Answer::Yes("the number of boards is known on every old server".to_owned())
}

fn app_answers(scope: &Scope<'_>) -> Answer {
    for id in &scope.plan().blue {
        if let Err(why) = scope.world.app(id) {
            return Answer::NotYet(format!("{id} does not answer on its control port: {why}"));
        }
    }
    Answer::Yes("every old server answers on its control port".to_owned())
}

fn canary(scope: &Scope<'_>) -> Answer {
    let plan = scope.plan();
    match (plan.kind, plan.service.full.needs_canary, &plan.passed_canary) {
        (Kind::Full, NeedsCanary::Yes, None) => {
            Answer::No(format!("no canary of version {} that still counts has passed", plan.image.version))
        }
        (Kind::Full, _, Some(canary)) => Answer::Yes(format!("{canary} passed for this version")),
        (Kind::Full, NeedsCanary::No, None) | (Kind::Canary | Kind::Rollback, _, _) => {
            Answer::Yes("none is asked for".to_owned())
        }
    }
}

fn slots(scope: &Scope<'_>) -> Answer {
    let routing = &scope.plan().service.routing;
    if routing.slots().next().is_none() {
        return Answer::Yes("the application redirects clients by itself".to_owned());
    }
    let (mut free_in_all, mut wanted_in_all) = (0_u32, 0_u32);
    for balancer in routing.balancers() {
        let mut free = 0_u32;
        for slot in &balancer.slots {
            match scope.world.targets(&slot.group) {
                Ok(targets) => free += u32::from(targets.is_empty()),
                Err(why) => return Answer::NotYet(format!("slot {} cannot be read: {why}", slot.route)),
            }
        }
        let wanted = scope.plan().fresh_at(&balancer.forward);
        if free < wanted {
            let at = registry::at_balancer(scope, &balancer.forward);
            return Answer::No(format!("only {free} route slots are free{at}, {wanted} are needed"));
        }
        free_in_all = free_in_all.saturating_add(free);
        wanted_in_all = wanted_in_all.saturating_add(wanted);
    }
    Answer::Yes(format!("{free_in_all} route slots are free, {wanted_in_all} are needed"))
}

fn addresses(scope: &Scope<'_>) -> Answer {
    let free = match &scope.world.subnets {
        Reading::Known { value, .. } => value,
        Reading::Unknown(why) => return Answer::NotYet(format!("the subnets cannot be read: {why}")),
    };
    for batch in &scope.plan().batches {
        let wanted: u32 =
            scope.plan().batches.iter().filter(|it| it.subnet == batch.subnet).map(|it| it.count).sum();
        let here = free.get(&batch.subnet).copied().unwrap_or(0);
        if here < u64::from(wanted) {
            return Answer::No(format!("{} has {here} free addresses, {wanted} are needed", batch.subnet));
        }
    }
    Answer::Yes("every subnet has room".to_owned())
}

/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers": targets per load balancer.
const TARGETS_PER_BALANCER: usize = 1_000;

fn targets(scope: &Scope<'_>) -> Answer {
    let (mut registered_in_all, mut wanted_in_all) = (0_usize, 0_usize);
    for balancer in scope.plan().service.routing.balancers() {
        let mut registered = 0;
        for group in balancer.groups() {
            match scope.world.targets(group) {
                Ok(targets) => registered += targets.len(),
                Err(why) => return Answer::NotYet(format!("target group {group} cannot be read: {why}")),
            }
        }
        // Each new instance is registered in its colour, and in its slot where the service has slots.
        let registrations = 1 + usize::from(!balancer.slots.is_empty());
        let green = scope.plan().green_size_at(&balancer.forward);
        let wanted = usize::try_from(green).unwrap_or(usize::MAX).saturating_mul(registrations);
        if registered.saturating_add(wanted) > TARGETS_PER_BALANCER {
            let at = registry::at_balancer(scope, &balancer.forward);
            return Answer::No(format!(
                "{registered} targets are registered{at} and {wanted} come: more than the {TARGETS_PER_BALANCER} of a load balancer"
            ));
        }
        registered_in_all += registered;
        wanted_in_all = wanted_in_all.saturating_add(wanted);
    }
    Answer::Yes(format!("{registered_in_all} targets are registered, {wanted_in_all} come"))
}
