//! Whether a server is empty, beyond doubt.
//!
//! An instance that may hold a board is never stopped or terminated. A running one gives fresh zeros from the
//! metrics system, repeated, and its own word. One that is down can give neither: then the ownership table,
//! read through two other servers, names no board on it. Where only one other runs, its word is all there is.

use std::collections::{BTreeMap, BTreeSet};

use super::registry;
use super::scope::{Progress, Scope};
use crate::decision::{Reason, Source, Then, WaitingOn};
use crate::event::Event;
use crate::ids::InstanceId;
use crate::instance::InstanceState;
use crate::time::Timestamp;
use crate::world::WITNESSES;

/// Zeros that are asked for, from distinct samples.
const ZEROS: usize = 2;

/// Watches servers until each is empty: the zeros that were seen, a wait, or `Ok` when all are.
pub(super) fn watch<'i>(
    scope: &Scope<'_>,
    instances: impl IntoIterator<Item = &'i InstanceId>,
) -> Result<(), Progress> {
    let mut events = Vec::new();
    let mut waiting = Vec::new();
    // What keeps one from being looked at throws away nothing that was seen of the others.
    let mut obstacle = None;
    for id in instances {
        // One that runs all the same is looked at like the others.
        if scope.state.asked_to_end.contains(id) && !is_up(scope, id) {
            continue;
        }
        if scope.is_down(id) {
            match unowned(scope, id) {
                Ok(()) => {}
                Err(Progress::Wait(WaitingOn::Zeros { instances }, _)) => waiting.extend(instances),
                Err(progress) => {
                    obstacle.get_or_insert(progress);
                }
            }
            continue;
        }
        let boards = match scope.world.boards(id) {
            Ok(boards) => boards,
            Err(why) => {
                obstacle.get_or_insert(Scope::blind(Source::Boards(id.clone()), why));
                continue;
            }
        };
        let seen = scope.state.zeros.get(id);
        let own_word = scope.world.app(id).map(|app| app.boards);
        if boards > 0 || own_word.is_ok_and(|boards| boards > 0) {
            if seen.is_some() {
                events.push(Event::FoundOccupied { instance: id.clone() });
            }
            waiting.push(id.clone());
            continue;
        }
        if seen.map_or(0, Vec::len) < ZEROS {
            events.extend(zero(scope, id));
            waiting.push(id.clone());
        } else if let Err(why) = own_word {
            obstacle.get_or_insert(Scope::blind(Source::App(id.clone()), why));
        }
    }
    if !events.is_empty() {
        return Err(Progress::Record(events));
    }
    match obstacle {
        Some(progress) => Err(progress),
        None if waiting.is_empty() => Ok(()),
        None => Err(Progress::Wait(WaitingOn::Zeros { instances: waiting }, Then::Hold)),
    }
}

/// A zero counts when its sample was taken after the step began, and far enough from the one before.
fn zero(scope: &Scope<'_>, id: &InstanceId) -> Option<Event> {
    let sampled_at = scope.world.boards_sampled_at(id)?;
    // Nor does one count from before it joined, or from before it was seen with boards after it had been found empty.
    let noted = |times| scope.noted_at(times, id);
    let earliest = match scope.state.zeros.get(id).and_then(|zeros| zeros.last()) {
        // The one before may be by another daemon's clock, and be the very same sample.
        Some(last) => scope.world.at_the_latest(*last).after(scope.patience().zeros_apart),
        None => scope.emptying_since().max(noted(&scope.state.joined)).max(noted(&scope.state.occupied)),
    };
    (sampled_at > earliest).then(|| Event::FoundEmpty { instance: id.clone(), sampled_at })
}

fn is_up(scope: &Scope<'_>, id: &InstanceId) -> bool {
    scope.world.instance(id).is_some_and(|it| match it.state {
        InstanceState::Pending | InstanceState::Running => true,
        InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::ShuttingDown
        | InstanceState::Terminated => false,
    })
}

/// The ownership table names no board on a dead server, by the reading of others. Boards that it does name have
/// the step's patience to be taken over.
pub(super) fn unowned(scope: &Scope<'_>, id: &InstanceId) -> Result<(), Progress> {
    let readings = scope.world.ownership.get(id).map(Vec::as_slice).unwrap_or_default();
    let known: Vec<u64> = readings.iter().filter_map(|reading| reading.known().copied()).collect();
    if let Some(boards) = known.iter().find(|boards| **boards > 0) {
        // The application's own liveness rule gives them to others, or to nobody, in a while.
        if scope.world.at < scope.patience_ends() {
            return Err(Progress::Wait(WaitingOn::Zeros { instances: vec![id.clone()] }, Then::Hold));
        }
        let why = format!("it is down, and the ownership table names {boards} boards on it");
        return Err(Progress::Park(Reason::MayHoldBoards { instance: id.clone(), why }));
    }
    if known.len() < witnesses(scope, id) {
        let why = readings.iter().find_map(|reading| reading.why());
        let why = why.cloned().unwrap_or(crate::reading::Why::NotAsked);
        return Err(Scope::blind(Source::Ownership(id.clone()), &why));
    }
    Ok(())
}

/// How many must say it: with one server in each fleet there is only one other to ask. Those of this release, as they are
/// asked (`engine::observe`); one that was never got ready may never answer, and is no witness.
fn witnesses(scope: &Scope<'_>, dead: &InstanceId) -> usize {
    let new = scope.state.brought().into_iter().chain(scope.state.green());
    let new: BTreeSet<InstanceId> = new.filter(|id| registry::was_led_to(scope, id)).collect();
    let others = scope.state.blue.union(&new).filter(|id| *id != dead && scope.runs(id));
    WITNESSES.min(others.count()).max(1)
}

impl Scope<'_> {
    /// Since when the servers are being emptied: zeros from before say nothing.
    fn emptying_since(&self) -> Timestamp {
        use crate::step::Step;
        let emptying =
            self.state.steps.iter().rev().find(|record| matches!(record.step, Step::Handover | Step::Return));
        emptying.map_or_else(|| self.entered_at(), |record| self.world.at_the_latest(record.entered_at))
    }

    /// The time that is noted for it; the release's beginning where there is none.
    fn noted_at(&self, times: &BTreeMap<InstanceId, Timestamp>, id: &InstanceId) -> Timestamp {
        self.world.at_the_latest(times.get(id).copied().unwrap_or(self.state.began_at))
    }
}
