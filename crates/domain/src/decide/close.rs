//! Step `close`: no new board opens on blue.
//!
//! Guarantees: enough others are able to serve, seen in this very pass, before anything is closed. Live
//! sockets stay where they are; who joins a board that still lives on blue is led there.
//! Assumptions: a server that is closed keeps its boards.
//! If killed here: closing again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope};
use super::{admit, capacity, registry};
use crate::app::AppState;
use crate::decision::{Source, Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::InstanceId;

pub(super) fn take(scope: &Scope<'_>) -> Progress {
    if let Err(progress) = scope.require_instances() {
        return progress;
    }
    if let Err(progress) = registry::require_groups(scope, &scope.plan().groups()) {
        return progress;
    }
    if let Err(progress) = capacity::require(scope, &scope.state.green(), Then::WayBack) {
        return progress;
    }
    let shares = admit::share(scope, &scope.plan().weights_after);
    if shares.is_done() { close_to_new(scope, &scope.plan().blue) } else { shares }
}

/// Closes whoever runs and is open. One that is down holds nothing open.
pub(super) fn close_to_new(scope: &Scope<'_>, instances: &BTreeSet<InstanceId>) -> Progress {
    let mut acts = Acts::new(scope);
    let mut open = Vec::new();
    for id in scope.running(instances) {
        match scope.world.app(&id) {
            Ok(app) if app.state != AppState::Serving => {}
            Ok(_) => {
                acts.want(id.as_str(), Effect::CloseToNew { instance: id.clone() });
                open.push(id);
            }
            Err(why) => return Scope::blind(Source::App(id), why),
        }
    }
    acts.or_done(WaitingOn::Settling { what: "closing", missing: open })
}
