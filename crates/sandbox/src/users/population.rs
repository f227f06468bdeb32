//! Who is on which board, as a seeded and pure plan: boards of very different sizes, people who come
//! and go, boards that open and empty.
//!
//! It deliberately knows no clock and no socket: time is handed in, and what should happen is handed
//! out.

use std::collections::BTreeMap;

/// A board no larger than this is joined by others.
const LARGEST: usize = 25;

/// A board lives at least this long before it may be emptied on purpose.
const YOUNG_MS: u64 = 4_000;

/// The sizes and rates of a crowd.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) boards: usize,
    pub(super) clients: usize,
    /// The share of clients that leaves each second, and that comes.
    pub(super) churn_per_s: f64,
    /// Boards that open each second; as many empty.
    pub(super) openings_per_s: f64,
    pub(super) seed: u64,
}

/// A user, by the order in which they came.
pub(super) type UserNumber = u32;

/// A board, by the order in which they were opened.
pub(super) type BoardNumber = u32;

/// What should happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Join { user: UserNumber, board: BoardNumber },
    Leave { user: UserNumber },
}

#[derive(Debug)]
struct BoardPlan {
    opened_ms: u64,
    members: Vec<UserNumber>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Population {
    shape: Shape,
    rng: fastrand::Rng,
    boards: BTreeMap<BoardNumber, BoardPlan>,
    users: BTreeMap<UserNumber, BoardNumber>,
    next_user: UserNumber,
    next_board: BoardNumber,
    /// What the rates owe: a fraction of an opening, a join and a leave.
    openings: f64,
    joins: f64,
    leaves: f64,
}

impl Population {
    /// The crowd at its beginning, and who joins what.
    pub(super) fn begin(shape: Shape) -> (Self, Vec<Change>) {
        let mut population = Self {
            shape,
            rng: fastrand::Rng::with_seed(shape.seed),
            boards: BTreeMap::new(),
            users: BTreeMap::new(),
            next_user: 0,
            next_board: 0,
            openings: 0.0,
            joins: 0.0,
            leaves: 0.0,
        };
        let boards = shape.boards.min(shape.clients);
        let mut changes: Vec<Change> = (0..boards).map(|_| population.open(0)).collect();
        while population.users.len() < shape.clients {
            changes.push(population.join_some(0));
        }
        population.rng.shuffle(&mut changes);
        (population, changes)
    }

    /// What happens within the next `elapsed_ms`, which end at `now_ms`.
    pub(super) fn step(&mut self, now_ms: u64, elapsed_ms: u32) -> Vec<Change> {
        let seconds = f64::from(elapsed_ms) / 1_000.0;
        let clients = u32::try_from(self.shape.clients).unwrap_or(u32::MAX);
        let churn = f64::from(clients) * self.shape.churn_per_s * seconds;
        self.openings += self.shape.openings_per_s * seconds;
        self.joins += churn;
        self.leaves += churn;
        let mut changes = Vec::new();
        while self.openings >= 1.0 {
            self.openings -= 1.0;
            self.joins -= 1.0;
            changes.push(self.open(now_ms));
            self.empty_one(now_ms, &mut changes);
        }
        // Where boards are few, one that empties takes more people than the rate brings back.
        let fewest = self.shape.clients - self.shape.clients / 50;
        while self.users.len() < fewest || (self.joins >= 1.0 && self.users.len() <= self.shape.clients) {
            self.joins -= 1.0;
            changes.push(self.join_some(now_ms));
        }
        while self.leaves >= 1.0 && self.users.len() >= self.shape.clients {
            self.leaves -= 1.0;
            changes.extend(self.leave_some());
        }
        // Emptied boards may have taken more than their share; it is not paid back for ever.
        self.joins = self.joins.clamp(-clients_debt(clients), clients_debt(clients));
        self.leaves = self.leaves.clamp(-clients_debt(clients), clients_debt(clients));
        changes
    }

    /// Boards that somebody is on.
    pub(super) fn boards(&self) -> usize {
        self.boards.len()
    }

    fn open(&mut self, now_ms: u64) -> Change {
        let board = self.next_board;
        self.next_board += 1;
        self.boards.insert(board, BoardPlan { opened_ms: now_ms, members: Vec::new() });
        self.join(board)
    }

    fn join(&mut self, board: BoardNumber) -> Change {
        let user = self.next_user;
        self.next_user += 1;
        self.users.insert(user, board);
        if let Some(plan) = self.boards.get_mut(&board) {
            plan.members.push(user);
        }
        Change::Join { user, board }
    }

    /// Joins the board of somebody chosen by chance, so that large boards grow; or any board, so that
    /// small ones are not forgotten. When all are full, another opens.
    fn join_some(&mut self, now_ms: u64) -> Change {
        for _ in 0..20 {
            let board = if self.rng.bool() { self.board_of_somebody() } else { self.any_board() };
            let room = |board: &BoardNumber| self.members(*board) < LARGEST;
            if let Some(board) = board.filter(room) {
                return self.join(board);
            }
        }
        self.open(now_ms)
    }

    fn board_of_somebody(&mut self) -> Option<BoardNumber> {
        let nth = self.rng.usize(0..self.users.len().max(1));
        self.users.values().nth(nth).copied()
    }

    fn any_board(&mut self) -> Option<BoardNumber> {
        let nth = self.rng.usize(0..self.boards.len().max(1));
        self.boards.keys().nth(nth).copied()
    }

    fn members(&self, board: BoardNumber) -> usize {
        self.boards.get(&board).map_or(0, |plan| plan.members.len())
    }

    /// Everybody leaves the smallest board that is not young: a meeting ends.
    fn empty_one(&mut self, now_ms: u64, changes: &mut Vec<Change>) {
        if self.boards.len() <= self.shape.boards {
            return;
        }
        let old = |plan: &BoardPlan| now_ms.saturating_sub(plan.opened_ms) >= YOUNG_MS;
        let smallest = self
            .boards
            .iter()
            .filter(|(_, plan)| old(plan))
            .min_by_key(|(board, plan)| (plan.members.len(), **board))
            .map(|(board, _)| *board);
        let Some(plan) = smallest.and_then(|board| self.boards.remove(&board)) else { return };
        for user in plan.members {
            self.users.remove(&user);
            self.leaves -= 1.0;
            changes.push(Change::Leave { user });
        }
    }

    /// Somebody leaves a board on which others stay.
    fn leave_some(&mut self) -> Option<Change> {
        for _ in 0..20 {
            let nth = self.rng.usize(0..self.users.len().max(1));
            let (user, board) = self.users.iter().nth(nth).map(|(user, board)| (*user, *board))?;
            if self.members(board) < 2 {
                continue;
            }
            self.users.remove(&user);
            if let Some(plan) = self.boards.get_mut(&board) {
                plan.members.retain(|member| *member != user);
            }
            return Some(Change::Leave { user });
        }
        None
    }
}

fn clients_debt(clients: u32) -> f64 {
    f64::from(clients) * 0.1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape =
        Shape { boards: 200, clients: 1_000, churn_per_s: 0.02, openings_per_s: 5.0, seed: 1 };

    /// Lives for a minute; says what happened in all.
    fn minute(shape: Shape) -> (Population, Vec<Change>) {
        let (mut population, _) = Population::begin(shape);
        let changes = (1..=1_200).flat_map(|tick| population.step(tick * 50, 50)).collect();
        (population, changes)
    }

    #[test]
    fn it_begins_with_the_asked_boards_and_clients_and_sizes_of_all_kinds() {
        let (population, changes) = Population::begin(SHAPE);
        assert_eq!((population.boards(), changes.len()), (200, 1_000));
        let sizes: Vec<usize> = population.boards.values().map(|plan| plan.members.len()).collect();
        assert!(sizes.iter().any(|size| *size <= 2) && sizes.iter().any(|size| *size >= 12), "{sizes:?}");
        assert!(sizes.iter().all(|size| (1..=LARGEST).contains(size)));
    }

    #[test]
    fn a_minute_later_there_are_about_as_many_boards_and_clients() {
        let (population, _) = minute(SHAPE);
        assert!((190..=225).contains(&population.boards()), "{} boards", population.boards());
        let clients = population.users.len();
        assert!((950..=1_050).contains(&clients), "{clients} clients");
    }

    #[test]
    fn about_two_percent_of_the_clients_come_and_go_each_second() {
        let (_, changes) = minute(SHAPE);
        let joins = changes.iter().filter(|change| matches!(change, Change::Join { .. })).count();
        let leaves = changes.len() - joins;
        assert!((1_100..=1_300).contains(&joins), "{joins} joins");
        assert!((1_100..=1_300).contains(&leaves), "{leaves} leaves");
    }

    #[test]
    fn four_boards_or_more_open_each_second() {
        let (population, _) = minute(SHAPE);
        let opened = population.next_board - 200;
        assert!((240..=310).contains(&opened), "{opened}");
    }

    #[test]
    fn the_same_seed_makes_the_same_crowd_and_another_another() {
        assert_eq!(minute(SHAPE).1, minute(SHAPE).1);
        assert_ne!(minute(SHAPE).1, minute(Shape { seed: 2, ..SHAPE }).1);
    }

    #[test]
    fn a_crowd_of_one_board_keeps_it() {
        let (population, _) = minute(Shape { boards: 1, clients: 5, openings_per_s: 0.1, ..SHAPE });
        assert!((1..=3).contains(&population.boards()), "{}", population.boards());
        assert!((3..=8).contains(&population.users.len()), "{}", population.users.len());
    }
}
