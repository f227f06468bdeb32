//! Way back, step `reopen`: blue runs and is open, enough of it is healthy, and it has its old share.
//!
//! Guarantees: new clients go to blue when enough of it is healthy and open by the word of both; where no new server
//! serves any more, and where a canary is given up, to whoever of blue is, at once. It may begin beside waves, launches and
//! commands of the way out, and ends after them: what the way out began can land no more when this is done.
//! Assumptions: what the journey stopped can be started again.
//! If killed here: everything is looked at again.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Acts, Progress, Scope, Taken};
use super::share::{self, Shares};
use super::{admit, capacity, late, meanwhile, registry};
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::{GroupArn, InstanceId};
use crate::instance::InstanceState;
use crate::plan::Front;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    let users = meanwhile::let_the_users_in(scope)?;
    let taken = give_all_back(scope, &users.with_the_new);
    let said = match taken {
        Err(Progress::Do(_)) | Ok(Progress::Do(_)) => return taken,
        Ok(_) | Err(_) => users.or_fail().and(taken),
    };
    if let Ok(Progress::Failed(_)) | Err(Progress::Failed(_)) = said {
        // A release that holds lets nobody in, and new servers may be lost as long as a wave is under way.
        late::require_way_out_ended(scope)?;
    }
    said
}

fn give_all_back(scope: &Scope<'_>, with_the_new: &[&Front]) -> Taken {
    let wanted = wanted_groups(scope);
    registry::require_groups(scope, wanted.values().flatten())?;
    // Nobody else is led to one that may be gone any moment: where a new server serves, it has the users until then.
    late::require_departures_landed(scope)?;

    let mut acts = Acts::new(scope);
    let stopped: Vec<InstanceId> = with_state(scope, InstanceState::Stopped);
    let stopping = with_state(scope, InstanceState::Stopping);
    acts.want_each("old", &scope.state.blue, &stopped, |instances| Effect::Start { instances });
    let rising: Vec<InstanceId> = [stopped, stopping, with_state(scope, InstanceState::Pending)].concat();
    if !rising.is_empty() {
        return Ok(acts.or_go_on(WaitingOn::Settling { what: "the old servers' start", missing: rising }));
    }
    let running = scope.running(&scope.state.blue);
    let wanted: BTreeMap<_, _> = wanted.into_iter().filter(|(id, _)| running.contains(id)).collect();
    registry::register(&mut acts, scope, &wanted);
    admit::open(&mut acts, scope, &running)?;
    if !acts.is_idle() {
        return Ok(acts.or_go_on(WaitingOn::Settling { what: "blue's opening", missing: Vec::new() }));
    }
    meanwhile::give_back(scope, with_the_new)?;
    // Whether it can be done without one that is ill is what the floor says, or a person, and nothing else.
    capacity::require_old(scope).map_err(|short| who_is_ill(scope, &wanted, short))?;
    meanwhile::require_old_ones(scope)?;
    // Who was just led to the new servers, for want of old ones, is not led back to nobody.
    let fronts: Vec<&Front> =
        scope.plan().fronts.iter().filter(|front| !with_the_new.contains(front)).collect();
    let shared = share::give_at(scope, &fronts, Shares::Before)?;
    if shared.is_done() {
        // One that nobody can see may be closed still: it keeps nobody else from being opened, and holds what is next.
        registry::require_tagged(scope, &scope.state.blue)?;
        require_slots(scope, &running)?;
        // Only boards that go back would work against a wave, and the next steps carry them. What a late call undoes of
        // this, the next look does again, until none can land.
        late::require_way_out_ended(scope)?;
        late::require_way_out_landed(scope)?;
    }
    Ok(shared)
}

/// Who is ill is told while that may be over by itself.
fn who_is_ill(
    scope: &Scope<'_>,
    wanted: &BTreeMap<InstanceId, BTreeSet<GroupArn>>,
    short: Progress,
) -> Progress {
    let may_be_over = scope.world.at < scope.patience_ends();
    match (&short, registry::unhealthy(scope, wanted).pop_first()) {
        (Progress::Wait(WaitingOn::Capacity { .. }, then), Some((group, missing))) if may_be_over => {
            Progress::Wait(WaitingOn::Health { group, missing }, *then)
        }
        _ => short,
    }
}

/// Boards are carried to those alone who are found in their slots: whoever comes into its own is waited for, once and not by
/// each step that looks here again.
fn require_slots(scope: &Scope<'_>, running: &BTreeSet<InstanceId>) -> Result<(), Progress> {
    let found_by = scope.entered_at().after(scope.patience().step);
    if scope.state.is_done(Step::Reopen) || scope.world.at >= found_by {
        return Ok(());
    }
    let coming = running.iter().filter_map(|id| Some((admit::comes_into_its_slot(scope, id)?, id.clone())));
    let Some((group, id)) = coming.min() else { return Ok(()) };
    Err(Progress::WaitUntil(WaitingOn::Health { group, missing: vec![id] }, found_by, Then::GoOn))
}

fn with_state(scope: &Scope<'_>, state: InstanceState) -> Vec<InstanceId> {
    let blue = scope.state.blue.iter();
    blue.filter(|id| scope.world.instance(id).is_some_and(|it| it.state == state)).cloned().collect()
}

/// Where blue was before, and its slots.
fn wanted_groups(scope: &Scope<'_>) -> BTreeMap<InstanceId, BTreeSet<GroupArn>> {
    registry::with_slots(scope, scope.state.blue_groups.clone())
}
