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

/// Sixty worlds, the same in every run, after six hundred steps each.
fn played(new: impl Fn() -> World) -> Vec<World> {
    let mut rng = fastrand::Rng::with_seed(7);
    let played = |mut world: World| {
        (0..600).for_each(|_| world.step(rng.usize(..)));
        world
    };
    std::iter::repeat_with(new).take(60).map(played).collect()
}

fn sum(worlds: &[World], of: fn(&World) -> u32) -> u32 {
    worlds.iter().map(of).sum()
}

#[test]
fn the_world_really_moves_boards_and_really_breaks_things() {
    let mut worlds = played(|| World::new(Level::Failover));
    worlds.iter_mut().for_each(World::heal);
    let moves = sum(&worlds, |world| world.moves_done);
    let crashes = sum(&worlds, |world| world.crashes);
    let lost_answers = sum(&worlds, |world| world.lost_answers);
    assert!(moves > 100, "{moves} moves");
    assert!(crashes > 20, "{crashes} crashes");
    assert!(lost_answers > 50, "{lost_answers} lost answers");
}

#[test]
fn in_planned_moves_somebody_comes_meanwhile_and_offers_wait_at_the_seal() {
    let worlds = played(|| World::without_faults(Level::Warm));
    let moves = sum(&worlds, |world| world.moves_done);
    let joined = sum(&worlds, |world| world.joined_offered);
    let told_late = sum(&worlds, |world| world.told_late);
    assert!(moves > 100, "{moves} moves");
    assert!(joined > 5, "{joined} joined a board that was offered");
    assert!(told_late > 50, "{told_late} were told after the seal");
}
