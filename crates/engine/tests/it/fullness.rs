//! A journal that is nearly full.

use segue_domain::decision::Reason;
use segue_domain::event::Word;
use segue_domain::ids::ReleaseId;
use segue_domain::state::Stance;
use segue_domain::step::Step;
use segue_engine::fakes::{FIRST, Life};
use segue_engine::{Engine, Rhythm};

use crate::daemons::{Place, full_release, until};
use crate::endings::{lawful, serves};
use crate::play::{begin_with, by};

/// A release on its way out whose journal is nearly full, held for it.
async fn nearly_full(place: &Place) -> (Engine, ReleaseId) {
    let rhythm = Rhythm { records_max: 1_000, ..Rhythm::default() };
    let named = ("only", &Life::new());
    let daemon = begin_with(&place.world, &place.store, place.world.service(), named, rhythm);
    daemon.leading().await;
    let release = full_release(&daemon).await.expect("it takes it");
    until(&daemon, &release, |state| state.is_done(Step::Admit)).await;
    daemon.say(&release, Word::Pause, by()).await.expect("a word");
    while last(&daemon, &release).await < 695 {
        daemon.say(&release, Word::Resume, by()).await.expect("a word");
        daemon.say(&release, Word::Pause, by()).await.expect("a word");
    }
    daemon.say(&release, Word::Resume, by()).await.expect("a word");
    until(&daemon, &release, |state| matches!(state.stance, Stance::Held { .. })).await;
    (daemon, release)
}

async fn last(daemon: &Engine, release: &ReleaseId) -> u64 {
    daemon.watch(release).await.expect("it is known").borrow().seq
}

async fn held_for(daemon: &Engine, release: &ReleaseId) -> String {
    let state = daemon.watch(release).await.expect("it is known").borrow().state.clone();
    if let Stance::Held { reason: Reason::CannotGoOn { why, .. }, .. } = &state.stance {
        return format!("on: {why}");
    }
    let Stance::Held { reason: Reason::CannotGoBack { why, .. }, .. } = &state.stance else {
        panic!("it is not held for that: {:?}", state.stance);
    };
    format!("back: {why}")
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_journal_is_nearly_full_holds_and_has_room_to_go_back() {
    let place = Place::new();
    let (daemon, release) = nearly_full(&place).await;
    let why = held_for(&daemon, &release).await;
    assert!(why.starts_with("on: its journal has ") && why.contains("of 1000 records"), "{why}");
    daemon.say(&release, Word::Abort, by()).await.expect("a person turns it back");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, FIRST, "a", 3);
}

#[tokio::test(start_paused = true)]
async fn the_way_back_leaves_the_room_for_the_end() {
    let place = Place::new();
    let (daemon, release) = nearly_full(&place).await;
    while last(&daemon, &release).await < 965 {
        daemon.say(&release, Word::Retry, by()).await.expect("a word");
        until(&daemon, &release, |state| matches!(state.stance, Stance::Held { .. })).await;
    }
    daemon.say(&release, Word::Abort, by()).await.expect("a person turns it back");
    until(&daemon, &release, |state| {
        state.verdict().is_some() || matches!(state.stance, Stance::Held { .. })
    })
    .await;
    let why = held_for(&daemon, &release).await;
    assert!(why.starts_with("back: its journal has 9"), "{why}");
}
