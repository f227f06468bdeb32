//! Way back: who has the users of a load balancer until its old servers serve again, or for want of them.
//!
//! Guarantees: where the new side is known to serve nobody any more, or nobody is where the users are led, whoever of the
//! old one can has them; where the old side is deserted, the new one has them, and is opened again for it. What is done
//! here is not undone by the rest of the way back. What one server or one load balancer does not answer, or refuses, is no
//! matter of another's users; but where it is refused that the users are led to anybody, or that anybody is brought in for
//! them, a person is called as soon as nothing else is to be done.
//! Assumptions: whether there is enough of blue is asked elsewhere.
//! If killed here: everything is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope, begun};
use super::share::{self, Shares};
use super::{admit, capacity, late, registry};
use crate::app::AppState;
use crate::decision::{Then, WaitingOn};
use crate::ids::{GroupArn, InstanceId};
use crate::instance::InstanceState;
use crate::plan::{Front, Kind};
use crate::step::Step;
use crate::target::TargetHealth;

/// Who is to have the users of a load balancer alone.
enum Side {
    Old,
    New,
}

/// What is wanted at one load balancer. What is refused of one kind keeps no other waiting: each has its own.
struct Wanted<'a> {
    opening: Acts<'a>,
    leading: Acts<'a>,
    bringing: Acts<'a>,
}

/// What became of the users.
pub(super) struct LetIn<'a> {
    /// Where the new side has them: they stay there until that changes.
    pub(super) with_the_new: Vec<&'a Front>,
    /// In whose words it was refused to lead them somewhere, or to bring anybody in whom they could find; none as long as
    /// old servers that others wait for come in: a release that holds lets nobody in.
    pub(super) refused: Option<String>,
}

impl LetIn<'_> {
    /// A person is called where it was refused.
    pub(super) fn or_fail(self) -> Result<(), Progress> {
        self.refused.map_or(Ok(()), |why| Err(Progress::Failed(why)))
    }
}

/// Opens whichever side can serve alone, and leads the users to it.
pub(super) fn let_the_users_in<'a>(scope: &Scope<'a>) -> Result<LetIn<'a>, Progress> {
    // Whatever step asks for it: what is done is the same, and has one name.
    let scope = &Scope { step: Step::Reopen, ..*scope };
    let (mut due, mut with_the_new, mut refused) = (Vec::new(), Vec::new(), None);
    let mut somebody_waits = false;
    for front in scope.plan().fronts.iter().filter(|front| is_read(scope, front)) {
        let Some(side) = side_due(scope, front) else { continue };
        let acts = || Acts::new(scope);
        let mut wanted = Wanted { opening: acts(), leading: acts(), bringing: acts() };
        if deserted_group(scope, front).is_some() {
            bring_in_again(&mut wanted.bringing, scope, places_of_the_new(scope, front));
        }
        match side {
            Side::Old => to_the_old(&mut wanted, scope, front)?,
            Side::New => with_the_new.extend(to_the_new(&mut wanted, scope, front)?.then_some(front)),
        }
        let Wanted { opening, leading, bringing } = wanted;
        somebody_waits |= leading.refusal().is_none() && is_awaited(scope, front);
        let brought = bringing.refusal().filter(|_| !has_or_gets_somebody(scope, front));
        refused = refused.or_else(|| leading.refusal().or(brought).map(str::to_owned));
        due.extend([opening, leading, bringing].into_iter().flat_map(Acts::into_begun));
    }
    // Whether it was taken is looked at when all are up.
    begun(due)?;
    Ok(LetIn { with_the_new, refused: refused.filter(|_| !somebody_waits) })
}

/// Its users find nobody, and an old server comes in: it starts, or is new in its group, or is just opened. One that does
/// not answer, and was closed, may never be.
fn is_awaited(scope: &Scope<'_>, front: &Front) -> bool {
    let groups = share::groups_led_to(front, Shares::Before);
    let comes = |group: &GroupArn, id: &InstanceId| match registry::health(scope, group, id) {
        None | Some(TargetHealth::Initial) => true,
        Some(TargetHealth::Healthy) => scope.world.app(id).is_ok() || !is_shut(scope, id),
        Some(
            TargetHealth::Unhealthy
            | TargetHealth::Draining
            | TargetHealth::Unused
            | TargetHealth::Unavailable,
        ) => false,
    };
    let comes_in = |id: &InstanceId| match scope.world.instance(id).map(|it| it.state) {
        Some(InstanceState::Pending | InstanceState::Stopping | InstanceState::Stopped) => true,
        Some(InstanceState::Running) => groups.iter().any(|group| comes(group, id)),
        None | Some(InstanceState::ShuttingDown | InstanceState::Terminated) => false,
    };
    !is_anybody_reached(scope, front) && here(scope, front, &scope.state.blue).any(comes_in)
}

/// Its users find somebody, or whoever is new in its groups will be there in a moment. An old server that may come in is
/// waited for by others.
fn has_or_gets_somebody(scope: &Scope<'_>, front: &Front) -> bool {
    let groups = share::groups_led_to(front, Shares::After);
    let comes = |id: &InstanceId| {
        let mut health = groups.iter().filter_map(|group| registry::health(scope, group, id));
        scope.may_run(id) && health.any(|it| matches!(it, TargetHealth::Initial | TargetHealth::Healthy))
    };
    let green = scope.state.green();
    is_anybody_reached(scope, front) || is_awaited(scope, front) || here(scope, front, &green).any(comes)
}

/// None while the users find new servers, which a canary has no part in: they are few, and nothing was closed for it.
fn side_due(scope: &Scope<'_>, front: &Front) -> Option<Side> {
    let green = scope.state.green();
    if !here(scope, front, &green).any(|id| may_serve(scope, front, id)) {
        return Some(Side::Old);
    }
    let had_users = share::groups_led_to(front, Shares::Before);
    let serves = |id: &InstanceId| capacity::serves_in(scope, &had_users, id);
    let goes_at_once = scope.plan().kind == Kind::Canary && here(scope, front, &scope.state.blue).any(serves);
    match (is_deserted(scope, front), goes_at_once || !leads_to_somebody(scope, front)) {
        (true, _) => Some(Side::New),
        (false, true) => Some(Side::Old),
        (false, false) => None,
    }
}

/// Where nobody can be reached now, an old server that does not answer the daemon is better than none, and is not shut for
/// that; and so is whoever else is there: a canary, or one that the release does not know. One that is out is registered
/// again: a call that takes it out may land yet, and that is not waited for.
fn to_the_old(wanted: &mut Wanted<'_>, scope: &Scope<'_>, front: &Front) -> Result<(), Progress> {
    let (blue, groups) = (&scope.state.blue, share::groups_led_to(front, Shares::Before));
    let is_reached = is_anybody_reached(scope, front);
    let may_be_open = |id: &InstanceId| !is_shut(scope, id) || (!is_reached && scope.world.app(id).is_err());
    let has_users = |group: &GroupArn, id: &InstanceId| {
        let is_healthy = registry::health(scope, group, id) == Some(TargetHealth::Healthy);
        is_healthy && scope.may_run(id) && may_be_open(id)
    };
    let any_old = || here(scope, front, blue).any(|id| groups.iter().any(|group| has_users(group, id)));
    let anybody = || groups.iter().any(|group| registry::has_any(scope, group, |id| has_users(group, id)));
    open_again(&mut wanted.opening, scope, &groups, here(scope, front, blue));
    if any_old() || (!is_reached && anybody()) {
        share::want(&mut wanted.leading, scope, front, Shares::Before)?;
    }
    if !is_reached {
        bring_in_again(&mut wanted.bringing, scope, places_of_the_old(scope, front));
    }
    Ok(())
}

/// Answers whether some new one has them: one that only does not answer the daemon serves by the load balancer's word.
fn to_the_new(wanted: &mut Wanted<'_>, scope: &Scope<'_>, front: &Front) -> Result<bool, Progress> {
    let (green, groups) = (scope.state.green(), share::groups_led_to(front, Shares::After));
    // Where it had no old ones it has nobody after the way back, as before.
    if deserted_group(scope, front).is_some() {
        open_again(&mut wanted.opening, scope, &groups, here(scope, front, &green));
    }
    let has_users = |id: &InstanceId| capacity::is_healthy_in(scope, &groups, id) && !is_shut(scope, id);
    let any_has = here(scope, front, &green).any(has_users);
    if any_has {
        share::want(&mut wanted.leading, scope, front, Shares::After)?;
    }
    Ok(any_has)
}

/// Gives users back to the old servers of each load balancer where all of them serve, whatever the others lack: where
/// some are missing, whether there are enough in all is asked first.
pub(super) fn give_back(scope: &Scope<'_>, with_the_new: &[&Front]) -> Result<(), Progress> {
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

/// The old side cannot have the users: a group to which a part of them was led has nobody, and no old server may serve
/// here, or none is left of each such colour that had some. A canary that died is no reason to keep the others from the
/// old version, and one that the release does not know is somebody.
fn is_deserted(scope: &Scope<'_>, front: &Front) -> bool {
    let led_to = share::groups_led_to(front, Shares::Before);
    if led_to.iter().all(|group| has_somebody(scope, group)) {
        return false;
    }
    let any_old = here(scope, front, &scope.state.blue).any(|id| may_serve(scope, front, id));
    let colours = registry::colours_at(scope, &front.forward).filter(|it| led_to.contains(*it));
    let mut peopled = colours.filter(|it| had_old_ones(scope, it)).peekable();
    !any_old || (peopled.peek().is_some() && peopled.all(|group| !has_somebody(scope, group)))
}

/// A group to which the shares from before lead, in which old servers were and nobody is left, where that is a reason
/// to hold.
fn deserted_group(scope: &Scope<'_>, front: &Front) -> Option<GroupArn> {
    let is_empty = |group: &GroupArn| had_old_ones(scope, group) && !has_somebody(scope, group);
    let empty = share::groups_led_to(front, Shares::Before).into_iter().find(is_empty);
    empty.filter(|_| is_deserted(scope, front))
}

fn had_old_ones(scope: &Scope<'_>, group: &GroupArn) -> bool {
    were_in(scope, group).next().is_some()
}

/// The old servers that the group had when the release was accepted.
fn were_in<'a>(scope: &Scope<'a>, group: &GroupArn) -> impl Iterator<Item = &'a InstanceId> {
    let all = scope.plan().blue_groups.iter().filter(move |(_, groups)| groups.contains(group));
    all.map(|(id, _)| id)
}

/// Somebody takes new clients where the users are led now. Who is ill does where nobody is well, if its process answers.
fn is_anybody_reached(scope: &Scope<'_>, front: &Front) -> bool {
    let Ok(weights) = scope.world.weights(&front.forward) else { return false };
    let is_reached = |group: &GroupArn, id: &InstanceId| match registry::health(scope, group, id) {
        Some(TargetHealth::Healthy) => scope.may_run(id) && !is_shut(scope, id),
        Some(TargetHealth::Unhealthy) => scope.may_run(id) && capacity::is_open(scope, id),
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
fn has_somebody(scope: &Scope<'_>, group: &GroupArn) -> bool {
    registry::has_any(scope, group, |id| may_serve_in(scope, group, id))
}

/// New servers that run and that users were led to, each with the group for them. Whose end was asked for may be ended at
/// any moment, and is brought in no more.
fn places_of_the_new(scope: &Scope<'_>, front: &Front) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let green = scope.state.green();
    let stays = |id: &&InstanceId| scope.runs(id) && !scope.state.asked_to_end.contains(*id);
    let running = here(scope, front, &green).filter(stays).filter(|id| registry::was_led_to(scope, id));
    let group = BTreeSet::from_iter(front.green_group.clone());
    running.map(|id| (id.clone(), group.clone())).collect()
}

/// Old servers that run, each with the groups in which it was.
fn places_of_the_old(scope: &Scope<'_>, front: &Front) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
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
        admit::want_open(acts, scope, id);
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
