//! Step `admit`: every new instance is healthy by the load balancer's word, reachable by its slot, open, and
//! has its share.
//!
//! Guarantees: registered at weight 0 first, so that health checks run; a share only when all are healthy.
//! Assumptions: slots are pre-provisioned; nobody else leases them.
//! If killed here: leased slots are in the journal; registering again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope, Taken};
use super::share::{self, Shares};
use super::{configure, late, lost, registry};
use crate::app::{AppState, Formats};
use crate::decision::{Gate, Source, Then, WaitingOn};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::{ForwardArn, GroupArn, InstanceId, Route};
use crate::service::Slot;
use crate::state::Promoted;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    let ready = ready(scope)?;
    if ready.is_done() { share::give(scope, Shares::Shared) } else { Ok(ready) }
}

/// All of it but the share: registered, open, known by its slot, and healthy.
pub(super) fn ready(scope: &Scope<'_>) -> Taken {
    scope.require_done(Step::Warm, configure::warm)?;
    formats(scope)?;
    lost::leave(scope)?;
    if let Some(event) = lease_slots(scope)? {
        return Ok(Progress::Record(vec![event]));
    }
    let wanted = wanted_groups(scope);
    registry::require_groups(scope, wanted.values().flatten())?;
    let mut acts = Acts::new(scope);
    registry::register(&mut acts, scope, &wanted);
    open(&mut acts, scope, &scope.state.arriving())?;
    if !acts.is_idle() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "registration", missing: Vec::new() }));
    }
    if let Some((group, missing)) = registry::unhealthy(scope, &wanted).pop_first() {
        return Ok(Progress::Wait(WaitingOn::Health { group, missing }, Then::WayBack));
    }
    Ok(Progress::Done)
}

/// Opens whoever is not, may not stay so, or does not know its slot.
pub(super) fn open(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    instances: &BTreeSet<InstanceId>,
) -> Result<(), Progress> {
    for id in instances {
        let app = scope.require_app(id)?;
        let route = scope.state.route(id);
        let knows_route = route.is_none() || app.route.as_ref() == route;
        if app.state != AppState::Serving || !knows_route || late::may_be_closed(scope, id) {
            acts.want(id.as_str(), Effect::Open { instance: id.clone(), route: route.cloned() });
        }
    }
    Ok(())
}

/// Green's group at its own load balancer, and its slot there.
fn wanted_groups(scope: &Scope<'_>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let wanted = scope.state.arriving().into_iter().map(|id| {
        let group = registry::green_group(scope, &id).cloned();
        (id, BTreeSet::from_iter(group))
    });
    registry::with_slots(scope, wanted.collect())
}

/// A free slot for each new instance that has none.
fn lease_slots(scope: &Scope<'_>) -> Result<Option<Event>, Progress> {
    let routing = &scope.plan().service.routing;
    let without: Vec<InstanceId> =
        scope.state.arriving().into_iter().filter(|id| scope.state.route(id).is_none()).collect();
    if routing.slots().next().is_none() || without.is_empty() {
        return Ok(None);
    }
    registry::require_groups(scope, routing.slot_groups())?;
    let green = scope.state.green();
    // The slot of one that died and was replaced is free again as soon as its group is empty.
    let ours = scope.state.routes.iter().filter(|(id, _)| green.contains(*id)).map(|(_, route)| route);
    let leased: BTreeSet<&Route> = ours.chain(scope.plan().routes.values()).collect();
    let is_free = |slot: &&Slot| {
        let targets = scope.world.targets(&slot.group);
        !leased.contains(&slot.route) && targets.is_ok_and(BTreeMap::is_empty)
    };
    let free = routing.balancers().map(|balancer| {
        let mut free: Vec<&Slot> = balancer.slots.iter().filter(is_free).collect();
        free.sort_by_key(|slot| registry::may_be_registered_yet(scope, &slot.group));
        (&balancer.forward, free.into_iter())
    });
    let mut free: BTreeMap<&ForwardArn, _> = free.collect();
    let mut routes = BTreeMap::new();
    for id in without {
        let home = scope.state.home(&id);
        let Some(slot) = free.get_mut(home).and_then(Iterator::next) else {
            let lost = scope.state.lost();
            let kept: Vec<InstanceId> =
                lost.into_iter().filter(|id| registry::is_in_a_slot(scope, id)).collect();
            if !kept.is_empty() {
                let goal = WaitingOn::Settling { what: "the slots of servers that died", missing: kept };
                return Err(Progress::Wait(goal, Then::WayBack));
            }
            let at = registry::at_balancer(scope, home);
            return Err(Progress::Failed(format!("no route slot is free for {id}{at}")));
        };
        routes.insert(id, slot.route.clone());
    }
    Ok(Some(Event::SlotsLeased { routes }))
}

/// Whether both versions can read each other's boards, by what every running server says of itself.
fn formats(scope: &Scope<'_>) -> Result<(), Progress> {
    let (old, new) = (spoken(scope, &scope.plan().blue)?, spoken(scope, &scope.state.arriving())?);
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
