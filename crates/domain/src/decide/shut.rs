//! Way back, step `shut`: no new board opens on green. Canaries that were taken over stay open.
//!
//! Guarantees: enough of blue is able to serve, seen in this very pass.
//! If killed here: closing again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Scope, Taken};
use super::{capacity, close, launch, registry, reopen};
use crate::ids::InstanceId;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    // What was asked of an old server on the way out may have come late and closed it again.
    scope.require_done(Step::Reopen, reopen::take)?;
    registry::require_groups(scope, &scope.plan().groups())?;
    capacity::require_old(scope)?;
    let mut leaving: BTreeSet<InstanceId> =
        launch::fresh(scope).union(&scope.state.lost()).cloned().collect();
    registry::require_tagged(scope, &leaving)?;
    // One that was never got ready has nobody, and may never answer.
    leaving.retain(|id| registry::was_led_to(scope, id));
    close::close_to_new(scope, &leaving)
}
