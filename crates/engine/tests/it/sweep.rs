//! Every story again, with the daemon killed at each place at which it can die, once for each: before and
//! after each call at a port, before and after each append. It must end the same. Readings that follow one
//! another in the same instant are one place: the same world and the same journal are left.

use std::future::Future;

use segue_domain::step::Step;
use segue_engine::fakes::{Nth, What};
use segue_engine::ports::Class;

use crate::play::{Operator, play};
use crate::stories;

/// Plays the story undisturbed; the places that differ, and all.
async fn places<F: Future<Output = ()>>(story: impl Fn(Operator) -> F) -> (u64, u64) {
    let world = stories::world();
    assert_eq!(play(&world, world.service(), &story).await, 1, "nobody killed it");
    (world.choke().points(), world.choke().places())
}

async fn sweep<F: Future<Output = ()>>(name: &str, story: impl Fn(Operator) -> F) -> u64 {
    sweep_after(0, name, story).await
}

/// Plays the story undisturbed, then once for each place after the first `known`, which another sweep has
/// visited; answers how many places there are.
async fn sweep_after<F: Future<Output = ()>>(known: u64, name: &str, story: impl Fn(Operator) -> F) -> u64 {
    let (last, all) = places(&story).await;
    let places = last - known;
    let mut killed = 0;
    for place in known + 1..=last {
        let world = stories::world();
        world.choke().crash_at_point(place);
        println!("{name}: killed at place {place}");
        killed += u64::from(play(&world, world.service(), &story).await - 1);
    }
    println!(
        "{name}: {places} crash points that differ (of {all}), killed {killed} times, the same end each time"
    );
    assert!(killed >= places * 9 / 10, "only {killed} of {places} places were reached");
    places
}

#[tokio::test(start_paused = true)]
async fn a_canary_survives_the_daemons_death_at_every_place() {
    sweep("canary", stories::canary_passes).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_release_survives_the_daemons_death_at_every_place() {
    let places = sweep("full", stories::full_release).await;
    assert!(places > 100, "{places}");
}

#[tokio::test(start_paused = true)]
async fn the_old_servers_end_survives_the_daemons_death_at_every_place() {
    let (known, _) = places(stories::full_release).await;
    sweep_after(known, "the old servers' end", stories::the_old_servers_end).await;
}

#[tokio::test(start_paused = true)]
async fn a_takeover_survives_the_daemons_death_at_every_place() {
    let (known, _) = places(stories::canary_passes).await;
    sweep_after(known, "full after canary", stories::full_release_takes_its_canary_over).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_survives_the_daemons_death_at_every_place() {
    let (known, _) = places(stories::full_release).await;
    sweep_after(known, "rollback after full", stories::rollback).await;
}

#[tokio::test(start_paused = true)]
async fn an_abort_survives_the_daemons_death_at_every_place() {
    for step in [Step::Launch, Step::Admit, Step::Handover] {
        sweep(&format!("abort in {step}"), |it| stories::abort_in(it, step)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_launch_survives_the_daemons_death_at_every_place() {
    sweep("short and dead", stories::a_short_launch_and_a_dead_instance).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_canary_survives_the_daemons_death_at_every_place() {
    sweep("failed canary", stories::a_canary_that_fails).await;
}

#[tokio::test(start_paused = true)]
async fn a_blind_time_survives_the_daemons_death_at_every_place() {
    sweep("blind", stories::blind_for_a_while).await;
}

#[tokio::test(start_paused = true)]
async fn a_handover_with_exceptions_survives_the_daemons_death_at_every_place() {
    sweep("exceptions", stories::a_handover_with_exceptions).await;
}

/// Calls that change something, and appends.
const DEEDS: [&str; 15] = [
    "launch",
    "start",
    "stop",
    "terminate",
    "register",
    "deregister",
    "set_weights",
    "open",
    "close",
    "prepare",
    "offer",
    "seal",
    "activate",
    "end",
    "append",
];

/// Plays the story twice for each deed: it has its effect and its answer is lost; it has none, and nobody knows.
async fn lose_each_answer<F: Future<Output = ()>>(name: &str, story: impl Fn(Operator) -> F) {
    let world = stories::world();
    play(&world, world.service(), &story).await;
    let mut lost = 0;
    for deed in DEEDS {
        for nth in 1..=world.choke().calls(deed) {
            for what in [What::FailAfter, What::FailBefore(Class::Unknown)] {
                println!("{name}: {deed} {nth}: {what:?}");
                let world = stories::world();
                world.choke().add(deed, Nth::Only(nth), what);
                play(&world, world.service(), &story).await;
                lost += 1;
            }
        }
    }
    println!("{name}: {lost} answers lost, the same end each time");
    assert!(lost > 20, "{lost}");
}

#[tokio::test(start_paused = true)]
async fn a_full_release_survives_the_loss_of_each_answer() {
    lose_each_answer("full", stories::full_release).await;
}

#[tokio::test(start_paused = true)]
async fn an_abort_survives_the_loss_of_each_answer() {
    lose_each_answer("abort in handover", |it| stories::abort_in(it, Step::Handover)).await;
}
