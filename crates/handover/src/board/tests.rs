//! Boards, clients, a store and a daemon together, in whatever order events may come.

mod alone;
mod world;

use proptest::prelude::*;

use crate::wire::Level;
use world::World;

proptest! {
    /// Lost answers, failed writes, dead and suspected servers, a daemon that forgets, moves in both
    /// directions: when it is over, every edit is in the log exactly once, everything that was called
    /// durable is there, and everybody has seen all of it.
    #[test]
    fn whatever_happens_no_edit_is_lost_or_doubled_and_nobody_is_stuck(
        choices in prop::collection::vec(any::<u16>(), 0..600),
        level in prop::sample::select(vec![Level::Attach, Level::Warm, Level::Failover]),
    ) {
        let mut world = World::new(level);
        for choice in choices {
            world.step(usize::from(choice));
        }
        world.heal();
        world.assert_everything_arrived();
    }

    /// The same without faults: nobody is ever without a server that answers, and nobody reconnects.
    #[test]
    fn in_planned_moves_nobody_ever_reconnects(
        choices in prop::collection::vec(any::<u16>(), 0..600),
        level in prop::sample::select(vec![Level::Attach, Level::Warm, Level::Failover]),
    ) {
        let mut world = World::without_faults(level);
        for choice in choices {
            world.step(usize::from(choice));
        }
        world.heal();
        world.assert_everything_arrived();
        world.assert_nobody_was_disconnected();
    }
}

#[test]
fn the_world_really_moves_boards_and_really_breaks_things() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut moves, mut crashes, mut lost_answers) = (0, 0, 0);
    for _ in 0..60 {
        let mut world = World::new(Level::Failover);
        for _ in 0..600 {
            world.step(rng.usize(..));
        }
        world.heal();
        moves += world.moves_done;
        crashes += world.crashes;
        lost_answers += world.lost_answers;
    }
    assert!(moves > 100, "{moves} moves");
    assert!(crashes > 20, "{crashes} crashes");
    assert!(lost_answers > 50, "{lost_answers} lost answers");
}

#[test]
fn the_world_without_faults_really_moves_boards_and_somebody_comes_meanwhile() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut moves, mut meanwhile) = (0, 0);
    for _ in 0..60 {
        let mut world = World::without_faults(Level::Warm);
        for _ in 0..600 {
            world.step(rng.usize(..));
        }
        moves += world.moves_done;
        meanwhile += u32::from(world.has_eve());
    }
    assert!(moves > 40, "{moves} moves");
    assert!(meanwhile > 40, "{meanwhile} times eve came");
}
