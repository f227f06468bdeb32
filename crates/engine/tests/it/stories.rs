//! Stories with an ending.

use std::time::Duration;

use segue_domain::decision::Reason;
use segue_domain::event::Word;
use segue_domain::ids::ReleaseId;
use segue_domain::instance::InstanceState;
use segue_domain::moves::Direction;
use segue_domain::plan::Kind;
use segue_domain::refusal::Refusal;
use segue_domain::state::{ReleaseState, Stance};
use segue_domain::step::Step;
use segue_engine::fakes::{FIRST, FakeWorld, Fate, Method, Nth, SECOND, What};
use segue_engine::ports::Class;
use tokio::time::sleep;

use crate::endings::{is_gone, lawful, serves, shares};
use crate::play::{Operator, play};

const SERVERS: u32 = 3;
const BOARDS: usize = 12;

pub(crate) fn world() -> FakeWorld {
    FakeWorld::with_fleet(SERVERS, BOARDS)
}

pub(crate) async fn canary_passes(it: Operator) {
    let release = it.start(Kind::Canary, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "passed");
    lawful(&it.world);
    serves(&it.world, FIRST, "a", 3);
    serves(&it.world, SECOND, "canary-1", 1);
    shares(&it.world, &[("a", 3), ("canary-1", 1)]);
}

pub(crate) async fn full_release(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    assert_eq!(it.world.fleet(FIRST, InstanceState::Stopped).len(), 3);
    every_board_was_counted(&it, &release).await;
}

/// An autoscaler brings one more old server while boards move: it is emptied and stopped with the others.
pub(crate) async fn an_old_server_joins(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    it.until_in(&release, Step::Handover).await;
    it.world.join(FIRST);
    assert_eq!(it.verdict(&release).await, "released");
    lawful(&it.world);
    serves(&it.world, SECOND, "b", 3);
    is_gone(&it.world, FIRST);
    assert_eq!(it.world.fleet(FIRST, InstanceState::Stopped).len(), 4, "it was left as it was");
}

/// The old servers are kept for as long as the service says.
pub(crate) async fn the_old_servers_end(it: Operator, keep_old: Duration) {
    full_release(it.clone()).await;
    sleep(keep_old.saturating_sub(Duration::from_secs(20))).await;
    assert_eq!(it.world.fleet(FIRST, InstanceState::Stopped).len(), 3, "they are kept for {keep_old:?}");
    // Long enough for a daemon that dies in between.
    sleep(Duration::from_secs(90)).await;
    assert_eq!(it.world.fleet(FIRST, InstanceState::Terminated).len(), 3);
    lawful(&it.world);
    serves(&it.world, SECOND, "b", 3);
}

fn the_second_version_took_over(it: &Operator) {
    lawful(&it.world);
    serves(&it.world, SECOND, "b", 3);
    is_gone(&it.world, FIRST);
    shares(&it.world, &[("b", 3)]);
    assert!(it.world.boards_alive() > 0);
    assert_eq!(it.world.boards_of(SECOND), it.world.boards_alive());
}

pub(crate) async fn full_release_takes_its_canary_over(it: Operator) {
    canary_passes(it.clone()).await;
    let canaries = it.world.fleet(SECOND, InstanceState::Running);
    let canary = canaries.first().expect("a canary runs");
    let release = it.start(Kind::Full, None).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    assert!(it.world.fleet(SECOND, InstanceState::Running).contains(canary), "the canary was not taken over");
    assert_eq!(it.world.instances().len(), 6, "something was launched twice");
}

pub(crate) async fn rollback(it: Operator) {
    full_release(it.clone()).await;
    let release = it.start(Kind::Rollback, None).await;
    assert_eq!(it.verdict(&release).await, "released");
    lawful(&it.world);
    serves(&it.world, FIRST, "a", 3);
    is_gone(&it.world, SECOND);
    shares(&it.world, &[("a", 3)]);
    assert_eq!(it.world.instances().len(), 6, "a rollback launches nothing");
    every_board_was_counted(&it, &release).await;
}

/// Every board that lived on the old servers when they were closed was moved, and counted once. While a daemon
/// is dead, a user may leave a board that has just moved: then nobody can tell any more that it had.
async fn every_board_was_counted(it: &Operator, release: &ReleaseId) {
    let state = it.state(release).await;
    let tally = state.tally(Direction::Out);
    assert_eq!(Some(tally.boards_moved + tally.gone), state.boards_at_close, "{tally:?}");
    assert!(tally.gone <= 1, "{tally:?}");
}

pub(crate) async fn abort_in(it: Operator, step: Step) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    it.until_in(&release, step).await;
    it.say(&release, Word::Abort).await;
    assert_eq!(it.verdict(&release).await, "aborted");
    everything_is_as_before(&it);
}

fn everything_is_as_before(it: &Operator) {
    lawful(&it.world);
    serves(&it.world, FIRST, "a", 3);
    is_gone(&it.world, SECOND);
    shares(&it.world, &[("a", 3)]);
    assert_eq!(it.world.boards_of(FIRST), it.world.boards_alive());
}

pub(crate) async fn a_short_launch_and_a_dead_instance(it: Operator) {
    it.world.next_fates(&[Fate::Short, Fate::Well, Fate::Dies]);
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    let live: u32 = it.world.launched().values().sum();
    assert_eq!(live, 3, "{:?}", it.world.launched());
}

/// The first zone has no room at all, the others none for the type that is liked best; what was brought elsewhere
/// is found and ended when a person has seen enough.
pub(crate) async fn room_elsewhere(it: Operator) {
    for full in ["subnet-1", "m7i.large"] {
        it.world.fill(full);
    }
    let release = it.start(Kind::Full, Some(SECOND)).await;
    it.until_in(&release, Step::Configure).await;
    let green = it.world.fleet(SECOND, InstanceState::Running);
    let instances = it.world.instances();
    let there = |id| instances.get(id).is_some_and(|it| it.subnet.as_str() == "subnet-2");
    assert!(green.len() == 3 && green.iter().all(there), "{instances:?}");
    it.say(&release, Word::Abort).await;
    assert_eq!(it.verdict(&release).await, "aborted");
    everything_is_as_before(&it);
}

pub(crate) async fn a_canary_that_fails(it: Operator) {
    it.world.errors_per_s(SECOND, 50);
    let release = it.start(Kind::Canary, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "rolled_back");
    everything_is_as_before(&it);
}

/// Prometheus is away for a while, in the middle of the hand-over.
pub(crate) async fn blind_for_a_while(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    it.until_in(&release, Step::Handover).await;
    it.world.forget_series();
    sleep(Duration::from_secs(25)).await;
    let state = it.state(&release).await;
    assert!(state.verdict().is_none() && !state.is_done(Step::Handover), "it went on blind");
    it.world.scrape_again();
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
}

/// Prometheus is away for so long that the release holds; a person lets it go on.
pub(crate) async fn blind_until_a_person_comes(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    it.until_in(&release, Step::Handover).await;
    it.world.stop_scraping();
    let held = it.until(&release, |state| matches!(state.stance, Stance::Held { .. })).await;
    let blind = |stance: &Stance| matches!(stance, Stance::Held { reason: Reason::Blind { .. }, .. });
    assert!(blind(&held.stance), "{:?}", held.stance);
    it.world.scrape_again();
    it.say(&release, Word::Retry).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
}

/// Some boards stay at the first try.
pub(crate) async fn a_handover_with_exceptions(it: Operator) {
    for nth in [1, 3, 4] {
        it.world.choke().add(Method::Activate, Nth::Only(nth), What::Refuse("busy".to_owned()));
    }
    it.world.choke().add(Method::Prepare, Nth::Only(3), What::FailAfter);
    it.world.choke().add(Method::Seal, Nth::Only(6), What::FailAfter);
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    every_board_was_counted(&it, &release).await;
}

/// At level 0 no board is carried: the old servers send their clients away.
pub(crate) async fn drained(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    assert_eq!(it.world.choke().calls(Method::Seal), 0);
    assert!(it.world.choke().calls(Method::Drain) >= 3);
}

/// Preflight misses a canary. Somebody goes over it, and somebody else does not like that.
pub(crate) async fn refused_by_preflight(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "refused");
    let release = it.try_start_over(Kind::Full, Some(SECOND), Some("canary")).await.expect("it is taken");
    it.until_in(&release, Step::Launch).await;
    it.say(&release, Word::Abort).await;
    assert_eq!(it.verdict(&release).await, "aborted");
    everything_is_as_before(&it);
}

/// The new servers never get warm.
pub(crate) async fn a_step_that_fails(it: Operator) {
    it.world.choke().add(Method::WarmUp, Nth::Each, What::Refuse("too slow".to_owned()));
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "rolled_back");
    everything_is_as_before(&it);
}

/// Somebody broke a contract once: a person looks, and lets it go on.
pub(crate) async fn a_canary_that_is_held(it: Operator) {
    it.world.choke().add(Method::Register, Nth::Only(1), What::FailBefore(Class::Bug));
    let release = it.start(Kind::Canary, Some(SECOND)).await;
    let over = |state: &ReleaseState| state.verdict().is_some();
    let held = it.until(&release, |state| matches!(state.stance, Stance::Held { .. }) || over(state)).await;
    // A daemon that died with the answer never heard that a contract was broken.
    if !over(&held) {
        it.say(&release, Word::Retry).await;
    }
    assert_eq!(it.verdict(&release).await, "passed");
    lawful(&it.world);
    serves(&it.world, FIRST, "a", 3);
    serves(&it.world, SECOND, "canary-1", 1);
}

/// Twice a daemon is told to stop, as when a newer one is installed.
pub(crate) async fn restarted_in_good_order(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    for step in [Step::Launch, Step::Handover] {
        it.until_in(&release, step).await;
        it.restart();
    }
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
}

#[tokio::test(start_paused = true)]
async fn a_canary_passes_and_stays() {
    let world = world();
    play(&world, world.service(), canary_passes).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_release_carries_everything_across_and_ends_the_old_servers_later() {
    let world = world();
    let keep_old = world.service().full.keep_old;
    play(&world, world.service(), |it| the_old_servers_end(it, keep_old)).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_release_takes_over_the_canary_of_its_version() {
    let world = world();
    play(&world, world.service(), full_release_takes_its_canary_over).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_starts_the_old_servers_and_brings_every_board_back() {
    let world = world();
    play(&world, world.service(), |it| async move {
        rollback(it.clone()).await;
        sleep(Duration::from_mins(12)).await;
        lawful(&it.world);
        serves(&it.world, FIRST, "a", 3);
        assert_eq!(
            it.world.fleet(SECOND, InstanceState::Terminated).len(),
            3,
            "the rolled back version is not kept for ever"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn old_servers_that_are_kept_cost_one_small_look_however_many_releases_left_some() {
    let world = world();
    play(&world, world.service(), |it| async move {
        rollback(it.clone()).await;
        sleep(Duration::from_mins(1)).await;
        let calls = || {
            [Method::Instances, Method::Weights, Method::Targets].map(|method| it.world.choke().calls(method))
        };
        let before = calls();
        sleep(Duration::from_mins(5)).await;
        let [instances, weights, targets] = [0, 1, 2].map(|index: usize| calls()[index] - before[index]);
        assert!(instances <= 31, "two releases are kept, and it looked {instances} times in 30 rounds");
        assert_eq!((weights, targets), (instances, instances * 5), "nobody is due, and slots were read");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_abort_leads_back_from_every_step_before_the_old_servers_end() {
    for step in [
        Step::Launch,
        Step::Configure,
        Step::Warm,
        Step::Admit,
        Step::Observe,
        Step::Close,
        Step::Handover,
        Step::Retire,
    ] {
        println!("abort in {step}");
        let world = world();
        play(&world, world.service(), |it| abort_in(it, step)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_launch_is_topped_up_and_a_dead_instance_is_replaced() {
    let world = world();
    play(&world, world.service(), a_short_launch_and_a_dead_instance).await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_with_errors_goes_the_way_back() {
    let world = world();
    play(&world, world.service(), a_canary_that_fails).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_while_prometheus_is_away_and_goes_on_when_it_is_back() {
    let world = world();
    play(&world, world.service(), blind_for_a_while).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_blind_for_too_long_holds_until_a_person_says_retry() {
    let world = world();
    play(&world, world.service(), blind_until_a_person_comes).await;
}

#[tokio::test(start_paused = true)]
async fn boards_that_stay_at_first_are_moved_by_a_later_wave() {
    let world = world();
    play(&world, world.service(), a_handover_with_exceptions).await;
}

#[tokio::test(start_paused = true)]
async fn at_level_0_the_servers_are_drained() {
    let world = world();
    let mut service = world.service();
    service.handover.level_max = 0;
    play(&world, service, drained).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_release_is_refused_and_the_same_request_is_the_same_release() {
    let world = world();
    play(&world, world.service(), |it| async move {
        let release = it.start(Kind::Canary, Some(SECOND)).await;
        let refused = it.try_start(Kind::Full, Some("3")).await;
        assert_eq!(refused, Err(Refusal::ReleaseActive { active: release.clone() }.into()));
        assert_eq!(it.verdict(&release).await, "passed");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_release_does_nothing_until_it_is_resumed() {
    let world = world();
    play(&world, world.service(), |it| async move {
        let release = it.start(Kind::Full, Some(SECOND)).await;
        it.until_in(&release, Step::Observe).await;
        it.say(&release, Word::Pause).await;
        sleep(Duration::from_secs(2)).await;
        let calls = it.world.choke().calls(Method::Close);
        sleep(Duration::from_mins(30)).await;
        assert_eq!(it.world.choke().calls(Method::Close), calls);
        it.say(&release, Word::Resume).await;
        assert_eq!(it.verdict(&release).await, "released");
        the_second_version_took_over(&it);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_contract_holds_the_release_until_a_person_says_retry() {
    let world = world();
    world.choke().add(Method::Register, Nth::Only(1), What::FailBefore(Class::Bug));
    play(&world, world.service(), |it| async move {
        let release = it.start(Kind::Full, Some(SECOND)).await;
        let held = it.until(&release, |state| matches!(state.stance, Stance::Held { .. })).await;
        let bug = matches!(&held.stance, Stance::Held { reason: Reason::Bug { .. }, .. });
        assert!(bug, "{:?}", held.stance);
        sleep(Duration::from_mins(5)).await;
        assert!(it.state(&release).await.verdict().is_none(), "it went on by itself");
        it.say(&release, Word::Retry).await;
        assert_eq!(it.verdict(&release).await, "released");
        the_second_version_took_over(&it);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_was_lost_is_begun_anew_above_what_the_servers_remember() {
    let world = world();
    world.have_obeyed(40);
    play(&world, world.service(), |it| async move {
        let release = it.start(Kind::Full, Some(SECOND)).await;
        assert_eq!(it.verdict(&release).await, "released");
        the_second_version_took_over(&it);
        let records = it.records(&release).await;
        let mut epochs: Vec<u64> = records.iter().map(|record| record.epoch).collect();
        epochs.dedup();
        assert_eq!(epochs, [1, 41], "one change, and no more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_is_down_never_holds_a_release() {
    for what in [
        What::FailBefore(Class::Retry),
        What::FailBefore(Class::Bug),
        What::FailAfter,
        What::Refuse("no such channel".to_owned()),
        What::Late(Duration::from_hours(1)),
        What::Panic,
    ] {
        println!("the notifier: {what:?}");
        let world = world();
        world.choke().add(Method::Announce, Nth::Each, what);
        play(&world, world.service(), |it| async move {
            full_release(it.clone()).await;
            assert!(it.world.choke().calls(Method::Announce) > 0, "nobody tried");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_nobody_knows_is_refused() {
    let world = world();
    play(&world, world.service(), |it| async move {
        let unknown = ReleaseId::parse("boards-7").unwrap();
        let refused = it.try_say(&unknown, Word::Pause).await;
        assert_eq!(refused, Err(Refusal::ReleaseUnknown { release: "boards-7".to_owned() }.into()));
    })
    .await;
}
