//! Way out, while new servers come in: those who are in stand in for the old ones where none of those is left.
//!
//! Guarantees: users who are led to nobody are led to new servers, however few are in; they are led back where as many old
//! ones serve again, or enough of them.
//! Assumptions: a canary is there for few, and has nobody's users but its own.
//! If killed here: everything is looked at again.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, begun};
use super::share::{self, Shares};
use super::{capacity, meanwhile, registry};
use crate::ids::{GroupArn, InstanceId};
use crate::plan::Front;

/// Leads the users of each load balancer to whoever can have them.
pub(super) fn lead(scope: &Scope<'_>) -> Result<(), Progress> {
    let mut acts = Acts::new(scope);
    for front in scope.plan().fronts.iter().filter(|front| registry::is_read_at(scope, &front.forward)) {
        if let Some(shares) = shares_due(scope, front) {
            share::want(&mut acts, scope, front, shares)?;
        }
    }
    begun(acts.into_begun())
}

/// None where the users have whom they should have, or nobody could have them.
fn shares_due(scope: &Scope<'_>, front: &Front) -> Option<Shares> {
    let weights = scope.world.weights(&front.forward).ok()?;
    let led_to = for_most(scope, front, share::with_a_share(weights).cloned().collect());
    let before = for_most(scope, front, share::groups_led_to(front, Shares::Before));
    let green = scope.state.green();
    let new_group = BTreeSet::from_iter(front.green_group.clone());
    let is_left =
        |group: &GroupArn| registry::has_any(scope, group, |id| share::may_be_reached(scope, group, id));
    let serves = |id: &InstanceId| capacity::serves_in(scope, &new_group, id);
    if !led_to.iter().any(is_left) && meanwhile::here(scope, front, &green).any(serves) {
        return Some(Shares::Shared);
    }
    let old = meanwhile::here(scope, front, &scope.state.blue);
    let old = old.filter(|id| capacity::serves_in(scope, &before, id)).count();
    // One that does not answer the daemon has users all the same.
    let new = meanwhile::here(scope, front, &green);
    let new = new.filter(|id| capacity::is_healthy_in(scope, &new_group, id)).count();
    // One alone would have to serve for all of the others.
    let are_enough = || old >= new || capacity::is_enough_at(scope, &scope.state.blue, front);
    let were_led_away = !led_to.iter().any(|group| before.contains(group));
    (were_led_away && old > 0 && are_enough()).then_some(Shares::Before)
}

/// Those of the groups that have most of the users: colours, or canaries where no colour is among them.
fn for_most(scope: &Scope<'_>, front: &Front, groups: BTreeSet<GroupArn>) -> BTreeSet<GroupArn> {
    let colours: BTreeSet<&GroupArn> = registry::colours_at(scope, &front.forward).collect();
    let (coloured, canaries): (BTreeSet<_>, BTreeSet<_>) =
        groups.into_iter().partition(|group| colours.contains(group));
    if coloured.is_empty() { canaries } else { coloured }
}
