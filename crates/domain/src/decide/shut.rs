//! Way back, step `shut`: no new board opens on green. Canaries that were taken over stay open.
//!
//! Guarantees: enough of blue is able to serve, seen in this very pass.
//! If killed here: closing again changes nothing.

use super::scope::{Progress, Scope};
use super::{capacity, close, launch, registry};
use crate::decision::Then;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    if let Err(progress) = scope.require_instances() {
        return progress;
    }
    if let Err(progress) = registry::require_groups(scope, &scope.plan().groups()) {
        return progress;
    }
    if let Err(progress) = capacity::require(scope, &scope.plan().blue, Then::Hold) {
        return progress;
    }
    close::close_to_new(scope, &launch::fresh(scope))
}
