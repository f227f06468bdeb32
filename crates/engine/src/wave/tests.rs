//! A wave against the small world, whatever state it is found in.

use std::time::Duration;

use segue_domain::app::BoardState;
use segue_domain::ids::{BoardId, InstanceId, MoveId, ReleaseId};
use segue_domain::moves::{Direction, Wave};

use tokio::time::Instant;

use super::*;
use crate::fakes::{FakeWorld, Method, Nth, What};
use crate::outside::Limits;
use crate::ports::{AttachPlan, Class, StandbyTerms};

/// By then every slot has found its server well.
const FOUND_WELL: Duration = Duration::from_secs(30);

/// Two old servers with boards, a new one without, and a wave that carries all of them across.
struct Story {
    world: FakeWorld,
    outside: Outside,
    effect: MoveWave,
    to: InstanceId,
}

impl Story {
    async fn new(boards: usize) -> Self {
        Self::within(Limits::default(), boards).await
    }

    async fn within(limits: Limits, boards: usize) -> Self {
        let world = FakeWorld::with_fleet(3, boards);
        world.calm_users();
        tokio::time::sleep(FOUND_WELL).await;
        let to = InstanceId::new("i-0003");
        let outside = world.outside(limits, Duration::from_mins(2)).await;
        let mut story = Self { world, outside, effect: empty_wave(), to };
        story.effect.wave.moves = story.moves().await;
        let sides = story.world.instances().into_keys().collect();
        story.world.expect_moves(&story.effect, sides);
        story
    }

    async fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for from in ["i-0001", "i-0002"].map(InstanceId::new) {
            for row in self.boards(&from).await {
                let id = MoveId::new(format!("move-{}", row.board));
                let to = self.to.clone();
                moves.push(Move { id, board: row.board, epoch: row.epoch, from: from.clone(), to });
            }
        }
        moves
    }

    fn book(&self) -> AddressBook {
        AddressBook::new(Some(&self.world.instances()), 1)
    }

    async fn boards(&self, on: &InstanceId) -> Vec<segue_domain::app::BoardRow> {
        let at = self.book().target(on).expect("it runs");
        self.outside.ports.boards.boards(&at).await.expect("it answers")
    }

    async fn carry(&self) -> Result<WaveResult, CallError> {
        carry(&self.outside, &self.book(), &self.effect).await
    }

    fn is_across(&self) -> bool {
        let left = ["i-0001", "i-0002"].map(|id| self.world.boards_on(&InstanceId::new(id)));
        left == [0, 0] && self.world.violations().is_empty()
    }
}

fn empty_wave() -> MoveWave {
    MoveWave {
        release: ReleaseId { service: segue_domain::ids::ServiceName::new("boards"), number: 1 },
        wave: Wave { number: 1, direction: Direction::Out, moves: Vec::new() },
        level: 2,
        seal_ttl: Duration::from_secs(1),
        attach_deadline: Duration::from_secs(4),
        attach_rate_per_s: 100,
        switching_at_once: 4,
    }
}

fn moved(boards: u32, clients: u32) -> WaveResult {
    WaveResult { boards_moved: boards, clients_moved: clients, ..WaveResult::default() }
}

#[tokio::test(start_paused = true)]
async fn a_wave_carries_every_board_and_its_clients_across() {
    let story = Story::new(9).await;
    assert_eq!(story.carry().await, Ok(moved(6, 18)));
    assert!(story.is_across());
    let rows = story.boards(&story.to).await;
    assert!(rows.iter().all(|row| row.state == BoardState::Active && row.moving.is_none()), "{rows:?}");
    assert!(story.boards(&InstanceId::new("i-0001")).await.is_empty(), "released boards were not ended");
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_was_done_already_says_so_again() {
    let story = Story::new(6).await;
    story.carry().await.unwrap();
    let seals = story.world.choke().calls(Method::Seal);
    assert_eq!(story.carry().await, Ok(moved(4, 12)));
    assert_eq!(story.world.choke().calls(Method::Seal), seals);
}

#[tokio::test(start_paused = true)]
async fn late_clients_do_not_hold_a_board_for_ever() {
    let story = Story::new(3).await;
    let board = story.effect.wave.moves[0].board.clone();
    story.world.make_stubborn(&board);
    let began = tokio::time::Instant::now();
    assert_eq!(story.carry().await, Ok(moved(2, 6)));
    assert!(began.elapsed() >= Duration::from_secs(4) && began.elapsed() < Duration::from_secs(5));
    assert!(story.is_across());
    assert_eq!(story.world.violations(), Vec::<String>::new(), "the others have not given the move up");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_clients_that_cannot_attach() {
    let story = Story::new(3).await;
    for (one, plain) in story.effect.wave.moves.iter().zip([1, 3]) {
        story.world.make_plain(&one.board, plain);
    }
    let began = tokio::time::Instant::now();
    assert_eq!(story.carry().await, Ok(moved(2, 2)), "those who followed");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(story.is_across());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_activate_is_asked_for_again() {
    let story = Story::new(3).await;
    story.world.choke().add(Method::Activate, Nth::Only(1), What::FailAfter);
    assert_eq!(story.carry().await, Ok(moved(2, 6)));
    assert!(story.is_across());
}

#[tokio::test(start_paused = true)]
async fn a_refused_activate_leaves_the_board_where_it_is_open_again() {
    let story = Story::new(3).await;
    story.world.choke().add(Method::Activate, Nth::Only(1), What::Refuse("conflict".to_owned()));
    let result = story.carry().await.unwrap();
    assert_eq!((result.boards_moved, result.exceptions.len()), (1, 1));
    assert_eq!(result.exceptions[0].why, "the new server did not take it: conflict");
    assert_eq!(story.world.violations(), Vec::<String>::new());
    let rows =
        [story.boards(&InstanceId::new("i-0001")).await, story.boards(&InstanceId::new("i-0002")).await];
    let stayed: Vec<_> = rows.iter().flatten().map(|row| (row.state, row.epoch)).collect();
    assert_eq!(stayed, [(BoardState::Active, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_is_not_taken_over_is_open_again_before_anybody_reads_a_list() {
    let mut story = Story::new(3).await;
    story.effect.seal_ttl = Duration::from_mins(1);
    let choke = story.world.choke();
    choke.add(Method::Activate, Nth::Each, What::Refuse("conflict".to_owned()));
    choke.add(Method::BoardList, Nth::Each, What::Late(Duration::from_secs(2)));
    let waits = async {
        while choke.calls(Method::Activate) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(choke.calls(Method::End), 2, "their users wait for somebody's list");
    };
    let (result, ()) = tokio::join!(story.carry(), waits);
    assert_eq!(result.unwrap().exceptions.len(), 2);
    assert_eq!(story.world.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_board_that_may_be_sealed_though_nobody_said_so_is_taken_back_at_once() {
    let mut story = Story::new(3).await;
    story.effect.seal_ttl = Duration::from_mins(1);
    story.effect.switching_at_once = 1;
    story.world.choke().add(Method::Seal, Nth::Each, What::FailAfter);
    let result = story.carry().await.unwrap();
    assert_eq!((result.boards_moved, result.exceptions.len()), (0, 2));
    // Each by itself, and then the ends of the wave at each server.
    assert_eq!(story.world.choke().calls(Method::End), 2 + 3);
    for from in ["i-0001", "i-0002"].map(InstanceId::new) {
        assert_eq!(story.boards(&from).await[0].state, BoardState::Active);
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_whose_standby_has_hardly_any_life_left_stays_open_for_a_later_wave() {
    let limits = Limits { switches_at_once: 1, ..Limits::default() };
    let story = Story::within(limits, 3).await;
    let far = Instant::now() + Duration::from_hours(1);
    // Somebody else's boards have all places for longer than the standbys live.
    let place = story.outside.switching(far).await.unwrap();
    let result = story.carry().await.unwrap();
    let why = "it was not switched: its turn came too late";
    assert!(result.exceptions.iter().all(|it| it.why == why), "{:?}", result.exceptions);
    assert_eq!((result.exceptions.len(), story.world.choke().calls(Method::Seal)), (2, 0));
    drop(place);
    assert_eq!(story.carry().await, Ok(moved(2, 6)));
    assert!(story.is_across());
}

#[tokio::test(start_paused = true)]
async fn when_no_answer_of_activate_comes_the_new_servers_list_tells_that_it_has_the_board() {
    let story = Story::new(3).await;
    story.world.choke().add(Method::Activate, Nth::Each, What::FailAfter);
    assert_eq!(story.carry().await, Ok(moved(2, 6)));
    assert!(story.is_across());
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_left_sealed_by_a_dead_daemon_is_finished() {
    let story = Story::new(3).await;
    let one = &story.effect.wave.moves[0];
    let book = story.book();
    let (from, to) = (book.target(&one.from).unwrap(), book.target(&one.to).unwrap());
    let boards = &story.outside.ports.boards;
    let (ttl, rate_per_s) = (Duration::from_secs(9), 100);
    let terms = StandbyTerms { ttl, attach_rate_per_s: rate_per_s };
    boards.prepare(&to, &[item(one)], terms).await.unwrap();
    let plan = AttachPlan { item: item(one), connect: String::new(), rate_per_s, deadline: ttl };
    boards.offer(&from, &[plan]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    boards.seal(&from, &item(one), Duration::from_secs(1)).await.unwrap();
    assert_eq!(story.carry().await, Ok(moved(2, 6)));
    assert!(story.is_across());
}

#[tokio::test(start_paused = true)]
async fn a_board_that_was_left_sealed_with_nobody_ready_is_called_off_and_serves_again() {
    let story = Story::new(3).await;
    let one = &story.effect.wave.moves[0];
    let from = story.book().target(&one.from).unwrap();
    story.outside.ports.boards.seal(&from, &item(one), Duration::from_mins(1)).await.unwrap();
    let result = story.carry().await.unwrap();
    assert_eq!((result.boards_moved, result.exceptions.len()), (1, 1));
    let rows = story.boards(&one.from).await;
    assert_eq!(rows[0].state, BoardState::Active);
}

#[tokio::test(start_paused = true)]
async fn a_board_that_nobody_prepared_is_an_exception_and_the_others_go() {
    let mut story = Story::new(3).await;
    story.effect.wave.moves[0].board = BoardId::new("gone");
    let result = story.carry().await.unwrap();
    assert_eq!((result.boards_moved, result.boards_gone), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_to_prepare_makes_exceptions_and_nothing_is_sealed() {
    let story = Story::new(3).await;
    story.world.choke().add(Method::Prepare, Nth::Each, What::Refuse("no room".to_owned()));
    let result = story.carry().await.unwrap();
    assert_eq!((result.boards_moved, result.exceptions.len()), (0, 2));
    assert_eq!(story.world.choke().calls(Method::Seal), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_that_keeps_many_boards_makes_short_reasons() {
    let story = Story::new(3_000).await;
    story.world.choke().add(Method::Prepare, Nth::Each, What::Refuse("no room\n".repeat(200_000)));
    let exceptions = story.carry().await.unwrap().exceptions;
    let bytes: usize = exceptions.iter().map(|it| it.why.len() + it.board.as_str().len()).sum();
    assert_eq!(exceptions.len(), 2_000);
    assert!(bytes < 800_000, "{bytes} bytes do not go into one record");
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_nothing_is_known() {
    let story = Story::new(3).await;
    story.world.choke().add(Method::BoardList, Nth::Each, What::FailBefore(Class::Retry));
    assert_eq!(story.carry().await.unwrap_err().class, Class::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_new_server_that_dies_while_clients_attach_costs_nobody_anything() {
    let story = Story::new(3).await;
    for one in &story.effect.wave.moves {
        story.world.make_stubborn(&one.board);
    }
    let dies = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        story.world.die(&story.to);
    };
    let (result, ()) = tokio::join!(story.carry(), dies);
    let result = result.unwrap();
    assert_eq!((result.boards_moved, result.exceptions.len()), (0, 2));
    assert_eq!(story.world.choke().calls(Method::Seal), 0);
}
