//! Steps `handover` and `return`: every board is carried across, out or back, by the same code.
//!
//! Guarantees: a board is moved only to a server that is healthy and open in this very pass; the step is done
//! when every server that is left is empty by fresh, repeated zeros and its own word.
//! Assumptions: the servers that are left were closed.
//! If killed here: the waves in flight are tried again under their ids and find in what state each move is.

use std::collections::BTreeSet;

use super::scope::{Acts, Progress, Scope, Taken};
use super::{admit, capacity, close, empty, launch, lost, registry, shut, waves};
use crate::app::{AppState, BoardState};
use crate::board_list::BoardList;
use crate::decision::{Reason, Source, Then, WaitingOn};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::InstanceId;
use crate::moves::Direction;
use crate::planner::Room;
use crate::state::Promoted;
use crate::step::Step;

/// From blue to green.
pub(super) fn out(scope: &Scope<'_>) -> Taken {
    // A server that started anew is open again, and capacity that was there may be gone.
    scope.require_done(Step::Close, close::take)?;
    let from = scope.state.blue.union(&lost::running(scope)).cloned().collect();
    carry(scope, &Crossing { direction: Direction::Out, from, to: scope.state.green() })
}

/// From green back to blue. Canaries that were taken over stay what they were.
pub(super) fn back(scope: &Scope<'_>) -> Taken {
    scope.require_done(Step::Shut, shut::take)?;
    // One that was never got ready has nobody, and may never answer.
    let mut from = launch::fresh(scope);
    from.retain(|id| registry::was_led_to(scope, id));
    from.extend(lost::running(scope));
    carry(scope, &Crossing { direction: Direction::Back, from, to: scope.state.blue.clone() })
}

/// Who is left, and who is joined.
struct Crossing {
    direction: Direction,
    from: BTreeSet<InstanceId>,
    to: BTreeSet<InstanceId>,
}

fn carry(scope: &Scope<'_>, crossing: &Crossing) -> Taken {
    scope.require_instances()?;
    if let Some(progress) = waves::unfinished(scope) {
        return Ok(progress);
    }
    let leaving = scope.running(&crossing.from);
    let best = level(scope, &leaving)?;
    if best == 0 {
        return without_lists(scope, crossing, &leaving);
    }
    let Lists { holders, left, passing } = lists(scope, &leaving)?;
    let uncounted = crossing.direction == Direction::Out && scope.state.boards_at_close.is_none();
    // What is just being opened or closed can neither be counted nor be taken for gone.
    if passing > 0 && (uncounted || left == 0) {
        return Ok(Progress::Wait(WaitingOn::Boards { left: left + passing }, Then::Hold));
    }
    if uncounted {
        return Ok(Progress::Record(vec![Event::BoardsCounted { on_blue: left }]));
    }
    if left == 0 {
        empty::watch(scope, &crossing.from)?;
        return Ok(Progress::Done);
    }
    let with_boards = holders.iter().map(|list| list.on()).collect();
    let events = before_a_board_leaves(scope, crossing.direction, &with_boards);
    if !events.is_empty() {
        return Ok(Progress::Record(events));
    }
    registry::require_groups(scope, &scope.plan().groups())?;
    let joined = joined(scope, &crossing.to)?;
    let level = level(scope, &joined)?.min(best);
    if level == 0 {
        return Ok(drain(scope, &leaving, left));
    }
    let reached = reached(scope, crossing.direction, &joined)?;
    if reached.is_empty() && !joined.is_empty() {
        return Ok(not_reached_yet(joined));
    }
    let coming: BTreeSet<InstanceId> = joined.difference(&reached).cloned().collect();
    match waves::next(scope, crossing.direction, &holders, &rooms(scope, reached)?, level) {
        // Whoever is just coming into its slot has room soon.
        Err(Progress::Park(Reason::BoardFitsNowhere { .. })) if !coming.is_empty() => {
            Ok(not_reached_yet(coming))
        }
        next => next,
    }
}

fn not_reached_yet(joined: BTreeSet<InstanceId>) -> Progress {
    let goal = WaitingOn::Settling { what: "routes", missing: joined.into_iter().collect() };
    Progress::Wait(goal, Then::Hold)
}

/// Level 0 knows no lists of boards: how many are left is what each server says of itself.
fn without_lists(scope: &Scope<'_>, crossing: &Crossing, leaving: &BTreeSet<InstanceId>) -> Taken {
    let mut left = 0_u64;
    let mut holders = BTreeSet::new();
    for id in leaving {
        let app = scope.require_app(id)?;
        left = left.saturating_add(app.boards);
        if app.boards > 0 {
            holders.insert(id);
        }
    }
    if crossing.direction == Direction::Out && scope.state.boards_at_close.is_none() {
        return Ok(Progress::Record(vec![Event::BoardsCounted { on_blue: left }]));
    }
    if left == 0 {
        empty::watch(scope, &crossing.from)?;
        return Ok(Progress::Done);
    }
    let events = before_a_board_leaves(scope, crossing.direction, &holders);
    if events.is_empty() { Ok(drain(scope, leaving, left)) } else { Ok(Progress::Record(events)) }
}

/// Zeros from before say nothing of a server that has boards. And the first board that goes where its old
/// server could not read it any more is the point of no return that a person agreed to.
fn before_a_board_leaves(
    scope: &Scope<'_>,
    direction: Direction,
    holders: &BTreeSet<&InstanceId>,
) -> Vec<Event> {
    let occupied = holders.iter().filter(|id| scope.state.zeros.contains_key(*id));
    let mut events: Vec<Event> =
        occupied.map(|id| Event::FoundOccupied { instance: (*id).clone() }).collect();
    let agreed = scope.state.promoted == Promoted::Yes && scope.state.no_return.is_none();
    if agreed && direction == Direction::Out {
        events.push(Event::PointOfNoReturn);
    }
    events
}

/// The boards of some servers, by the servers' own lists.
struct Lists<'a> {
    /// Of those on which boards live.
    holders: Vec<&'a BoardList>,
    /// How many live there.
    left: u64,
    /// How many are just being opened or closed.
    passing: u64,
}

fn lists<'a>(scope: &Scope<'a>, leaving: &BTreeSet<InstanceId>) -> Result<Lists<'a>, Progress> {
    let mut lists = Lists { holders: Vec::new(), left: 0, passing: 0 };
    for on in leaving {
        let list = require_list(scope, on)?;
        lists.passing += list.iter().map(|it| u64::from(it.state() == BoardState::Passing)).sum::<u64>();
        let here = list.owned().map(|_| 1_u64).sum::<u64>();
        lists.left += here;
        lists.holders.extend((here > 0).then_some(list));
    }
    Ok(lists)
}

fn require_list<'a>(scope: &Scope<'a>, id: &InstanceId) -> Result<&'a BoardList, Progress> {
    scope.world.board_list(id).map_err(|why| Scope::blind(Source::BoardList(id.clone()), why))
}

/// The best that all of these know, and the policy allows.
fn level(scope: &Scope<'_>, instances: &BTreeSet<InstanceId>) -> Result<u8, Progress> {
    let mut level = scope.plan().service.handover.level_max;
    for id in instances {
        level = level.min(scope.require_app(id)?.level);
    }
    Ok(level)
}

/// Level 0: each old server sends its clients away at its pace.
fn drain(scope: &Scope<'_>, leaving: &BTreeSet<InstanceId>, left: u64) -> Progress {
    let mut acts = Acts::new(scope);
    let rate_per_s = scope.plan().service.handover.attach_rate_per_s;
    for id in leaving {
        acts.want(id.as_str(), Effect::Drain { instance: id.clone(), rate_per_s });
    }
    acts.or_wait_then(WaitingOn::Boards { left }, Then::Hold)
}

/// The servers that serve in place of those that are left: healthy, and open.
fn joined(scope: &Scope<'_>, to: &BTreeSet<InstanceId>) -> Result<BTreeSet<InstanceId>, Progress> {
    let mut joined = BTreeSet::new();
    for id in to.iter().filter(|id| capacity::is_healthy(scope, id)) {
        if scope.require_app(id)?.state == AppState::Serving {
            joined.insert(id.clone());
        }
    }
    Ok(joined)
}

/// Those of them that boards may be carried to. One that comes in another's place, or is back, may not be in its slot yet.
fn reached(
    scope: &Scope<'_>,
    direction: Direction,
    joined: &BTreeSet<InstanceId>,
) -> Result<BTreeSet<InstanceId>, Progress> {
    let arriving = scope.state.arriving();
    let mut reached = BTreeSet::new();
    for id in joined {
        let is_led_to = match direction {
            Direction::Out if !arriving.contains(id) => true,
            Direction::Out => is_found(scope, id, admit::is_in_its_slot)?,
            Direction::Back => is_found(scope, id, admit::is_not_out_of_its_slot)?,
        };
        if is_led_to && admit::can_be_reached(scope, id, scope.require_app(id)?) {
            reached.insert(id.clone());
        }
    }
    Ok(reached)
}

/// One whose slot was not read is not passed over: boards of its load balancer would go to another one for good.
fn is_found(
    scope: &Scope<'_>,
    id: &InstanceId,
    in_its_slot: fn(&Scope<'_>, &InstanceId) -> bool,
) -> Result<bool, Progress> {
    registry::require_groups(scope, &admit::its_slot(scope, id))?;
    Ok(in_its_slot(scope, id))
}

/// What each of them holds already.
fn rooms(scope: &Scope<'_>, joined: BTreeSet<InstanceId>) -> Result<Vec<Room>, Progress> {
    let mut rooms = Vec::new();
    for instance in joined {
        let app = scope.require_app(&instance)?;
        let boards = require_list(scope, &instance)?.iter();
        // What it has let go of is not held any more; what it is only loading is.
        let held = boards.filter(|it| it.state() != BoardState::Released);
        let bytes = held.fold(0_u64, |sum, it| sum.saturating_add(it.bytes()));
        let (caps, boards, clients) = (app.caps, app.boards, app.clients);
        rooms.push(Room { instance, caps, boards, clients, bytes });
    }
    Ok(rooms)
}
