//! A daemon that holds the lease and cannot work leaves it to one that can.

use std::time::Duration;

use segue_engine::fakes::{Life, Method, Nth, SECOND, What};
use segue_engine::ports::Class;
use tokio::time::{sleep, timeout};

use crate::daemons::{Place, full_release, until};
use crate::endings::{lawful, serves};

/// Two daemons of one place, of which the first has the lease and cannot use this method.
async fn one_is_cut_off(place: &Place, method: Method) {
    let life = Life::new();
    life.cut_off(method);
    let first = place.daemon("first", &life);
    sleep(Duration::from_secs(1)).await;
    let second = place.daemon("second", &Life::new());
    drop(timeout(Duration::from_secs(1), full_release(&first)).await);
    let taken = timeout(Duration::from_mins(1), second.leading()).await;
    assert!(taken.is_ok(), "who cannot work keeps the lease from who can: {:?}", second.waits_for());
    let release = full_release(&second).await.expect("it takes it");
    until(&second, &release, |state| state.verdict().is_some()).await;
    assert!(!first.is_leading());
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_cannot_read_the_journal_leaves_it_to_one_that_can() {
    one_is_cut_off(&Place::new(), Method::Page).await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_whose_records_are_not_taken_leaves_the_journal_to_one_whose_are() {
    one_is_cut_off(&Place::new(), Method::Append).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_given_back_runs_out_before_it_is_asked_for_again() {
    let place = Place::new();
    place.world.choke().add(Method::GiveBack, Nth::Each, What::FailBefore(Class::Retry));
    one_is_cut_off(&place, Method::Page).await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stands_back_hears_that_it_is_to_stop() {
    let place = Place::new();
    place.world.choke().add(Method::Page, Nth::Each, What::FailBefore(Class::Retry));
    place.world.choke().add(Method::GiveBack, Nth::Each, What::FailBefore(Class::Retry));
    let daemon = place.daemon("only", &Life::new());
    sleep(Duration::from_secs(6)).await;
    assert_eq!(daemon.trouble().as_deref(), Some("the journal cannot be read"));
    assert!(timeout(Duration::from_secs(1), daemon.stop()).await.is_ok(), "it did not stop");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_whose_journal_has_gone_away_does_not_say_that_it_could_take_over() {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    let life = Life::new();
    let second = place.daemon("second", &life);
    let other = second.waiting().await;
    assert_eq!((other.as_str(), second.trouble()), ("first", None));
    life.cut_off(Method::Acquire);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((second.waits_for(), second.trouble().as_deref()), (None, Some("the journal gives no lease")));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_takes_over_what_a_newer_one_wrote_leaves_it_to_the_newer_one() {
    let place = Place::new();
    let newer_life = Life::new();
    let newer = place.daemon("newer", &newer_life);
    newer.leading().await;
    let life = Life::new();
    let older = place.daemon("older", &life);
    older.waiting().await;
    // It had looked when it was started. What comes now has words that it does not know.
    let release = full_release(&newer).await.expect("the newer one takes it");
    life.outdate();
    newer_life.kill();
    drop(newer);
    sleep(Duration::from_mins(1)).await;
    assert!(!older.is_leading(), "it works on what it does not understand");
    let trouble = older.trouble().expect("it says why");
    assert!(trouble.contains("this version reads up to"), "{trouble}");
    let again = place.daemon("newer", &Life::new());
    let led = timeout(Duration::from_secs(10), again.leading()).await;
    assert!(led.is_ok(), "it keeps the lease from the newer one");
    until(&again, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
}
