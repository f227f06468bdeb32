//! Step `close`: no new board opens on blue.
//!
//! Guarantees: enough others are able to serve, seen in this very pass, before anything is closed. Live sockets stay
//! where they are; who joins a board that still lives on blue is led there. A new server that died is replaced
//! (`replace`); whether the release can go on without it is what the floor says, and nothing else. When none of them at
//! one load balancer is where users are to be led, or all are known to be down, and its old ones serve, it turns back at
//! once; when they only say nothing it waits, as for any reading. Whoever joins the old ones meanwhile is closed with them
//! (`join`).
//! Assumptions: a server that is closed keeps its boards.
//! If killed here: closing again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Taken};
use super::share::{self, Shares};
use super::{admit, capacity, join, lost, registry, replace};
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

/// No new server of a load balancer gets users any more, and old ones of it serve: whoever waits for the new ones leaves
/// the users without any server, and nobody launches new ones in their place. After the point of no return only waiting
/// is left.
fn turn_where_nobody_serves(scope: &Scope<'_>) -> Result<(), Progress> {
    if scope.state.no_return.is_some() {
        return Ok(());
    }
    let (green, out_of_use) = (scope.state.green(), out_of_use(scope));
    let is_read = |front: &&Front| registry::is_read_at(scope, &front.forward);
    // What another load balancer does not answer keeps nobody's users waiting.
    for front in scope.plan().fronts.iter().filter(is_read) {
        let is_here = |id: &&InstanceId| *scope.state.home(id) == front.forward;
        let led_to = share::led_to(front, Shares::After);
        // Where some were to come and nobody is left, nobody gets users either.
        let has_new = scope.plan().green_size_at(&front.forward) > 0;
        let gets_nobody = |id: &InstanceId| {
            !scope.may_run(id) || led_to.iter().all(|group| is_out(scope, group, id, out_of_use))
        };
        let no_new_serves = has_new && green.iter().filter(is_here).all(gets_nobody);
        let any_old_serves =
            scope.state.blue.iter().filter(is_here).any(|id| capacity::is_healthy(scope, id));
        if no_new_serves && any_old_serves {
            let at = registry::at_balancer(scope, &front.forward);
            let why = format!("none of the new servers serves any more{at}, and the old ones can");
            return Err(Progress::Failed(why));
        }
    }
    Ok(())
}

/// The groups were read: whoever is not listed is not registered.
fn is_out(scope: &Scope<'_>, group: &GroupArn, id: &InstanceId, out_of_use: &[TargetHealth]) -> bool {
    registry::health(scope, group, id).is_none_or(|health| out_of_use.contains(&health))
}

/// Who is on the way out of a group gets no users; who is ill there counts so until boards are carried: from then on one
/// missed check sends nothing back, and where all are ill users are led to them all the same. Source: ELB, "Target group
/// health", fail open.
fn out_of_use(scope: &Scope<'_>) -> &'static [TargetHealth] {
    match is_carrying(scope) {
        true => &[TargetHealth::Draining],
        false => &[TargetHealth::Draining, TargetHealth::Unhealthy],
    }
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
