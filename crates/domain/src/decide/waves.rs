//! The waves of a handover: those whose end is not known yet, and those that come next.
//!
//! Fewer than eighty new servers get their boards by one wave at a time. A larger fleet is cut into lanes of forty new
//! servers or more, and some old ones each; there are twenty-five at the most. A lane has one wave at a time
//! as well, so that no server ever meets more than it would in a small fleet, and the lanes go side by side. The
//! trial waves come before, alone.

use std::cmp::Reverse;
use std::sync::Arc;

use super::scope::{self, Acts, Progress, Scope, Taken};
use crate::board_list::{BoardList, Located};
use crate::decision::{Reason, Then, WaitingOn};
use crate::effect::{Effect, Intent, MoveWave, Outcome};
use crate::ids::{EffectId, InstanceId, MoveId};
use crate::moves::{Direction, Move, Wave};
use crate::planner::{self, Assignment, FitsNowhere, Room};
use crate::state::ReleaseState;
use crate::step::Step;

/// What the ids of a step's waves begin with.
pub(super) fn prefix(state: &ReleaseState, step: Step) -> String {
    format!("{}move/", scope::id_prefix(state, step))
}

/// Waves whose end is not known yet: nothing else is begun before. One that failed is asked for again.
pub(super) fn unfinished(scope: &Scope<'_>) -> Option<Progress> {
    let prefix = prefix(scope.state, scope.step);
    let begun = scope.state.effects.range(EffectId::new(&prefix)..);
    let waves = begun.take_while(|(id, _)| id.as_str().starts_with(&prefix));
    let mut acts = Acts::new(scope);
    let mut under_way = None;
    for (id, record) in waves {
        match &record.ended {
            None => {
                under_way.get_or_insert(id);
            }
            Some((Outcome::Done(_), _)) => {}
            Some((Outcome::Refused { .. } | Outcome::Unknown(_), _)) => {
                let number = id.as_str().strip_prefix(&prefix).unwrap_or_default();
                acts.want(number, record.effect.clone());
            }
        }
    }
    match (acts.is_idle(), under_way) {
        (true, None) => None,
        (true, Some(id)) => Some(Progress::Wait(WaitingOn::Effect { id: id.clone() }, Then::WayBack)),
        (false, _) => Some(acts.or_wait(WaitingOn::Settling { what: "the wave", missing: Vec::new() })),
    }
}

fn wave_id(scope: &Scope<'_>, number: u32) -> EffectId {
    EffectId::new(format!("{}{number}", prefix(scope.state, scope.step)))
}

/// The next wave of what is on these lists, or one for each lane.
pub(super) fn next(
    scope: &Scope<'_>,
    direction: Direction,
    lists: &[&BoardList],
    rooms: &[Room],
    level: u8,
) -> Taken {
    let tally = scope.state.tally(direction);
    let left = lists.iter().flat_map(|list| list.owned()).map(|_| 1_u64).sum();
    if let Some(progress) = stuck(scope, direction, left) {
        return Err(progress);
    }
    let first = tally.begun + 1;
    let at_start = left.saturating_add(tally.boards_moved);
    let policy = &scope.plan().service.handover;
    // A lane is cut before the next is planned: plans for all boards of a large fleet would fill the memory.
    let cut = |assigned| planner::wave(assigned, first, at_start, policy);
    let waves = match in_lanes(scope, first, lists, rooms, cut) {
        Some(lanes) => lanes,
        None => vec![cut(assigned(scope, lists, rooms)?)],
    };
    let wave = |(number, chosen): (u32, Vec<Assignment<'_>>)| {
        let moves = chosen.into_iter().map(|it| a_move(scope, direction, &it)).collect();
        let effect = Effect::Move(Arc::new(MoveWave {
            release: scope.plan().release.clone(),
            wave: Wave { number, direction, moves },
            level,
            seal_ttl: policy.seal_ttl,
            attach_deadline: policy.attach_deadline,
            attach_rate_per_s: policy.attach_rate_per_s,
            switching_at_once: policy.switching_at_once,
        }));
        Intent { id: wave_id(scope, number), attempt: 1, effect }
    };
    Ok(Progress::Do((first..).zip(waves).map(wave).collect()))
}

fn located<'a>(lists: &[&'a BoardList]) -> Vec<Located<'a>> {
    let mut boards = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
    boards.extend(lists.iter().flat_map(|list| list.owned()));
    boards
}

/// Every board to a server of its own load balancer, where its users know the way, the largest first; those alone
/// that find no room there go wherever some is left. Their users are told the new address as those of all others are,
/// and it names the load balancer: they have a longer way, and their board. One that waited would wait for somebody
/// to leave, on a server that is to go. Where that leaves one without any place the fleet is filled as a whole: a
/// board that stays holds all.
fn assigned<'a>(
    scope: &Scope<'_>,
    lists: &[&'a BoardList],
    rooms: &[Room],
) -> Result<Vec<Assignment<'a>>, Progress> {
    if let Some(mut assigned) = at_home(scope, lists, rooms).and_then(home_first) {
        assigned.sort_by_key(|it| Reverse((it.board.clients(), it.board.bytes())));
        return Ok(assigned);
    }
    planner::assign(&located(lists), rooms)
        .map_err(|FitsNowhere(board)| Progress::Park(Reason::BoardFitsNowhere { board }))
}

/// None where a board fits nowhere when all others are at home.
fn home_first(homes: Vec<Home<'_>>) -> Option<Vec<Assignment<'_>>> {
    let (mut assigned, mut left, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
    for (lists, mut own) in homes {
        let filled = planner::fill(&located(&lists), &mut own);
        assigned.extend(filled.assigned);
        left.extend(filled.left);
        rooms.extend(own);
    }
    let elsewhere = planner::fill(&left, &mut rooms);
    assigned.extend(elsewhere.assigned);
    elsewhere.left.is_empty().then_some(assigned)
}

/// What each load balancer has of lists and of rooms; none where there is only one.
fn at_home<'a>(scope: &Scope<'_>, lists: &[&'a BoardList], rooms: &[Room]) -> Option<Vec<Home<'a>>> {
    let routing = &scope.plan().service.routing;
    if routing.others.is_empty() {
        return None;
    }
    let homes = routing.balancers().map(|balancer| {
        let is_here = |id: &InstanceId| *scope.state.home(id) == balancer.forward;
        let lists = lists.iter().filter(|list| is_here(list.on())).copied().collect();
        (lists, rooms.iter().filter(|room| is_here(&room.instance)).cloned().collect())
    });
    Some(homes.collect())
}

type Home<'a> = (Vec<&'a BoardList>, Vec<Room>);

/// The wave of each lane; none while the trials are on, where one wave at a time is enough, and where a lane has no
/// room for its own: then the whole fleet has to be looked at.
fn in_lanes<'a>(
    scope: &Scope<'_>,
    number: u32,
    lists: &[&'a BoardList],
    rooms: &[Room],
    cut: impl Fn(Vec<Assignment<'a>>) -> Vec<Assignment<'a>>,
) -> Option<Vec<Vec<Assignment<'a>>>> {
    let policy = &scope.plan().service.handover;
    let lanes = policy.waves_at_once(u32::try_from(rooms.len()).unwrap_or(u32::MAX));
    if planner::is_trial(number) || lanes < 2 {
        return None;
    }
    // A lane is of one load balancer, and each has its part of them.
    let all = rooms.len().max(1);
    let lanes = usize::try_from(lanes).unwrap_or(1);
    let lanes_for = |rooms: &[Room]| (lanes * rooms.len() / all).max(1);
    let homes = at_home(scope, lists, rooms).unwrap_or_else(|| vec![(lists.to_vec(), rooms.to_vec())]);
    let waves = homes.iter().map(|(lists, rooms)| lanes_of(lists, rooms, lanes_for(rooms), &cut));
    let mut waves = waves.collect::<Option<Vec<_>>>()?.concat();
    // One for each of many small load balancers may be more than there are places: the last wait for the next round.
    waves.truncate(lanes);
    Some(waves)
}

fn lanes_of<'a>(
    lists: &[&'a BoardList],
    rooms: &[Room],
    lanes: usize,
    cut: impl Fn(Vec<Assignment<'a>>) -> Vec<Assignment<'a>>,
) -> Option<Vec<Vec<Assignment<'a>>>> {
    // In turn: who has boards left is spread over the lanes however few of them there are.
    let lists_of = |lane: usize| lists.iter().skip(lane).step_by(lanes).copied().collect::<Vec<_>>();
    let room_of = |lane: usize| rooms.iter().skip(lane).step_by(lanes).cloned().collect::<Vec<Room>>();
    let filled =
        (0..lanes).map(|lane| (lane, located(&lists_of(lane)))).filter(|(_, boards)| !boards.is_empty());
    filled.map(|(lane, boards)| planner::assign(&boards, &room_of(lane)).ok().map(&cut)).collect()
}

/// After waves that moved nothing: a pause before the next, twice as long each time, and a person when that
/// goes on for too long.
fn stuck(scope: &Scope<'_>, direction: Direction, left: u64) -> Option<Progress> {
    let tally = scope.state.tally(direction);
    let (_, ended_at) = scope.state.effects.get(&wave_id(scope, tally.begun))?.ended.as_ref()?;
    if tally.fruitless == 0 {
        return None;
    }
    if scope.world.at >= scope.patience_ends() {
        let last = tally.last_exception.unwrap_or_else(|| "no reason was given".to_owned());
        return Some(Progress::Park(Reason::BoardsStay { left, last }));
    }
    let rested = scope.world.since(*ended_at) >= scope::rest(tally.fruitless + 2);
    (!rested).then_some(Progress::Wait(WaitingOn::Boards { left }, Then::Hold))
}

/// The id says which board leaves under which epoch; to whom it goes may change when it stayed the first time.
fn a_move(scope: &Scope<'_>, direction: Direction, assignment: &Assignment<'_>) -> Move {
    let Assignment { board: located, to } = assignment;
    let (board, epoch) = (located.board(), located.epoch());
    let id = MoveId::of(&scope.plan().release, direction, &board, epoch);
    Move { id, board, epoch, from: located.on().clone(), to: to.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{BoardRow, BoardState, Caps};
    use crate::ids::BoardId;

    fn list(on: &str, boards: &[(&str, u64)]) -> BoardList {
        let row = |(board, clients): &(&str, u64)| BoardRow {
            board: BoardId::new(*board),
            epoch: 1,
            state: BoardState::Active,
            clients: *clients,
            unsupported: 0,
            attached: 0,
            bytes: 0,
            moving: None,
        };
        BoardList::new(InstanceId::new(on), &boards.iter().map(row).collect::<Vec<_>>())
    }

    fn room(instance: &str) -> Room {
        let caps = Caps { boards: 100, clients: 100, bytes: 100 };
        Room { instance: InstanceId::new(instance), caps, boards: 0, clients: 0, bytes: 0 }
    }

    /// Which board goes to whom.
    fn told(assigned: &[Assignment<'_>]) -> Vec<String> {
        assigned.iter().map(|it| format!("{} to {}", it.board.board(), it.to)).collect()
    }

    #[test]
    fn a_board_without_room_at_home_goes_where_room_is_left_and_no_other_does() {
        let (east, west) = (list("i-1", &[("a", 50), ("b", 40)]), list("i-2", &[("c", 30)]));
        let homes = vec![(vec![&east], vec![room("i-3")]), (vec![&west], vec![room("i-4")])];
        let assigned = home_first(homes).expect("there is room for all");
        assert_eq!(told(&assigned), ["a to i-3", "c to i-4", "b to i-4"]);
    }

    /// The whole fleet finds room for the largest first.
    #[test]
    fn those_at_home_keep_no_board_from_the_only_place_that_it_fits_in() {
        let (east, west) = (list("i-1", &[("large", 80)]), list("i-2", &[("c", 10)]));
        let mut small = room("i-3");
        small.caps.clients = 50;
        let homes = vec![(vec![&east], vec![small.clone()]), (vec![&west], vec![room("i-4")])];
        assert_eq!(home_first(homes), None);
        let boards = located(&[&east, &west]);
        let assigned = planner::assign(&boards, &[small, room("i-4")]).expect("there is room for all");
        assert_eq!(told(&assigned), ["large to i-4", "c to i-3"]);
    }
}
