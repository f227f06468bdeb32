//! Way back: who has the users of a load balancer until its old servers serve again, or for want of them.
//!
//! Guarantees: where the new side is known to serve nobody any more, or nobody is where the users are led, whoever of the
//! old one can has them; where the old side is deserted, the new one has them, and is opened again for it. What is done
//! here is not undone by the rest of the way back. What one server or one load balancer does not answer, or refuses, is no
//! matter of another's users; but where it is refused that the users are led to anybody, a person is called as soon as
//! nothing else is to be done.
//! Assumptions: whether there is enough of blue is asked elsewhere.
//! If killed here: everything is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope, begun};
use super::share::{self, Shares};
use super::{capacity, late, registry};
use crate::app::AppState;
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::{GroupArn, InstanceId};
use crate::plan::{Front, Kind};
use crate::step::Step;
use crate::target::TargetHealth;

/// Opens whichever side can serve alone, and leads the users to it. Answers where that is the new one: they stay there
/// until that changes.
pub(super) fn let_the_users_in<'a>(scope: &Scope<'a>) -> Result<Vec<&'a Front>, Progress> {
    // Whatever step asks for it: what is done is the same, and has one name.
    let scope = &Scope { step: Step::Reopen, ..*scope };
    let (blue, green) = (&scope.state.blue, &scope.state.green());
    let (mut due, mut with_the_new, mut refused) = (Vec::new(), Vec::new(), None);
    for front in scope.plan().fronts.iter().filter(|front| is_read(scope, front)) {
        let Some(shares) = shares_due(scope, front, green) else { continue };
        let kept = if shares == Shares::After { green } else { blue };
        // What is refused for one keeps nobody else waiting: each has its own.
        let (mut opening, mut leading, mut bringing) = (Acts::new(scope), Acts::new(scope), Acts::new(scope));
        let groups = share::groups_led_to(front, shares);
        let holds = deserted_group(scope, front).is_some();
        let is_reached = is_anybody_reached(scope, front);
        // Where it had no old ones it has nobody after the way back, as before.
        if shares == Shares::Before || holds {
            open_again(&mut opening, scope, &groups, here(scope, front, kept));
        }
        if finds_somebody(scope, front, shares, &groups, is_reached) {
            share::want(&mut leading, scope, front, shares)?;
            with_the_new.extend((shares == Shares::After).then_some(front));
        }
        if holds {
            bring_in_again(&mut bringing, scope, new_ones(scope, front));
        }
        if shares == Shares::Before && !is_reached {
            bring_in_again(&mut bringing, scope, old_ones(scope, front));
        }
        refused = refused.or_else(|| leading.refusal().map(str::to_owned));
        due.extend([opening, leading, bringing].into_iter().flat_map(Acts::into_begun));
    }
    // Whether it was taken is looked at when all are up.
    begun(due)?;
    refused.map_or(Ok(with_the_new), |why| Err(Progress::Failed(why)))
}

/// By which shares one side is to have the users of a load balancer alone; none while they find new servers.
fn shares_due(scope: &Scope<'_>, front: &Front, green: &BTreeSet<InstanceId>) -> Option<Shares> {
    if !here(scope, front, green).any(|id| may_serve(scope, front, id)) {
        return Some(Shares::Before);
    }
    match (is_deserted(scope, front), leads_to_somebody(scope, front)) {
        (true, _) => Some(Shares::After),
        (false, false) => Some(Shares::Before),
        (false, true) => None,
    }
}

/// Gives users back to the old servers of each load balancer where all of them serve, whatever the others lack: where
/// some are missing, whether there are enough in all is asked first. A canary serves beside all old ones, and goes then.
pub(super) fn give_back(scope: &Scope<'_>, with_the_new: &[&Front]) -> Result<(), Progress> {
    if scope.plan().kind == Kind::Canary {
        return Ok(());
    }
    let (blue, groups) = (&scope.state.blue, scope.plan().groups());
    let mut due = Vec::new();
    let fronts = scope.plan().fronts.iter();
    for front in fronts.filter(|front| is_read(scope, front) && !with_the_new.contains(front)) {
        let mut acts = Acts::new(scope);
        let all_serve = here(scope, front, blue).all(|id| capacity::serves_in(scope, &groups, id));
        if all_serve && capacity::is_enough_at(scope, blue, front) {
            share::want(&mut acts, scope, front, Shares::Before)?;
        }
        due.extend(acts.into_begun());
    }
    begun(due)
}

/// Each load balancer that had old servers has some of them still; else the wait for those who were there.
pub(super) fn require_old_ones(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut fronts = scope.plan().fronts.iter();
    let Some(group) = fronts.find_map(|front| deserted_group(scope, front)) else { return Ok(()) };
    let missing = were_in(scope, &group).cloned().collect();
    Err(Progress::Wait(WaitingOn::Health { group, missing }, Then::Hold))
}

/// The old side cannot have the users: no old server may serve here, or none of the colour from which most were served. A
/// canary that died is no reason to keep the others from the old version.
fn is_deserted(scope: &Scope<'_>, front: &Front) -> bool {
    let led_to = share::groups_led_to(front, Shares::Before);
    if led_to.iter().all(|group| has_somebody(scope, group)) {
        return false;
    }
    let any_old = here(scope, front, &scope.state.blue).any(|id| may_serve(scope, front, id));
    let colours = registry::colours_at(scope, &front.forward).filter(|it| led_to.contains(*it));
    let mut peopled = colours.filter(|it| were_in(scope, it).next().is_some()).peekable();
    !any_old || (peopled.peek().is_some() && peopled.all(|group| !has_somebody(scope, group)))
}

/// A group to which the shares from before lead, in which old servers were and nobody is left, where that is a reason
/// to hold.
fn deserted_group(scope: &Scope<'_>, front: &Front) -> Option<GroupArn> {
    let is_empty = |group: &GroupArn| were_in(scope, group).next().is_some() && !has_somebody(scope, group);
    let empty = share::groups_led_to(front, Shares::Before).into_iter().find(is_empty);
    empty.filter(|_| is_deserted(scope, front))
}

/// The old servers that the group had when the release was accepted.
fn were_in<'a>(scope: &Scope<'a>, group: &GroupArn) -> impl Iterator<Item = &'a InstanceId> {
    let all = scope.plan().blue_groups.iter().filter(move |(_, groups)| groups.contains(group));
    all.map(|(id, _)| id)
}

/// Users that are led to these groups find somebody of the side that is to have them. Where nobody can be reached now, an old
/// server that does not answer the daemon is better than none, and is not shut for that; and so is whoever else is there: a
/// canary, or one that the release does not know.
fn finds_somebody(
    scope: &Scope<'_>,
    front: &Front,
    shares: Shares,
    groups: &BTreeSet<GroupArn>,
    is_reached: bool,
) -> bool {
    if shares != Shares::Before {
        let green = scope.state.green();
        return here(scope, front, &green).any(|id| capacity::serves_in(scope, groups, id));
    }
    let has_users = |group: &GroupArn, id: &InstanceId| {
        let is_healthy = registry::health(scope, group, id) == Some(TargetHealth::Healthy);
        let may_be_open = || (!is_reached && scope.world.app(id).is_err()) || !is_shut(scope, id);
        is_healthy && scope.may_run(id) && may_be_open()
    };
    let mut old = here(scope, front, &scope.state.blue);
    old.any(|id| groups.iter().any(|group| has_users(group, id)))
        || (!is_reached
            && groups.iter().any(|group| registry::has_any(scope, group, |id| has_users(group, id))))
}

/// Somebody takes new clients where the users are led now. Who is ill does where nobody is well, if its process answers.
fn is_anybody_reached(scope: &Scope<'_>, front: &Front) -> bool {
    let Ok(weights) = scope.world.weights(&front.forward) else { return false };
    let is_open = |id: &InstanceId| scope.world.app(id).is_ok_and(|app| app.state == AppState::Serving);
    let is_reached = |group: &GroupArn, id: &InstanceId| match registry::health(scope, group, id) {
        Some(TargetHealth::Healthy) => scope.may_run(id) && !is_shut(scope, id),
        Some(TargetHealth::Unhealthy) => scope.may_run(id) && is_open(id),
        None
        | Some(
            TargetHealth::Initial | TargetHealth::Draining | TargetHealth::Unused | TargetHealth::Unavailable,
        ) => false,
    };
    share::with_a_share(weights).any(|group| registry::has_any(scope, group, |id| is_reached(group, id)))
}

/// It takes no new clients, by its own word; by the journal's, where it gives none.
fn is_shut(scope: &Scope<'_>, id: &InstanceId) -> bool {
    match scope.world.app(id) {
        Ok(app) => app.state != AppState::Serving,
        Err(_) => late::was_closed(scope, id) || late::may_be_closed(scope, id),
    }
}

/// Somebody may serve where its users are led now, and in each colour among those groups. A new server may be healthy in
/// another group; and a canary that died takes nobody away from a colour.
fn leads_to_somebody(scope: &Scope<'_>, front: &Front) -> bool {
    let Ok(weights) = scope.world.weights(&front.forward) else { return false };
    let colours: BTreeSet<&GroupArn> = registry::colours_at(scope, &front.forward).collect();
    let serves = |group: &GroupArn| {
        registry::has_any(scope, group, |id| may_serve_in(scope, group, id) && !is_shut(scope, id))
    };
    share::with_a_share(weights).any(serves)
        && share::with_a_share(weights).filter(|group| colours.contains(group)).all(serves)
}

/// Somebody may serve in this group, one that the release does not know as well: a scaling group's for instance.
pub(super) fn has_somebody(scope: &Scope<'_>, group: &GroupArn) -> bool {
    registry::has_any(scope, group, |id| may_serve_in(scope, group, id))
}

/// New servers that run and were taken out of their groups already, when the last old one went down. Whose end was asked
/// for may be ended at any moment, and is brought in no more.
fn new_ones(scope: &Scope<'_>, front: &Front) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let green = scope.state.green();
    let stays = |id: &&InstanceId| scope.runs(id) && !scope.state.asked_to_end.contains(*id);
    let running = here(scope, front, &green).filter(stays).filter(|id| registry::was_led_to(scope, id));
    let group = BTreeSet::from_iter(front.green_group.clone());
    running.map(|id| (id.clone(), group.clone())).collect()
}

/// Old servers that run, and where they were: a call that takes them out may land yet, and where nobody can be reached that
/// is not waited for.
fn old_ones(scope: &Scope<'_>, front: &Front) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let running = here(scope, front, &scope.state.blue).filter(|id| scope.runs(id));
    running.filter_map(|id| Some((id.clone(), scope.state.blue_groups.get(id)?.clone()))).collect()
}

/// Registers whoever is out of these groups, and of its slot.
fn bring_in_again(acts: &mut Acts<'_>, scope: &Scope<'_>, wanted: BTreeMap<InstanceId, BTreeSet<GroupArn>>) {
    let mut wanted = registry::with_slots(scope, wanted);
    // What was not read may have it already.
    for groups in wanted.values_mut() {
        groups.retain(|group| scope.world.targets(group).is_ok());
    }
    registry::register(acts, scope, &wanted);
}

/// Whoever is healthy there, and shut.
fn open_again<'i>(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    groups: &BTreeSet<GroupArn>,
    side: impl Iterator<Item = &'i InstanceId>,
) {
    for id in side.filter(|id| capacity::is_healthy_in(scope, groups, id) && is_shut(scope, id)) {
        let route = scope.state.route(id).cloned();
        acts.want(id.as_str(), Effect::Open { instance: id.clone(), route });
    }
}

fn is_read(scope: &Scope<'_>, front: &Front) -> bool {
    registry::is_read_at(scope, &front.forward) && scope.world.weights(&front.forward).is_ok()
}

/// Those of them who serve at this load balancer.
pub(super) fn here<'s>(
    scope: &'s Scope<'_>,
    front: &'s Front,
    ids: &'s BTreeSet<InstanceId>,
) -> impl Iterator<Item = &'s InstanceId> {
    ids.iter().filter(|id| *scope.state.home(id) == front.forward)
}

fn may_serve(scope: &Scope<'_>, front: &Front, id: &InstanceId) -> bool {
    registry::groups_at(scope, &front.forward).any(|group| may_serve_in(scope, group, id))
}

/// Healthy there; or registered, and not listed by EC2: such a one may run all the same.
fn may_serve_in(scope: &Scope<'_>, group: &GroupArn, id: &InstanceId) -> bool {
    match registry::health(scope, group, id) {
        None | Some(TargetHealth::Unused) => false,
        Some(TargetHealth::Healthy) => scope.may_run(id),
        Some(
            TargetHealth::Initial
            | TargetHealth::Unhealthy
            | TargetHealth::Draining
            | TargetHealth::Unavailable,
        ) => scope.world.instance(id).is_none(),
    }
}
