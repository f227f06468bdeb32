//! Step `admit`: every new instance is healthy by the load balancer's word, reachable by its slot, open, and
//! has its share.
//!
//! Guarantees: registered at weight 0 first, so that health checks run; a share only when all are healthy, or when nobody
//! else is left to whom users could be led.
//! Assumptions: slots are pre-provisioned; nobody else leases them.
//! If killed here: leased slots are in the journal; registering again changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::scope::{Acts, Progress, Scope, Taken, begun};
use super::share::{self, Shares};
use super::{capacity, configure, late, lost, registry, stand_in};
use crate::app::{AppState, AppStatus, Formats};
use crate::decision::{Gate, Source, Then, WaitingOn};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::{ForwardArn, GroupArn, InstanceId};
use crate::service::Slot;
use crate::state::Promoted;
use crate::step::Step;
use crate::target::TargetHealth;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    let ready = ready(scope);
    match &ready {
        Ok(Progress::Done) => return share::give(scope, Shares::Shared),
        Ok(Progress::Do(_)) | Err(Progress::Do(_)) => {}
        Ok(_) | Err(_) => stand_in::lead(scope)?,
    }
    ready
}

/// All of it but the share: registered, open, known by its slot, and healthy.
fn ready(scope: &Scope<'_>) -> Taken {
    scope.require_done(Step::Warm, configure::warm)?;
    bring_in(scope, &scope.state.arriving())
}

/// The same of some, whatever becomes of others. At first one that has no slot, or is refused something, is one too many.
/// Of those who come in the place of the dead whoever can is brought in.
pub(super) fn bring_in(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> Taken {
    let each_alone = scope.state.is_done(Step::Admit);
    formats(scope, ids)?;
    lost::leave(scope)?;
    let short = match lease_slots(scope, ids) {
        Ok(Some(event)) => return Ok(Progress::Record(vec![event])),
        Ok(None) => None,
        Err(short) if each_alone => Some(short),
        Err(short) => return Err(short),
    };
    let placed: BTreeSet<InstanceId> =
        ids.iter().filter(|id| short.is_none() || scope.state.route(id).is_some()).cloned().collect();
    let wanted = wanted_groups(scope, &placed);
    registry::require_groups(scope, wanted.values().flatten())?;
    let mut acts = Acts::new(scope);
    registry::register(&mut acts, scope, &wanted);
    open(&mut acts, scope, &placed)?;
    let goal = WaitingOn::Settling { what: "registration", missing: Vec::new() };
    let asked = match acts.is_idle() {
        true => Progress::Done,
        false if each_alone => acts.or_go_on(goal),
        false => acts.or_wait(goal),
    };
    // What one was refused is no reason not to wait for the others.
    let goes_on = asked.is_done() || (each_alone && matches!(asked, Progress::Failed(_)));
    if !goes_on {
        return Ok(asked);
    }
    if let Some((group, missing)) = registry::unhealthy(scope, &wanted).pop_first() {
        return Ok(Progress::Wait(WaitingOn::Health { group, missing }, Then::WayBack));
    }
    short.map_or(Ok(asked), Err)
}

/// Opens whoever is not, may not stay so, or does not know its slot.
pub(super) fn open(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    instances: &BTreeSet<InstanceId>,
) -> Result<(), Progress> {
    for id in instances {
        let app = scope.require_app(id)?;
        let is_ready = app.state == AppState::Serving && !has_forgotten_its_route(scope, id, app);
        if !is_ready || late::may_be_closed(scope, id) {
            want_open(acts, scope, id);
        }
    }
    Ok(())
}

/// It is to be open, and to know its slot.
pub(super) fn want_open(acts: &mut Acts<'_>, scope: &Scope<'_>, id: &InstanceId) {
    let route = scope.state.route(id).cloned();
    acts.want(id.as_str(), Effect::Open { instance: id.clone(), route });
}

/// A process that started anew knows none.
fn has_forgotten_its_route(scope: &Scope<'_>, id: &InstanceId, app: &AppStatus) -> bool {
    let route = scope.state.route(id);
    route.is_some() && app.route.as_ref() != route
}

/// Boards can be carried to it: their clients are led there by the route. A server that somebody else brought may have
/// none, where others have.
pub(super) fn can_be_reached(scope: &Scope<'_>, id: &InstanceId, app: &AppStatus) -> bool {
    let needs_one = scope.plan().service.routing.slots().next().is_some();
    !has_forgotten_its_route(scope, id, app) && (app.route.is_some() || !needs_one)
}

/// The group of its slot, if it has one.
pub(super) fn its_slot(scope: &Scope<'_>, id: &InstanceId) -> Option<GroupArn> {
    registry::slot_group(scope, scope.state.route(id)?)
}

/// Its slot leads to it, if there are slots.
pub(super) fn is_in_its_slot(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let leads = |group: GroupArn| registry::health(scope, &group, id) == Some(TargetHealth::Healthy);
    its_slot(scope, id).map_or(scope.plan().service.routing.slots().next().is_none(), leads)
}

/// The same where it has one: an old server may have none, where others have.
pub(super) fn is_not_out_of_its_slot(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.state.route(id).is_none() || is_in_its_slot(scope, id)
}

/// The group of its slot, as long as nobody knows whether it is well there.
pub(super) fn comes_into_its_slot(scope: &Scope<'_>, id: &InstanceId) -> Option<GroupArn> {
    let group = its_slot(scope, id)?;
    let is_new = matches!(registry::health(scope, &group, id), None | Some(TargetHealth::Initial));
    is_new.then_some(group)
}

/// Tells those of the new servers their route again who serve, and do not know it any more.
pub(super) fn tell_routes(scope: &Scope<'_>) -> Result<(), Progress> {
    let scope = &Scope { step: Step::Admit, ..*scope };
    let forgot =
        |id: &InstanceId| scope.world.app(id).is_ok_and(|app| has_forgotten_its_route(scope, id, app));
    let mut forgetful = scope.state.green();
    forgetful.retain(|id| forgot(id) && capacity::is_healthy(scope, id));
    let mut acts = Acts::new(scope);
    open(&mut acts, scope, &forgetful)?;
    // The others go on: whether it was heard is looked at before a board is carried there.
    begun(acts.into_begun())
}

/// Green's group at its own load balancer, and its slot there.
fn wanted_groups(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let wanted = ids.iter().map(|id| {
        let group = registry::green_group(scope, id).cloned();
        (id.clone(), BTreeSet::from_iter(group))
    });
    registry::with_slots(scope, wanted.collect())
}

/// A free slot for each new instance that has none, as long as there are any.
fn lease_slots(scope: &Scope<'_>, ids: &BTreeSet<InstanceId>) -> Result<Option<Event>, Progress> {
    let routing = &scope.plan().service.routing;
    let mut without = ids.iter().filter(|id| scope.state.route(id).is_none()).peekable();
    if routing.slots().next().is_none() || without.peek().is_none() {
        return Ok(None);
    }
    registry::require_groups(scope, routing.slot_groups())?;
    let replaced = lost::replaced(scope);
    let mut free = free_slots(scope, &replaced);
    let mut routes = BTreeMap::new();
    let mut short = None;
    for id in without {
        match free.get_mut(scope.state.home(id)).and_then(VecDeque::pop_front) {
            Some(slot) => {
                routes.insert(id.clone(), slot.route.clone());
            }
            None => {
                short.get_or_insert(id);
            }
        }
    }
    match short.filter(|_| routes.is_empty()) {
        Some(id) => Err(no_slot(scope, id, replaced)),
        None => Ok(Some(Event::SlotsLeased { routes })),
    }
}

/// The free ones of each load balancer. The slot of one that died and was replaced is free again as soon as its group is
/// empty, and is taken last: clients may still look for the dead one there. So is one to which somebody may come yet.
fn free_slots<'a>(
    scope: &Scope<'a>,
    replaced: &BTreeSet<InstanceId>,
) -> BTreeMap<&'a ForwardArn, VecDeque<&'a Slot>> {
    let (mut leased, mut left) = (BTreeSet::new(), BTreeSet::new());
    for (id, route) in scope.state.routes.iter().chain(&scope.plan().routes) {
        let all = if replaced.contains(id) { &mut left } else { &mut leased };
        all.insert(route);
    }
    let is_free = |slot: &&Slot| {
        let targets = scope.world.targets(&slot.group);
        !leased.contains(&slot.route) && targets.is_ok_and(BTreeMap::is_empty)
    };
    let free = scope.plan().service.routing.balancers().map(|balancer| {
        let mut free: Vec<&Slot> = balancer.slots.iter().filter(is_free).collect();
        let is_doubtful =
            |slot: &&Slot| (late::may_come_into(scope, &slot.group), left.contains(&slot.route));
        free.sort_by_key(is_doubtful);
        (&balancer.forward, free.into())
    });
    free.collect()
}

/// The slots of the dead are waited for; where they are free already there is none.
fn no_slot(scope: &Scope<'_>, id: &InstanceId, replaced: BTreeSet<InstanceId>) -> Progress {
    let kept: Vec<InstanceId> = replaced.into_iter().filter(|id| registry::is_in_a_slot(scope, id)).collect();
    if !kept.is_empty() {
        let goal = WaitingOn::Settling { what: "the slots of servers that died", missing: kept };
        return Progress::Wait(goal, Then::WayBack);
    }
    let at = registry::at_balancer(scope, scope.state.home(id));
    Progress::Failed(format!("no route slot is free for {id}{at}"))
}

/// Whether both versions can read each other's boards, by what every running server says of itself.
fn formats(scope: &Scope<'_>, new: &BTreeSet<InstanceId>) -> Result<(), Progress> {
    let (old, new) = (spoken(scope, &scope.state.blue)?, spoken(scope, new)?);
    let pairs = || old.iter().flat_map(|blue| new.iter().map(move |green| (*blue, *green)));
    if let Some((blue, _)) = pairs().find(|(blue, green)| !green.can_read(blue)) {
        return Err(Progress::Failed(format!(
            "version {} cannot read {:?}, which version {} writes",
            scope.plan().image.version,
            blue.writes,
            scope.plan().from_version
        )));
    }
    match pairs().find(|(blue, green)| !blue.can_read(green)) {
        Some((blue, green)) if scope.state.promoted == Promoted::No => Err(Progress::Ask(Gate::NoWayBack {
            blue_reads: blue.reads.clone(),
            green_writes: green.writes.clone(),
        })),
        Some(_) | None => Ok(()),
    }
}

/// What the running ones read and write, each answer once: thousands of servers say the same. One that is silent
/// may be the one that cannot.
fn spoken<'a>(scope: &Scope<'a>, ids: &BTreeSet<InstanceId>) -> Result<Vec<&'a Formats>, Progress> {
    let mut said = Vec::new();
    for id in scope.running(ids) {
        match scope.world.app(&id) {
            Ok(app) if said.contains(&&app.formats) => {}
            Ok(app) => said.push(&app.formats),
            Err(why) => return Err(Scope::blind(Source::App(id), why)),
        }
    }
    Ok(said)
}
