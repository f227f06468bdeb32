//! What the users went through, in numbers.
//!
//! Definitions, all from the users' own clocks:
//! - **edit latency**: from the moment an edit was made to the moment its user knew that it is in the
//!   board (`applied`).
//! - **stall** of a move, for one client: the latency of each edit that waited when edits began to be
//!   held (`sealed`, or `go` when that came first) or was made from then to `go`. A client without such
//!   an edit counts with the length of the hold itself.
//! - **control stall**: the latency of edits made while boards were being moved, by clients whose own
//!   board was not moved within a second before or after.
//!
//! An edit that was never applied counts with the time until the records were taken: it is worse than
//! slow, and must not vanish.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use segue_handover::wire::BoardId;
use serde::{Deserialize, Serialize};

use super::record::{Edit, Phase, Records, UserRecord};

/// A board's own move disturbs this long before and after.
const NEAR_US: u64 = 1_000_000;

/// What part of the records is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Nothing is released: the figures to compare with.
    pub before_us: Range<u64>,
    /// The release, or the rollback.
    pub during_us: Range<u64>,
}

/// Milliseconds of a sample; none where there is no sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Percentiles {
    pub count: usize,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

/// What happened to the clients within the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientFigures {
    /// Everybody who ever came.
    pub came: u64,
    /// Of these, the ones without a record: a user that failed, or that nobody could ask.
    pub unrecorded: u64,
    /// Everybody who was ever served.
    pub total: u64,
    /// Those whose board was moved while they were on it.
    pub moved: u64,
    /// Joins after the first, by anybody.
    pub reconnects_forced: u64,
    /// The longest time that anybody was without an open socket.
    pub without_socket_ms_max: f64,
    /// The longest that anybody waited to be served: until then, or until the end of it all.
    pub wait_ms_max: f64,
}

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    pub clients: ClientFigures,
    /// Boards with a client that was moved.
    pub boards_moved: u64,
    /// Distinct boards that somebody was ever served on.
    pub boards_total: u64,
    pub stall: Percentiles,
    pub control_stall: Percentiles,
    pub latency_before: Percentiles,
    pub latency_during: Percentiles,
}

impl Records {
    /// From the phase's first mark to the next mark of another phase, or to the end.
    pub fn span(&self, phase: Phase) -> Option<Range<u64>> {
        let mut marks = self.marks.iter().skip_while(|mark| mark.phase != phase);
        let from = marks.next()?.at_us;
        let to = marks.find(|mark| mark.phase != phase).map_or(self.taken_us, |mark| mark.at_us);
        Some(from..to)
    }
}

impl Figures {
    /// Measures.
    pub fn of(records: &Records, window: &Window) -> Self {
        let during = |at_us: u64| window.during_us.contains(&at_us);
        let holds = holds_by_board(records, &window.during_us);
        let phase = moving_phase(&holds);
        let (mut stall, mut control) = (Vec::new(), Vec::new());
        let (mut latency_before, mut latency_during) = (Vec::new(), Vec::new());
        let mut clients = ClientFigures::default();
        let mut boards = HashSet::new();
        let (mut without_us, mut wait_us) = (0, 0);
        for user in &records.users {
            let end_us = user.left_us.unwrap_or(records.taken_us);
            if user.joined_us.is_some() {
                clients.total += 1;
                boards.insert(&user.board);
            }
            clients.moved += u64::from(user.moves.iter().any(|one| during(one.go_us)));
            clients.reconnects_forced += count(user.rejoined_us.len());
            without_us = without_us.max(user.without_socket_us_max);
            wait_us = wait_us.max(user.waited_us(records.taken_us));
            stall.extend(stalls(user, &window.during_us, end_us));
            let near = holds.get(&user.board).map_or(&[][..], Vec::as_slice);
            for edit in &user.edits {
                let latency_us = latency(edit, end_us);
                if window.before_us.contains(&edit.made_us) {
                    latency_before.push(latency_us);
                }
                if during(edit.made_us) {
                    latency_during.push(latency_us);
                }
                if phase.contains(&edit.made_us) && !is_near(edit, end_us, near) {
                    control.push(latency_us);
                }
            }
        }
        clients.came = records.spawned;
        clients.unrecorded = records.spawned.saturating_sub(count(records.users.len()));
        (clients.without_socket_ms_max, clients.wait_ms_max) = (millis(without_us), millis(wait_us));
        Self {
            clients,
            boards_moved: count(holds.len()),
            boards_total: count(boards.len()),
            stall: Percentiles::of(stall),
            control_stall: Percentiles::of(control),
            latency_before: Percentiles::of(latency_before),
            latency_during: Percentiles::of(latency_during),
        }
    }
}

/// When each board was held for a move, for any of its clients.
fn holds_by_board<'a>(
    records: &'a Records,
    during_us: &Range<u64>,
) -> BTreeMap<&'a BoardId, Vec<Range<u64>>> {
    let mut holds: BTreeMap<&BoardId, Vec<Range<u64>>> = BTreeMap::new();
    for user in &records.users {
        for one in user.moves.iter().filter(|one| during_us.contains(&one.go_us)) {
            holds.entry(&user.board).or_default().push(one.sealed_us..one.go_us);
        }
    }
    holds
}

/// From the first hold to the last.
fn moving_phase(holds: &BTreeMap<&BoardId, Vec<Range<u64>>>) -> Range<u64> {
    let all = || holds.values().flatten();
    let from = all().map(|hold| hold.start).min().unwrap_or(0);
    let to = all().map(|hold| hold.end).max().unwrap_or(0);
    from..to
}

fn is_near(edit: &Edit, end_us: u64, holds: &[Range<u64>]) -> bool {
    let applied_us = edit.applied_us.unwrap_or(end_us);
    let touches = |hold: &Range<u64>| {
        edit.made_us <= hold.end.saturating_add(NEAR_US) && hold.start <= applied_us.saturating_add(NEAR_US)
    };
    holds.iter().any(touches)
}

fn stalls(user: &UserRecord, during_us: &Range<u64>, end_us: u64) -> Vec<u64> {
    let mut stalls = Vec::new();
    for one in user.moves.iter().filter(|one| during_us.contains(&one.go_us)) {
        let first = user.edits.partition_point(|edit| edit.applied_us.is_some_and(|at| at < one.sealed_us));
        let last = user.edits.partition_point(|edit| edit.made_us <= one.go_us);
        let held = user.edits.get(first..last).unwrap_or_default();
        stalls.extend(held.iter().map(|edit| latency(edit, end_us)));
        if held.is_empty() {
            stalls.push(one.go_us.saturating_sub(one.sealed_us));
        }
    }
    stalls
}

fn latency(edit: &Edit, end_us: u64) -> u64 {
    edit.applied_us.unwrap_or(end_us).saturating_sub(edit.made_us)
}

impl Percentiles {
    /// Of a sample in microseconds.
    pub fn of(mut sample_us: Vec<u64>) -> Self {
        sample_us.sort_unstable();
        let at = |percent| percentile(&sample_us, percent).map(millis);
        Self { count: sample_us.len(), p50_ms: at(50), p99_ms: at(99), max_ms: at(100) }
    }
}

/// The nearest-rank percentile of a sorted sample.
pub(super) fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Milliseconds to two places.
pub(super) fn millis(us: u64) -> f64 {
    f64::from(u32::try_from(us.div_ceil(10)).unwrap_or(u32::MAX)) / 100.0
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use segue_handover::client::Told;
    use segue_handover::wire::{ClientId, Cseq, Epoch, MoveId};

    use super::*;
    use crate::users::record::Mark;

    const S: u64 = 1_000_000;

    fn user(name: &str, board: &str) -> UserRecord {
        let mut user = UserRecord::new(ClientId::parse(name).unwrap(), BoardId::parse(board).unwrap(), 0);
        hear(&mut user, &Told::Joined { epoch: Epoch(1), version: String::new(), again: 0 }, 0);
        user
    }

    fn hear(user: &mut UserRecord, told: &Told, at_us: u64) {
        user.heard(told, at_us, |_| {});
    }

    fn edit(user: &mut UserRecord, made_us: u64) {
        user.made(made_us);
    }

    fn applied(user: &mut UserRecord, cseq: u64, at_us: u64) {
        hear(user, &Told::Applied(Cseq(cseq)), at_us);
    }

    fn switched(user: &mut UserRecord, at_us: u64) {
        hear(user, &Told::Switched { move_id: MoveId::parse("m").unwrap(), epoch: Epoch(2) }, at_us);
    }

    fn figures(users: Vec<UserRecord>) -> Figures {
        let spawned = count(users.len());
        let records = Records { users, spawned, marks: vec![], taken_us: 100 * S };
        Figures::of(&records, &Window { before_us: 0..10 * S, during_us: 10 * S..90 * S })
    }

    #[test]
    fn the_stall_is_the_latency_of_what_waited_or_was_made_while_held() {
        let mut ann = user("ann", "b");
        edit(&mut ann, 20 * S - 30);
        applied(&mut ann, 1, 20 * S - 10);
        edit(&mut ann, 20 * S - 5_000);
        hear(&mut ann, &Told::Sealed(Epoch(1)), 20 * S);
        edit(&mut ann, 20 * S + 1_000);
        switched(&mut ann, 20 * S + 2_000);
        applied(&mut ann, 3, 20 * S + 3_000);
        edit(&mut ann, 20 * S + 4_000);
        applied(&mut ann, 4, 20 * S + 90_000);
        let stall = figures(vec![ann]).stall;
        assert_eq!((stall.count, stall.p50_ms, stall.max_ms), (2, Some(2.0), Some(8.0)));
    }

    #[test]
    fn who_edits_nothing_while_held_counts_with_the_hold_itself() {
        let mut ann = user("ann", "b");
        hear(&mut ann, &Told::Sealed(Epoch(1)), 20 * S);
        switched(&mut ann, 20 * S + 7_000);
        assert_eq!(figures(vec![ann]).stall.max_ms, Some(7.0));
    }

    #[test]
    fn an_edit_that_is_never_applied_does_not_vanish() {
        let mut ann = user("ann", "b");
        hear(&mut ann, &Told::Sealed(Epoch(1)), 20 * S);
        edit(&mut ann, 20 * S);
        switched(&mut ann, 20 * S + 7_000);
        assert_eq!(figures(vec![ann]).stall.max_ms, Some(80_000.0));
    }

    #[test]
    fn control_is_what_others_feel_at_the_same_time() {
        let (mut ann, mut bob) = (user("ann", "b"), user("bob", "c"));
        for at_us in [20 * S, 40 * S] {
            hear(&mut ann, &Told::Sealed(Epoch(1)), at_us);
            switched(&mut ann, at_us + 1_000);
        }
        for (cseq, made_us, latency_us) in
            [(1, 15 * S, 9_000), (2, 25 * S, 3_000), (3, 30 * S, 5_000), (4, 50 * S, 9_000)]
        {
            edit(&mut bob, made_us);
            applied(&mut bob, cseq, made_us + latency_us);
        }
        edit(&mut ann, 40 * S + 500_000);
        applied(&mut ann, 1, 41 * S);
        let figures = figures(vec![ann, bob]);
        let control = figures.control_stall;
        assert_eq!((control.count, control.p50_ms, control.max_ms), (2, Some(3.0), Some(5.0)));
        assert_eq!((figures.clients.moved, figures.boards_moved, figures.boards_total), (1, 1, 2));
    }

    #[test]
    fn who_never_gets_in_has_waited_until_the_end_and_who_left_no_record_is_counted() {
        let came = |name: &str, came_us| {
            UserRecord::new(ClientId::parse(name).unwrap(), BoardId::parse("b").unwrap(), came_us)
        };
        let mut left = came("bob", 90 * S);
        left.left_us = Some(95 * S);
        let users = vec![user("ann", "b"), left, came("eve", 98 * S)];
        let mut records = Records { users, spawned: 5, marks: vec![], taken_us: 100 * S };
        let window = Window { before_us: 0..S, during_us: S..90 * S };
        let clients = Figures::of(&records, &window).clients;
        assert_eq!((clients.came, clients.unrecorded, clients.total), (5, 2, 1));
        assert_eq!(Some(clients.wait_ms_max), Some(5_000.0));
        records.users.push(came("joe", 40 * S));
        assert_eq!(Some(Figures::of(&records, &window).clients.wait_ms_max), Some(60_000.0));
    }

    #[test]
    fn without_a_sample_there_is_no_number() {
        let none = Percentiles { count: 0, p50_ms: None, p99_ms: None, max_ms: None };
        assert_eq!(figures(vec![user("ann", "b")]).stall, none);
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let sample: Vec<u64> = (1..=200).map(|n| n * 1_000).collect();
        let of = Percentiles::of(sample);
        assert_eq!((of.p50_ms, of.p99_ms, of.max_ms), (Some(100.0), Some(198.0), Some(200.0)));
    }

    #[test]
    fn a_phase_lasts_until_the_next_one() {
        let marks = [(Phase::Before, 1), (Phase::Canary, 5), (Phase::Release, 9)];
        let marks = marks.map(|(phase, at_us)| Mark { phase, at_us }).to_vec();
        let records = Records { users: vec![], spawned: 0, marks, taken_us: 20 };
        assert_eq!(records.span(Phase::Canary), Some(5..9));
        assert_eq!(records.span(Phase::Release), Some(9..20));
        assert_eq!(records.span(Phase::Rollback), None);
    }
}
