//! In which order several load balancers get their shares: whoever is led to more servers than before goes first, and
//! whoever is led to fewer when enough serve without the difference.

use std::collections::BTreeSet;

use super::capacity;
use super::scope::Scope;
use super::share::{self, Change};
use crate::ids::InstanceId;
use crate::target::Weights;

/// Those that may be made at once, one by one and in any order, and those that have to wait for them. A load balancer
/// whose shares or groups are not known serves nobody here.
pub(super) fn in_turn<'a>(
    scope: &Scope<'_>,
    changes: Vec<Change<'a>>,
) -> (Vec<Change<'a>>, Vec<Change<'a>>) {
    if changes.is_empty() {
        return (changes, Vec::new());
    }
    let now = scope.plan().fronts.iter().filter_map(|front| scope.world.weights(&front.forward).ok());
    let mut spare = now.map(|weights| led_to(scope, weights)).sum::<usize>();
    spare = spare.saturating_sub(capacity::floor(scope));
    changes.into_iter().partition(|change| {
        let loses = led_to(scope, change.current).saturating_sub(led_to(scope, &change.wanted));
        let may_go = loses <= spare;
        spare -= if may_go { loses } else { 0 };
        may_go
    })
}

/// How many servers get new clients by these shares.
fn led_to(scope: &Scope<'_>, weights: &Weights) -> usize {
    let groups: BTreeSet<_> = share::with_a_share(weights).cloned().collect();
    let there = groups.iter().filter_map(|group| scope.world.targets(group).ok()).flat_map(|it| it.keys());
    let there: BTreeSet<&InstanceId> = there.collect();
    there.into_iter().filter(|id| capacity::serves_in(scope, &groups, id)).count()
}
