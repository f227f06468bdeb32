//! Whether a server is empty, beyond doubt.
//!
//! An instance that may hold a board is never stopped or terminated. A running one gives fresh zeros from the
//! metrics system, repeated, and its own word. One that is down can give neither: then the ownership table,
//! read through two other servers, names no board on it.

use super::scope::{Progress, Scope};
use crate::decision::{Reason, Source, Then, WaitingOn};
use crate::event::Event;
use crate::ids::InstanceId;

/// Zeros that are asked for, from distinct samples.
const ZEROS: usize = 2;
/// Servers through which the ownership of a dead one is read.
const WITNESSES: usize = 2;

/// Watches servers until each is empty: the zeros that were seen, a wait, or `Ok` when all are.
pub(super) fn watch<'i>(
    scope: &Scope<'_>,
    instances: impl IntoIterator<Item = &'i InstanceId>,
) -> Result<(), Progress> {
    let mut events = Vec::new();
    let mut waiting = Vec::new();
    for id in instances {
        if scope.is_down(id) {
            unowned(scope, id)?;
            continue;
        }
        let boards = match scope.world.boards(id) {
            Ok(boards) => boards,
            Err(why) => return Err(Scope::blind(Source::Boards(id.clone()), why)),
        };
        let seen = scope.state.zeros.get(id);
        if boards > 0 {
            if seen.is_some() {
                events.push(Event::FoundOccupied { instance: id.clone() });
            }
            waiting.push(id.clone());
            continue;
        }
        if seen.map_or(0, Vec::len) < ZEROS {
            events.extend(zero(scope, id));
            waiting.push(id.clone());
        } else {
            own_word(scope, id)?;
        }
    }
    match (events.is_empty(), waiting.is_empty()) {
        (false, _) => Err(Progress::Record(events)),
        (true, false) => Err(Progress::Wait(WaitingOn::Zeros { instances: waiting }, Then::Hold)),
        (true, true) => Ok(()),
    }
}

/// A zero counts when its sample was taken after the step began, and far enough from the one before.
fn zero(scope: &Scope<'_>, id: &InstanceId) -> Option<Event> {
    let sampled_at = scope.world.boards_sampled_at(id)?;
    let earliest = match scope.state.zeros.get(id).and_then(|zeros| zeros.last()) {
        Some(last) => last.after(scope.patience().zeros_apart),
        None => scope.emptying_since(),
    };
    (sampled_at > earliest).then(|| Event::FoundEmpty { instance: id.clone(), sampled_at })
}

fn own_word(scope: &Scope<'_>, id: &InstanceId) -> Result<(), Progress> {
    match scope.world.app(id) {
        Ok(app) if app.boards == 0 => Ok(()),
        Ok(app) => Err(Progress::Wait(WaitingOn::Boards { left: app.boards }, Then::Hold)),
        Err(why) => Err(Scope::blind(Source::App(id.clone()), why)),
    }
}

/// The ownership table names no board on a dead server, by two other servers' reading.
pub(super) fn unowned(scope: &Scope<'_>, id: &InstanceId) -> Result<(), Progress> {
    let readings = scope.world.ownership.get(id).map(Vec::as_slice).unwrap_or_default();
    let known: Vec<u64> = readings.iter().filter_map(|reading| reading.known().copied()).collect();
    if let Some(boards) = known.iter().find(|boards| **boards > 0) {
        let why = format!("it is down, and the ownership table names {boards} boards on it");
        return Err(Progress::Park(Reason::MayHoldBoards { instance: id.clone(), why }));
    }
    if known.len() < WITNESSES {
        let why = readings.iter().find_map(|reading| reading.why());
        let why = why.cloned().unwrap_or(crate::reading::Why::NotAsked);
        return Err(Scope::blind(Source::Ownership(id.clone()), &why));
    }
    Ok(())
}

impl Scope<'_> {
    /// Since when the servers are being emptied: zeros from before say nothing.
    fn emptying_since(&self) -> crate::time::Timestamp {
        use crate::step::Step;
        let emptying =
            self.state.steps.iter().rev().find(|record| matches!(record.step, Step::Handover | Step::Return));
        emptying.map_or_else(|| self.entered_at(), |record| record.entered_at)
    }
}
