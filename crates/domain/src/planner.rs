//! Which board goes to which new server, and in which order.
//!
//! Assignment: the board with the largest dominant share first, onto the least loaded server; no server above
//! 85 % of any of its caps. Order: small boards first as a trial (1, then 10, then 1 %), then the largest
//! first, in turn over the old servers, so that neither a slow source nor a slow target holds up the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::app::Caps;
use crate::board_list::Located;
use crate::ids::{BoardId, InstanceId};
use crate::pace::Pace;
use crate::service::HandoverPolicy;

/// The part of a cap that a move may fill.
const FILL_PERCENT: u64 = 85;
/// Loads are compared in parts per billion of a cap.
const WHOLE: u64 = 1_000_000_000;

/// A new server and what it holds already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    pub instance: InstanceId,
    pub caps: Caps,
    pub boards: u64,
    pub clients: u64,
    pub bytes: u64,
}

/// A board and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'a> {
    pub board: Located<'a>,
    pub to: InstanceId,
}

/// No server has room for this board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitsNowhere(pub BoardId);

/// What was assigned, and what fits nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled<'a> {
    pub assigned: Vec<Assignment<'a>>,
    pub left: Vec<Located<'a>>,
}

/// Assigns every board, largest first.
pub fn assign<'a>(boards: &[Located<'a>], rooms: &[Room]) -> Result<Vec<Assignment<'a>>, FitsNowhere> {
    let Filled { assigned, left } = fill(boards, &mut rooms.to_vec());
    left.first().map_or(Ok(assigned), |board| Err(FitsNowhere(board.board())))
}

/// Assigns every board that fits, largest first. The rooms hold afterwards what comes to them.
pub fn fill<'a>(boards: &[Located<'a>], rooms: &mut [Room]) -> Filled<'a> {
    let mut filled = Filled { assigned: Vec::with_capacity(boards.len()), left: Vec::new() };
    let Some(typical) = rooms.first().map(|room| room.caps) else {
        filled.left.extend_from_slice(boards);
        return filled;
    };
    let share = |board: &Located<'_>| dominant(typical, 1, board.clients(), board.bytes());
    let mut order: Vec<(u64, &Located<'a>)> = boards.iter().map(|board| (share(board), board)).collect();
    order.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name().cmp(b.1.name())));

    let mut heap: BinaryHeap<Reverse<(u64, usize)>> =
        rooms.iter().enumerate().map(|(index, room)| Reverse((room.load(), index))).collect();
    for (_, board) in order {
        // No room grows: what had none leaves none to whatever is as large. A full fleet is not searched for each
        // board.
        let is_as_large = |it: &Located<'_>| board.clients() >= it.clients() && board.bytes() >= it.bytes();
        let is_hopeless = filled.left.last().is_some_and(is_as_large);
        let to = if is_hopeless { None } else { place(&mut heap, rooms, *board) };
        match to {
            Some(to) => filled.assigned.push(Assignment { board: *board, to }),
            None => filled.left.push(*board),
        }
    }
    filled
}

/// The least loaded server that has room; usually the first that the heap gives.
fn place(
    heap: &mut BinaryHeap<Reverse<(u64, usize)>>,
    loads: &mut [Room],
    board: Located<'_>,
) -> Option<InstanceId> {
    let mut passed_over = Vec::new();
    let mut chosen = None;
    while let Some(Reverse((load, index))) = heap.pop() {
        let Some(room) = loads.get_mut(index) else { continue };
        if room.take(board) {
            chosen = Some(room.instance.clone());
            passed_over.push(Reverse((room.load(), index)));
            break;
        }
        // Who is full stays so: nobody looks there again.
        if room.has_any_room() {
            passed_over.push(Reverse((load, index)));
        }
    }
    heap.extend(passed_over);
    chosen
}

impl Room {
    fn load(&self) -> u64 {
        dominant(self.caps, self.boards, self.clients, self.bytes)
    }

    /// For an empty board nobody is on.
    fn has_any_room(&self) -> bool {
        is_within(self.caps, self.boards.saturating_add(1), self.clients, self.bytes)
    }

    /// Takes a board in if every cap still has room for it.
    fn take(&mut self, board: Located<'_>) -> bool {
        let (boards, clients, bytes) = (
            self.boards.saturating_add(1),
            self.clients.saturating_add(board.clients()),
            self.bytes.saturating_add(board.bytes()),
        );
        let fits = is_within(self.caps, boards, clients, bytes);
        if fits {
            (self.boards, self.clients, self.bytes) = (boards, clients, bytes);
        }
        fits
    }
}

/// So much fills no cap further than a move may.
fn is_within(caps: Caps, boards: u64, clients: u64, bytes: u64) -> bool {
    dominant(caps, boards, clients, bytes) <= WHOLE / 100 * FILL_PERCENT
}

/// The largest of the three shares of the caps, in parts per billion.
fn dominant(caps: Caps, boards: u64, clients: u64, bytes: u64) -> u64 {
    let share = |part: u64, cap: u64| {
        let ppb = u128::from(part) * u128::from(WHOLE) / u128::from(cap.max(1));
        u64::try_from(ppb).unwrap_or(u64::MAX)
    };
    share(boards, caps.boards).max(share(clients, caps.clients)).max(share(bytes, caps.bytes))
}

/// The next wave of an assignment: which boards, in which order.
pub fn wave<'a>(
    assignments: Vec<Assignment<'a>>,
    number: u32,
    boards_at_start: u64,
    policy: &HandoverPolicy,
) -> Vec<Assignment<'a>> {
    let mut queue = assignments;
    let most = u64::from(policy.wave_boards.max(1));
    let trial = match number {
        1 => 1,
        2 => 10,
        3 => boards_at_start.div_ceil(100).max(1),
        _ => most,
    };
    // A trial is never bolder than what comes after it.
    let size = trial.min(most);
    if is_trial(number) {
        queue.reverse();
    } else {
        queue = in_turn(queue);
    }
    within_pace(queue, size, policy)
}

/// The first waves show that boards can be carried at all.
pub fn is_trial(number: u32) -> bool {
    number <= 3
}

/// One board of each old server in turn; the order within a server stays.
fn in_turn(queue: Vec<Assignment<'_>>) -> Vec<Assignment<'_>> {
    let mut places: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Assignment<'_>)> = Vec::with_capacity(queue.len());
    for assignment in queue {
        let place = places.entry(assignment.board.on()).or_insert(0);
        ranked.push((*place, assignment));
        *place += 1;
    }
    ranked.sort_by_key(|(place, _)| *place);
    ranked.into_iter().map(|(_, assignment)| assignment).collect()
}

/// As many as were asked for, and no more clients for one server than it may admit in half the deadline: the
/// other half is for those that are slow to answer.
fn within_pace<'a>(queue: Vec<Assignment<'a>>, size: u64, policy: &HandoverPolicy) -> Vec<Assignment<'a>> {
    let limit = Pace { per_s: policy.attach_rate_per_s }.fit_within(policy.attach_deadline / 2);
    let mut clients: BTreeMap<InstanceId, u64> = BTreeMap::new();
    let mut wave = Vec::new();
    for assignment in queue {
        if u64::try_from(wave.len()).unwrap_or(u64::MAX) >= size {
            break;
        }
        let sum = clients.entry(assignment.to.clone()).or_insert(0);
        let here = assignment.board.clients();
        // A single board larger than the limit still has to go: alone.
        if *sum > 0 && sum.saturating_add(here) > limit {
            continue;
        }
        *sum = sum.saturating_add(here);
        wave.push(assignment);
    }
    wave
}
