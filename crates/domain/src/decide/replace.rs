//! Whoever comes in the place of a new server that died since all were admitted.
//!
//! Guarantees: one that died is no reason to turn back, as long as another one serves: the others prove the version.
//! Each of those who come is got ready by itself: what one waits for, or is refused, keeps no other waiting. At the end
//! of the release whoever did not come in is ended.
//! Assumptions: whether there are enough meanwhile is asked elsewhere.
//! If killed here: all of it is looked at again.

use std::collections::BTreeSet;

use super::scope::{Progress, Scope};
use super::{admit, capacity, configure, launch, registry};
use crate::decision::{Then, WaitingOn};
use crate::effect::{Effect, Intent};
use crate::event::Event;
use crate::ids::InstanceId;
use crate::state::{EffectRecord, Repeated};
use crate::step::Step;

/// Gets ready whoever comes. They are waited for only while there are too few without them.
pub(super) fn the_dead(scope: &Scope<'_>) -> Result<(), Progress> {
    let Some(wait) = coming(scope)?.and_then(|coming| coming.wait) else { return Ok(()) };
    capacity::require_new(scope).map_err(|short| if short.is_blind() { short } else { wait })
}

/// At the end of a release the fleet is whole; but whoever does not come in within the step's patience is not waited
/// for any longer, and is not left behind.
pub(super) fn await_them(scope: &Scope<'_>) -> Result<(), Progress> {
    launch::settle(scope)?;
    let strays = launch::strays(scope);
    if !strays.is_empty() {
        return Err(Progress::Record(strays));
    }
    let Some(coming) = coming(scope)? else { return Ok(()) };
    match coming.wait {
        None => give_up(scope, &coming.refused),
        Some(Progress::Wait(on, _)) => {
            let overdue = scope.world.at >= scope.patience_ends();
            if overdue {
                give_up(scope, &scope.state.arriving())
            } else {
                Err(Progress::Wait(on, Then::GoOn))
            }
        }
        Some(wait) => Err(wait),
    }
}

/// What is known of those who come.
#[derive(Default)]
struct Coming {
    due: Vec<Intent>,
    /// The first wait of any.
    wait: Option<Progress>,
    /// Those who were refused something, and will not come in.
    refused: BTreeSet<InstanceId>,
}

/// What becomes of them: something is to be done for one (`Err`), or one is waited for, or nobody is: all are there, or
/// those who are not will not come. None when nobody is missing, and where none of the new servers serves any more:
/// nothing proves the version then, and nothing is launched. Those of one load balancer prove it for the others: where
/// there is a way back, and old ones to go back to, the release has turned before this is asked.
fn coming(scope: &Scope<'_>) -> Result<Option<Coming>, Progress> {
    let (green, arriving) = (scope.state.green(), scope.state.arriving());
    let running = u32::try_from(scope.running(&green).len()).unwrap_or(u32::MAX);
    let all_here = running >= scope.plan().green_size() && arriving.is_empty();
    if all_here || !green.iter().any(|id| capacity::is_healthy(scope, id)) {
        return Ok(None);
    }
    let mut coming = Coming::default();
    coming.hear(scope.require_done(Step::Launch, launch::take), &BTreeSet::new())?;
    // Nobody may be missing any more, and they come all the same.
    let on_its_way = |id: &&InstanceId| !scope.runs(id) && !launch::has_died(scope, id);
    let missing = u32::try_from(arriving.iter().filter(on_its_way).count()).unwrap_or(u32::MAX);
    if missing > 0 {
        coming.wait.get_or_insert(Progress::Wait(WaitingOn::Instances { missing }, Then::WayBack));
    }
    let mut ready = BTreeSet::new();
    for id in scope.running(&arriving) {
        let one = BTreeSet::from([id]);
        if coming.hear(configure::make_ready(scope, &one), &one)? {
            ready.extend(one);
        }
    }
    if !ready.is_empty() {
        coming.hear(scope.require_done(Step::Admit, |scope| admit::bring_in(scope, &ready)), &ready)?;
    }
    if coming.due.is_empty() { Ok(Some(coming)) } else { Err(Progress::Do(coming.due)) }
}

impl Coming {
    /// Whether this much is done for `whom`. What is to be written is written first (`Err`).
    fn hear(&mut self, said: Result<(), Progress>, whom: &BTreeSet<InstanceId>) -> Result<bool, Progress> {
        match said {
            Ok(()) | Err(Progress::Done) => return Ok(true),
            Err(Progress::Failed(_)) => self.refused.extend(whom.iter().cloned()),
            Err(wait @ (Progress::Wait(..) | Progress::WaitUntil(..))) => {
                self.wait.get_or_insert(wait);
            }
            Err(Progress::Do(intents)) => self.due.extend(intents),
            Err(
                other @ (Progress::Record(_)
                | Progress::Turn(_)
                | Progress::Park(_)
                | Progress::Ask(_)
                | Progress::Refuse(_)),
            ) => return Err(other),
        }
        Ok(false)
    }
}

/// Gives up those of them who did not come in: nobody is launched any more in the batches from which they came.
fn give_up(scope: &Scope<'_>, some: &BTreeSet<InstanceId>) -> Result<(), Progress> {
    let out: BTreeSet<&InstanceId> = some.iter().filter(|id| !is_in(scope, id)).collect();
    if let Some(visible_at) = out.iter().filter_map(|id| launch::unlisted_until(scope, id)).max() {
        let goal = WaitingOn::Settling { what: "EC2's list of who was launched", missing: Vec::new() };
        return Err(Progress::WaitUntil(goal, visible_at, Then::GoOn));
    }
    let raised = (0_u32..).zip(&scope.state.batches).filter_map(|(index, batch)| {
        let lost: Vec<InstanceId> = batch.launched.iter().filter(|id| out.contains(id)).cloned().collect();
        let attempt = batch.attempt + 1;
        (!lost.is_empty()).then_some(Event::BatchRaised { batch: index, attempt, count: 0, lost })
    });
    let raised: Vec<Event> = raised.collect();
    if raised.is_empty() { Ok(()) } else { Err(Progress::Record(raised)) }
}

/// It serves; or it was opened where clients are led to it, and may have boards: it is no worse than any other new server
/// that falls ill.
fn is_in(scope: &Scope<'_>, id: &InstanceId) -> bool {
    let opened = |record: &EffectRecord| {
        let is_done = record.succeeded() || record.repeated == Repeated::Yes;
        is_done && matches!(&record.effect, Effect::Open { instance, .. } if instance == id)
    };
    let is_empty = scope.world.app(id).is_ok_and(|app| app.boards == 0 && app.clients == 0);
    let serves = capacity::is_healthy(scope, id) && admit::is_in_its_slot(scope, id);
    let group = registry::green_group(scope, id);
    let is_listed = group.is_some_and(|group| registry::health(scope, group, id).is_some());
    serves || (is_listed && !is_empty && scope.state.effects.values().any(opened))
}
