//! Step `close`: no new board opens on blue.
//!
//! Guarantees: enough others are able to serve, seen in this very pass, before anything is closed. Live
//! sockets stay where they are; who joins a board that still lives on blue is led there.
//! A new server that died since it was admitted is replaced first, as long as another one of them serves.
//! Assumptions: a server that is closed keeps its boards.
//! If killed here: closing again changes nothing.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Taken};
use super::{admit, capacity, registry};
use crate::app::AppState;
use crate::decision::{Then, WaitingOn};
use crate::effect::Effect;
use crate::ids::InstanceId;
use crate::step::Step;

pub(super) fn take(scope: &Scope<'_>) -> Taken {
    scope.require_instances()?;
    registry::require_groups(scope, &scope.plan().groups())?;
    replace_the_dead(scope)?;
    capacity::require(scope, &scope.state.green(), Then::WayBack)?;
    let shares = admit::share(scope, &scope.plan().weights_after)?;
    if shares.is_done() { close_to_new(scope, &scope.plan().blue) } else { Ok(shares) }
}

/// One that died is no reason to turn back: the others prove the version. Where none of them serves any more,
/// nothing does, and nothing is launched.
fn replace_the_dead(scope: &Scope<'_>) -> Result<(), Progress> {
    let green = scope.state.green();
    let somebody_died = !scope.state.lost().is_empty() || green.iter().any(|id| scope.is_down(id));
    let somebody_serves = green.iter().any(|id| capacity::is_healthy(scope, id));
    if somebody_died && somebody_serves {
        return scope.require_done(Step::Admit, admit::ready);
    }
    Ok(())
}

/// Closes whoever runs and is open. One that is down holds nothing open.
pub(super) fn close_to_new(scope: &Scope<'_>, instances: &BTreeSet<InstanceId>) -> Taken {
    let mut acts = Acts::new(scope);
    let mut open = Vec::new();
    for id in scope.running(instances) {
        if scope.require_app(&id)?.state == AppState::Serving {
            acts.want(id.as_str(), Effect::CloseToNew { instance: id.clone() });
            open.push(id);
        }
    }
    Ok(acts.or_done(WaitingOn::Settling { what: "closing", missing: open }))
}
