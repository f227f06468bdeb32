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

/// Assigns every board, largest first.
pub fn assign<'a>(boards: &[Located<'a>], rooms: &[Room]) -> Result<Vec<Assignment<'a>>, FitsNowhere> {
    let Some(typical) = rooms.first().map(|room| room.caps) else {
        return boards.first().map_or(Ok(Vec::new()), |board| Err(FitsNowhere(board.board())));
    };
    let share = |board: &Located<'_>| dominant(typical, 1, board.clients(), board.bytes());
    let mut order: Vec<(u64, &Located<'a>)> = boards.iter().map(|board| (share(board), board)).collect();
    order.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name().cmp(b.1.name())));

    let mut loads: Vec<Room> = rooms.to_vec();
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> =
        loads.iter().enumerate().map(|(index, room)| Reverse((room.load(), index))).collect();
    let mut assignments = Vec::with_capacity(order.len());
    for (_, board) in order {
        let to = place(&mut heap, &mut loads, *board)?;
        assignments.push(Assignment { board: *board, to });
    }
    Ok(assignments)
}

/// The least loaded server that has room; usually the first that the heap gives.
fn place(
    heap: &mut BinaryHeap<Reverse<(u64, usize)>>,
    loads: &mut [Room],
    board: Located<'_>,
) -> Result<InstanceId, FitsNowhere> {
    let mut passed_over = Vec::new();
    let mut chosen = None;
    while let Some(Reverse((load, index))) = heap.pop() {
        let Some(room) = loads.get_mut(index) else { continue };
        if room.take(board) {
            chosen = Some(room.instance.clone());
            passed_over.push(Reverse((room.load(), index)));
            break;
        }
        passed_over.push(Reverse((load, index)));
    }
    heap.extend(passed_over);
    chosen.ok_or_else(|| FitsNowhere(board.board()))
}

impl Room {
    fn load(&self) -> u64 {
        dominant(self.caps, self.boards, self.clients, self.bytes)
    }

    /// Takes a board in if every cap still has room for it.
    fn take(&mut self, board: Located<'_>) -> bool {
        let (boards, clients, bytes) = (
            self.boards.saturating_add(1),
            self.clients.saturating_add(board.clients()),
            self.bytes.saturating_add(board.bytes()),
        );
        let fits = dominant(self.caps, boards, clients, bytes) <= WHOLE / 100 * FILL_PERCENT;
        if fits {
            (self.boards, self.clients, self.bytes) = (boards, clients, bytes);
        }
        fits
    }
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
