//! Full releases in the larger world: five servers in three subnets, boards for several waves, new servers that
//! are configured and warmed up. What goes wrong in the stories here goes wrong in one of them at once.

use std::time::Duration;

use segue_domain::event::Word;
use segue_domain::ids::{InstanceId, ReleaseId};
use segue_domain::instance::InstanceState;
use segue_domain::plan::Kind;
use segue_domain::state::Stance;
use segue_domain::step::Step;
use segue_engine::fakes::{FIRST, Fate, Method, Nth, SECOND, What};
use tokio::time::sleep;

use crate::endings::{is_gone, lawful, serves, shares};
use crate::play::Operator;

pub(crate) const SERVERS: u32 = 5;
pub(crate) const BOARDS: usize = 36;

fn the_second_version_took_over(it: &Operator) {
    lawful(&it.world);
    serves(&it.world, SECOND, "b", 5);
    is_gone(&it.world, FIRST);
    shares(&it.world, &[("b", 5)]);
    assert_eq!(it.world.boards_of(SECOND), it.world.boards_alive());
    assert!(it.world.boards_alive() > BOARDS / 2);
}

pub(crate) async fn full_release(it: Operator) {
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    assert_eq!(it.world.fleet(FIRST, InstanceState::Stopped).len(), 5);
    assert_eq!(it.world.launched().values().sum::<u32>(), 5, "{:?}", it.world.launched());
}

/// A canary of the version, one of a later version that stays up, and a stopped spare: the release takes over
/// the first, empties the second, starts the third and launches the rest.
pub(crate) async fn full_release_with_canaries(it: Operator) {
    for version in [SECOND, "3"] {
        let canary = it.start(Kind::Canary, Some(version)).await;
        assert_eq!(it.verdict(&canary).await, "passed");
    }
    let taken_over = it.world.fleet(SECOND, InstanceState::Running);
    let spare = it.world.fleet(SECOND, InstanceState::Stopped);
    let release = it.start(Kind::Full, Some(SECOND)).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    is_gone(&it.world, "3");
    let fleet = it.world.fleet(SECOND, InstanceState::Running);
    assert!(taken_over.iter().chain(&spare).all(|id| fleet.contains(id)), "{taken_over:?} {spare:?}");
    let launched: u32 = it.world.launched().values().sum();
    assert_eq!(launched, 2 + 3, "two canaries, and what was missing: {:?}", it.world.launched());
}

/// A batch comes short, an instance dies before it serves, a hook fails once, answers are lost, a person pauses
/// it and another agrees that there is no way back; an old server dies with its boards, a closed one takes one
/// again, and Prometheus is away for a while.
pub(crate) async fn full_release_in_bad_times(it: Operator) {
    it.world.write_anew(SECOND);
    it.world.next_fates(&[Fate::Short, Fate::Well, Fate::Well, Fate::Dies]);
    let choke = it.world.choke();
    choke.add(Method::Configure, Nth::Only(2), What::FailAfter);
    for method in [Method::Register, Method::SetWeights, Method::Close, Method::Stop] {
        choke.add(method, Nth::Only(1), What::FailAfter);
    }
    choke.add(Method::Launch, Nth::Only(2), What::Refuse("no capacity".to_owned()));
    choke.add(Method::Activate, Nth::Only(5), What::Refuse("busy".to_owned()));
    choke.add(Method::Prepare, Nth::Only(4), What::FailAfter);
    let release = it.start(Kind::Full, Some(SECOND)).await;
    paused_for_a_while(&it, &release).await;
    agreed_to(&it, &release).await;
    it.until_in(&release, Step::Handover).await;
    let old = it.world.fleet(FIRST, InstanceState::Running);
    it.world.die(old.last().expect("old servers run"));
    blind_for_a_while(&it, &release).await;
    a_closed_server_takes_a_board(&it, &release, old.first().expect("old servers run")).await;
    assert_eq!(it.verdict(&release).await, "released");
    the_second_version_took_over(&it);
    assert_eq!(it.world.launched().values().sum::<u32>(), 5, "{:?}", it.world.launched());
}

async fn paused_for_a_while(it: &Operator, release: &ReleaseId) {
    it.until_in(release, Step::Launch).await;
    it.say(release, Word::Pause).await;
    sleep(Duration::from_secs(8)).await;
    assert!(!it.state(release).await.is_done(Step::Admit), "it went on in the pause");
    it.say(release, Word::Resume).await;
}

async fn agreed_to(it: &Operator, release: &ReleaseId) {
    it.until(release, |state| matches!(state.stance, Stance::Asking { .. })).await;
    it.say(release, Word::Promote).await;
}

async fn blind_for_a_while(it: &Operator, release: &ReleaseId) {
    it.world.forget_series();
    sleep(Duration::from_secs(8)).await;
    assert!(!it.state(release).await.is_done(Step::Handover), "it went on blind");
    it.world.scrape_again();
}

/// Somebody who knew the address comes back to a server that had been found empty.
async fn a_closed_server_takes_a_board(it: &Operator, release: &ReleaseId, id: &InstanceId) {
    it.until(release, |state| state.zeros.contains_key(id)).await;
    it.world.open_board_on(id);
}
