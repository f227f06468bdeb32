//! Way back, step `discard`: what this release brought is gone. Spares are stopped again, as they were found.
//!
//! Guarantees: every launch whose end is unknown is asked again under its token first, so that nothing stays
//! behind unseen; nothing is terminated that may hold a board, is in a target group, or may come into one yet.
//! Assumptions: an instance that was never admitted cannot be reached by clients.
//! If killed here: terminating again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Taken};
use super::{carry, empty, late, launch, meanwhile, registry};
use crate::decision::WaitingOn;
use crate::effect::Effect;
use crate::ids::InstanceId;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    if scope.state.was_entered(Step::Admit) {
        // Users do not wait for all that has to be known before anybody is ended.
        meanwhile::let_the_users_in(scope)?.or_fail()?;
    }
    launch::settle(scope)?;
    let strays = launch::strays(scope);
    if !strays.is_empty() {
        return Ok(Progress::Record(strays));
    }
    let groups = registry::all_groups(scope);
    registry::require_groups(scope, &groups)?;
    let ending = to_end(scope);
    registry::require_tagged(scope, &ending)?;
    if scope.state.was_entered(Step::Admit) {
        // One that took a board again is emptied again, and blue must be able to serve still.
        scope.require_done(Step::Return, carry::back)?;
        empty::watch(scope, ending.iter().filter(|id| registry::was_led_to(scope, id)))?;
    } else {
        let in_traffic = |id: &&InstanceId| groups.iter().any(|it| registry::health(scope, it, id).is_some());
        empty::watch(scope, ending.iter().filter(in_traffic))?;
    }
    let mut acts = Acts::new(scope);
    let listed = registry::deregister(&mut acts, scope, &ending);
    if !listed.is_empty() {
        return Ok(acts.or_wait(WaitingOn::Settling { what: "deregistration", missing: listed }));
    }
    let staying: Vec<InstanceId> = ending.iter().filter(|id| !is_ended(scope, id)).cloned().collect();
    late::require_arrivals_landed(scope, staying.iter())?;
    end_instances(&mut acts, scope, &ending);
    if staying.is_empty() && acts.is_idle() {
        // Spares that were to be started may start yet, and are stopped again then.
        late::require_way_out_landed(scope)?;
        return Ok(Progress::Done);
    }
    Ok(acts.or_wait(WaitingOn::Settling { what: "the new servers' end", missing: staying }))
}

/// Who is ended: launched by this release by the journal's word, and spares; never a taken-over canary or an old server.
/// A canary stays in green's group as well: clients came to it that way, and deregistering would cut them off.
fn to_end(scope: &Scope<'_>) -> BTreeSet<InstanceId> {
    let mut ending = scope.state.brought();
    ending.extend(scope.plan().spares.iter().cloned());
    ending.retain(|id| !scope.plan().takeover.contains(id) && !scope.state.blue.contains(id));
    ending
}

fn end_instances(acts: &mut Acts<'_>, scope: &Scope<'_>, ending: &BTreeSet<InstanceId>) {
    let spares = &scope.plan().spares;
    let stop: Vec<InstanceId> =
        ending.iter().filter(|id| spares.contains(*id) && scope.runs(id)).cloned().collect();
    acts.want_each("spares", spares, &stop, |instances| Effect::Stop { instances });
    let launched = ending.iter().filter(|id| !spares.contains(*id) && !is_ended(scope, id));
    let (known, unknown): (Vec<_>, Vec<_>) =
        launched.cloned().partition(|id| scope.world.instance(id).is_some());
    acts.want_each("new", ending, &known, |instances| Effect::Terminate { instances });
    // One that EC2 does not know fails the whole call: each alone. One to which clients were led was known once, and
    // has boards perhaps: a person took its tags away.
    for id in unknown.into_iter().filter(|id| !registry::was_led_to(scope, id)) {
        acts.want(id.as_str(), Effect::Terminate { instances: vec![id.clone()] });
    }
}

/// A spare is stopped, anything else is gone. What the journal knows and EC2 does not list is not gone for that:
/// it may only be invisible yet.
fn is_ended(scope: &Scope<'_>, id: &InstanceId) -> bool {
    match scope.world.instance(id) {
        Some(it) if scope.plan().spares.contains(id) => it.state.is_down(),
        Some(it) => it.state.is_gone(),
        None => !may_appear(scope, id),
    }
}

/// Launched a moment ago, and no terminate of it was taken yet.
fn may_appear(scope: &Scope<'_>, id: &InstanceId) -> bool {
    !scope.state.terminated.contains(id) && launch::may_be_invisible(scope, id)
}
