//! Step `admit`: every new instance is healthy by the load balancer's word, reachable by its slot, open, and
//! has its share.
//!
//! Guarantees: registered at weight 0 first, so that health checks run; a share only when all are healthy.
//! Assumptions: slots are pre-provisioned; nobody else leases them.
//! If killed here: leased slots are in the journal; registering again changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope};
use super::{launch, registry};
use crate::app::{AppState, Formats};
use crate::decision::{Gate, Source, Then, WaitingOn};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::{GroupArn, InstanceId, Route};
use crate::state::Promoted;
use crate::target::Weights;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    if let Some(progress) = launch::lapsed(scope) {
        return progress;
    }
    if let Some(progress) = formats(scope) {
        return progress;
    }
    match lease_slots(scope) {
        Ok(None) => {}
        Ok(Some(event)) => return Progress::Record(vec![event]),
        Err(progress) => return progress,
    }
    let wanted = wanted_groups(scope);
    if let Err(progress) = registry::require_groups(scope, wanted.values().flatten()) {
        return progress;
    }
    let mut acts = Acts::new(scope);
    registry::register(&mut acts, scope, &wanted);
    if let Err(progress) = open(&mut acts, scope, &scope.state.green()) {
        return progress;
    }
    if !acts.is_idle() {
        return acts.or_wait(WaitingOn::Settling { what: "registration", missing: Vec::new() });
    }
    if let Some((group, missing)) = registry::unhealthy(scope, &wanted).pop_first() {
        return Progress::Wait(WaitingOn::Health { group, missing }, Then::WayBack);
    }
    share(scope, &scope.plan().weights_shared)
}

/// Gives the forward these shares, if it does not have them.
pub(super) fn share(scope: &Scope<'_>, shares: &Weights) -> Progress {
    let current = match (scope.world.weights.known(), scope.world.weights.why()) {
        (Some(current), _) => current,
        (None, Some(why)) => return Scope::blind(Source::Weights, why),
        (None, None) => return Progress::Failed("the shares are neither known nor unknown".to_owned()),
    };
    let mut acts = Acts::new(scope);
    if shares.iter().any(|(group, share)| current.get(group) != Some(share)) {
        let forward = scope.plan().service.routing.forward.clone();
        acts.want("shares", Effect::SetWeights { forward, weights: shares.clone() });
    }
    acts.or_done(WaitingOn::Settling { what: "the new shares", missing: Vec::new() })
}

/// Opens whoever is not, or does not know its slot.
pub(super) fn open(
    acts: &mut Acts<'_>,
    scope: &Scope<'_>,
    instances: &BTreeSet<InstanceId>,
) -> Result<(), Progress> {
    for id in instances {
        let app = match scope.world.app(id) {
            Ok(app) => app,
            Err(why) => return Err(Scope::blind(Source::App(id.clone()), why)),
        };
        let route = scope.state.route(id);
        let knows_route = route.is_none() || app.route.as_ref() == route;
        if app.state != AppState::Serving || !knows_route {
            acts.want(id.as_str(), Effect::Open { instance: id.clone(), route: route.cloned() });
        }
    }
    Ok(())
}

fn wanted_groups(scope: &Scope<'_>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    let group = &scope.plan().green_group;
    let wanted = scope.state.green().into_iter().map(|id| (id, BTreeSet::from([group.clone()])));
    registry::with_slots(scope, wanted.collect())
}

/// A free slot for each new instance that has none.
fn lease_slots(scope: &Scope<'_>) -> Result<Option<Event>, Progress> {
    let slots = &scope.plan().service.routing.slots;
    let without: Vec<InstanceId> =
        scope.state.green().into_iter().filter(|id| scope.state.route(id).is_none()).collect();
    if slots.is_empty() || without.is_empty() {
        return Ok(None);
    }
    registry::require_groups(scope, slots.iter().map(|slot| &slot.group))?;
    let leased: BTreeSet<&Route> = scope.state.routes.values().chain(scope.plan().routes.values()).collect();
    let mut free = slots.iter().filter(|slot| {
        let targets = scope.world.targets(&slot.group);
        !leased.contains(&slot.route) && targets.is_ok_and(BTreeMap::is_empty)
    });
    let mut routes = BTreeMap::new();
    for id in without {
        let Some(slot) = free.next() else {
            return Err(Progress::Failed(format!("no route slot is free for {id}")));
        };
        routes.insert(id, slot.route.clone());
    }
    Ok(Some(Event::SlotsLeased { routes }))
}

/// Whether both versions can read each other's boards, by what both say of themselves.
fn formats(scope: &Scope<'_>) -> Option<Progress> {
    let formats = |ids: &BTreeSet<InstanceId>| -> Option<Formats> {
        ids.iter().find_map(|id| scope.world.app(id).ok()).map(|app| app.formats.clone())
    };
    let (blue, green) = (formats(&scope.plan().blue)?, formats(&scope.state.green())?);
    if !green.can_read(&blue) {
        return Some(Progress::Failed(format!(
            "version {} cannot read {:?}, which version {} writes",
            scope.plan().image.version,
            blue.writes,
            scope.plan().from_version
        )));
    }
    let asked = scope.state.promoted == Promoted::Yes;
    if blue.can_read(&green) || asked {
        return None;
    }
    Some(Progress::Ask(Gate::NoWayBack { blue_reads: blue.reads, green_writes: green.writes }))
}
