//! Step `close`: no new board opens on blue.
//!
//! Guarantees: enough others are able to serve, seen in this very pass, before anything is closed. Live sockets stay
//! where they are; who joins a board that still lives on blue is led there. A new server that died is replaced
//! (`replace`); whether the release can go on without it is what the floor says, and nothing else. When no new server of
//! a load balancer gets users any more (known to be down, out of the groups to which they are led, or ill before a board is
//! carried) and its old ones can, it turns back at once; when they only say nothing it waits, as for any reading. Whoever
//! joins the old ones meanwhile is closed with them (`join`).
//! Assumptions: a server that is closed keeps its boards.
//! If killed here: closing again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Taken};
use super::share::{self, Shares};
use super::{admit, capacity, join, lost, meanwhile, registry, replace};
use crate::app::AppState;
use crate::decision::WaitingOn;
use crate::effect::Effect;
use crate::ids::{GroupArn, InstanceId};
use crate::moves::Direction;
use crate::plan::Front;
use crate::state::EffectRecord;
use crate::target::TargetHealth;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    turn_where_nobody_serves(scope)?;
    registry::require_groups(scope, &scope.plan().groups())?;
    join::take_in(scope)?;
    let (green, gone) = (scope.state.green(), scope.state.lost());
    registry::require_tagged(scope, scope.state.blue.iter().chain(&green).chain(&gone))?;
    admit::tell_routes(scope)?;
    replace::the_dead(scope)?;
    capacity::require_new(scope)?;
    let shares = share::give(scope, Shares::After)?;
    let leaving = scope.state.blue.union(&lost::running(scope)).cloned().collect();
    if shares.is_done() { close_to_new(scope, &leaving) } else { Ok(shares) }
}

/// No new server of a load balancer gets users any more, and old ones of it can: whoever waits for the new ones leaves
/// the users without any server, and nobody launches new ones in their place. After the point of no return only waiting
/// is left.
fn turn_where_nobody_serves(scope: &Scope<'_>) -> Result<(), Progress> {
    if scope.state.no_return.is_some() {
        return Ok(());
    }
    let is_deserted = |front: &Front| {
        // What another load balancer does not answer keeps nobody's users waiting.
        let is_read = registry::is_read_at(scope, &front.forward);
        is_read && no_new_serves(scope, front) && any_old_can_serve(scope, front)
    };
    let Some(front) = scope.plan().fronts.iter().find(|front| is_deserted(front)) else { return Ok(()) };
    let at = registry::at_balancer(scope, &front.forward);
    Err(Progress::Failed(format!("none of the new servers serves any more{at}, and the old ones can")))
}

/// It serves; or the release took it out already, or stopped it, and brings it in again faster than a new one is launched.
fn any_old_can_serve(scope: &Scope<'_>, front: &Front) -> bool {
    let is_there = |id: &InstanceId| scope.world.instance(id).is_some_and(|it| !it.state.is_gone());
    let is_in = |id: &InstanceId| {
        let mut said = registry::groups_at(scope, &front.forward).map(|it| registry::health(scope, it, id));
        said.any(|health| !matches!(health, None | Some(TargetHealth::Unused | TargetHealth::Draining)))
    };
    let was_taken_out =
        |id: &InstanceId| scope.state.led_to.contains(id) || scope.state.asked_to_end.contains(id);
    let can_come_back = |id: &InstanceId| is_there(id) && !is_in(id) && was_taken_out(id);
    let can_serve = |id: &InstanceId| capacity::is_healthy(scope, id) || can_come_back(id);
    meanwhile::here(scope, front, &scope.state.blue).any(can_serve)
}

/// Of those who were to come to it none gets users. A load balancer that was to have some, and has none left, counts as
/// well. Who is ill counts so until boards are carried: from then on one missed check sends nothing back, and where all are
/// ill users are led to them all the same. Source: ELB, "Target group health", fail open.
fn no_new_serves(scope: &Scope<'_>, front: &Front) -> bool {
    let is_carrying = is_carrying(scope);
    let is_ill = |group: &GroupArn, id: &InstanceId| {
        registry::health(scope, group, id) == Some(TargetHealth::Unhealthy)
    };
    let gets_users = |group: &GroupArn, id: &InstanceId| {
        share::may_be_reached(scope, group, id) && (is_carrying || !is_ill(group, id))
    };
    let led_to = share::groups_led_to(front, Shares::After);
    let gets_nobody = |id: &InstanceId| !led_to.iter().any(|group| gets_users(group, id));
    let green = scope.state.green();
    scope.plan().green_size_at(&front.forward) > 0 && meanwhile::here(scope, front, &green).all(gets_nobody)
}

/// The first wave was begun; at level 0, the first server was told to send its clients away. Or one of those that are left
/// was found empty: there may be nothing to carry at all.
fn is_carrying(scope: &Scope<'_>) -> bool {
    let drains = |record: &EffectRecord| matches!(record.effect, Effect::Drain { .. });
    let is_begun = scope.state.tally(Direction::Out).begun > 0 || !scope.state.zeros.is_empty();
    is_begun || scope.state.effects.values().any(drains)
}

/// Closes whoever runs and is open. One that is down holds nothing open, and one that is silent keeps nobody else from
/// being closed.
pub(super) fn close_to_new(scope: &Scope<'_>, instances: &BTreeSet<InstanceId>) -> Taken {
    let mut acts = Acts::new(scope);
    let (mut open, mut silent) = (Vec::new(), None);
    for id in scope.running(instances) {
        match scope.require_app(&id) {
            Ok(app) if app.state == AppState::Serving => {
                acts.want(id.as_str(), Effect::CloseToNew { instance: id.clone() });
                open.push(id);
            }
            Ok(_) => {}
            Err(blind) => {
                silent.get_or_insert(blind);
            }
        }
    }
    if let Some(blind) = silent.filter(|_| acts.is_idle()) {
        return Err(blind);
    }
    Ok(acts.or_done(WaitingOn::Settling { what: "closing", missing: open }))
}
