//! Way back: who has the users of a load balancer until its old servers serve again, or for want of them.
//!
//! Guarantees: where one side is known to serve nobody any more, whoever of the other side there does has them; where
//! the old side died after the new one was shut, the new one opens again. What is done here is not undone by the rest
//! of the step. What another load balancer does not answer is no matter of one's users.
//! Assumptions: whether there is enough of blue is asked elsewhere.
//! If killed here: everything is looked at again.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope};
use super::share::{self, Shares};
use super::{admit, capacity, registry};
use crate::app::AppState;
use crate::decision::WaitingOn;
use crate::ids::InstanceId;
use crate::plan::Front;
use crate::service::Balancer;

/// Leads users to whichever side serves alone. Answers where that is the new one: they stay there until that changes.
pub(super) fn let_the_users_in<'a>(scope: &Scope<'a>) -> Result<Vec<&'a Front>, Progress> {
    open_again(scope)?;
    let (blue, green) = (&scope.plan().blue, &scope.state.green());
    let with_the_old = alone(scope, &Sides { kept: blue, lost: green, shares: Shares::Before });
    let mut with_the_new = alone(scope, &Sides { kept: green, lost: blue, shares: Shares::After });
    // Canaries that were taken over may be all that there was before, and are found by the shares from before as well.
    with_the_new.retain(|front| !leads_to_servers(scope, front, Shares::Before));
    for (fronts, shares) in [(&with_the_old, Shares::Before), (&with_the_new, Shares::After)] {
        done_or_due(share::give_at(scope, fronts, shares)?)?;
    }
    Ok(with_the_new)
}

/// Whether it was taken is looked at when all are up.
fn done_or_due(progress: Progress) -> Result<(), Progress> {
    if matches!(progress, Progress::Do(_)) { Err(progress) } else { Ok(()) }
}

/// Opens the new servers of a load balancer that were shut before all of its old ones went down. Where it had no old
/// ones it has nobody after the way back, as before.
fn open_again(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut acts = Acts::new(scope);
    let green = scope.state.green();
    let had_old = scope.plan().fronts.iter().filter(|front| front.floor > 0 && is_read(scope, front));
    for front in had_old {
        if here(scope, front, &scope.plan().blue).any(|id| may_serve(scope, id)) {
            continue;
        }
        let groups = share::led_to(front, Shares::After);
        let shut = here(scope, front, &green).filter(|id| {
            let is_shut = scope.world.app(id).is_ok_and(|app| app.state != AppState::Serving);
            is_shut && capacity::is_healthy_in(scope, &groups, id)
        });
        admit::open(&mut acts, scope, &shut.cloned().collect())?;
    }
    done_or_due(acts.or_done(WaitingOn::Settling { what: "the new servers' opening", missing: Vec::new() }))
}

/// Who serves, who is known not to, and the shares that lead to the former.
struct Sides<'s> {
    kept: &'s BTreeSet<InstanceId>,
    lost: &'s BTreeSet<InstanceId>,
    shares: Shares,
}

/// The load balancers at which only one side serves.
fn alone<'a>(scope: &Scope<'a>, sides: &Sides<'_>) -> Vec<&'a Front> {
    let serve_alone = |front: &&Front| {
        // A canary that is taken over may not be in green's group yet.
        let groups = share::led_to(front, sides.shares);
        is_read(scope, front)
            && here(scope, front, sides.kept).any(|id| capacity::serves_in(scope, &groups, id))
            && !here(scope, front, sides.lost).any(|id| may_serve(scope, id))
    };
    scope.plan().fronts.iter().filter(serve_alone).collect()
}

fn is_read(scope: &Scope<'_>, front: &Front) -> bool {
    let own = scope.plan().service.routing.balancers().find(|it| it.forward == front.forward);
    let groups = own.into_iter().flat_map(Balancer::forwarded);
    registry::require_groups(scope, groups).is_ok() && scope.world.weights(&front.forward).is_ok()
}

fn here<'s>(
    scope: &'s Scope<'_>,
    front: &'s Front,
    ids: &'s BTreeSet<InstanceId>,
) -> impl Iterator<Item = &'s InstanceId> {
    ids.iter().filter(|id| *scope.state.home(id) == front.forward)
}

/// One that EC2 does not list may serve all the same.
fn may_serve(scope: &Scope<'_>, id: &InstanceId) -> bool {
    capacity::is_healthy(scope, id) || registry::hidden(scope, [id]).next().is_some()
}

/// Somebody serves in each group that has a share of these.
fn leads_to_servers(scope: &Scope<'_>, front: &Front, shares: Shares) -> bool {
    let all: BTreeSet<InstanceId> = scope.plan().blue.union(&scope.state.green()).cloned().collect();
    share::led_to(front, shares).into_iter().all(|group| {
        let group = BTreeSet::from([group]);
        all.iter().any(|id| capacity::serves_in(scope, &group, id))
    })
}
