//! Daemons that stop, and those that take over from them.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::instance::InstanceState;
use segue_domain::refusal::Refusal;
use segue_engine::fakes::{Life, Method, Nth, SECOND, What};
use segue_engine::ports::Class;
use segue_engine::{AskError, Engine};
use tokio::time::{sleep, timeout};

use crate::daemons::{Place, full_release, rollback, until};
use crate::endings::{lawful, serves};

#[tokio::test(start_paused = true)]
async fn a_daemon_that_stops_gives_the_lease_back_at_once() {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    let release = full_release(&first).await.expect("it takes it");
    until(&first, &release, |state| !state.launched().is_empty()).await;
    first.stop().await;
    let second = place.daemon("second", &Life::new());
    assert!(timeout(Duration::from_secs(2), second.leading()).await.is_ok(), "the lease was not given back");
    until(&second, &release, |state| state.verdict().is_some()).await;
    lawful(&place.world);
    serves(&place.world, SECOND, "b", 3);
}

/// Tells a daemon to stop while something of it takes for ever: the lease is given back all the same.
async fn stops_in_time(place: &Place, daemon: &Engine) {
    daemon.stop().await;
    let second = place.daemon("second", &Life::new());
    assert!(timeout(Duration::from_secs(2), second.leading()).await.is_ok(), "the lease was not given back");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_long_keeps_no_daemon_from_giving_the_lease_back() {
    let place = Place::new();
    let first = Arc::new(place.daemon("first", &Life::new()));
    first.leading().await;
    place.world.choke().add(Method::Append, Nth::Each, What::Late(Duration::from_hours(1)));
    let asking = Arc::clone(&first);
    let asked = tokio::spawn(async move { full_release(&asking).await });
    sleep(Duration::from_secs(1)).await;
    stops_in_time(&place, &first).await;
    let answer = asked.await.expect("nothing broke down");
    assert!(matches!(answer, Err(AskError::NotKnown { .. })), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn old_servers_that_take_long_to_look_at_keep_no_daemon_from_giving_the_lease_back() {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    let release = full_release(&first).await.expect("it takes it");
    until(&first, &release, |state| state.verdict().is_some()).await;
    place.world.choke().add(Method::Instances, Nth::Each, What::Late(Duration::from_hours(1)));
    sleep(Duration::from_secs(12)).await;
    stops_in_time(&place, &first).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_long_is_left_off_when_the_daemon_is_to_stop() {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    full_release(&first).await.expect("it takes it");
    place.world.choke().add(Method::Instances, Nth::Each, What::Late(Duration::from_secs(29)));
    sleep(Duration::from_secs(5)).await;
    assert!(timeout(Duration::from_secs(1), first.stop()).await.is_ok(), "it waited for its look");
}

/// A place in which a release has ended, and no daemon lives any more.
async fn after_a_release() -> Place {
    let place = Place::new();
    let first = place.daemon("first", &Life::new());
    first.leading().await;
    let release = full_release(&first).await.expect("it takes it");
    let mut watch = first.watch(&release).await.expect("it is on");
    until(&first, &release, |state| state.verdict().is_some()).await;
    sleep(Duration::from_secs(1)).await;
    let last = watch.borrow_and_update().clone();
    assert!(last.state.verdict().is_some() && last.world.is_none(), "what it saw last is kept for ever");
    first.stop().await;
    place
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_release_over_reads_no_earlier_one_before() {
    let place = after_a_release().await;
    let (first, second) = (place.daemon("first", &Life::new()), place.daemon("second", &Life::new()));
    first.leading().await;
    let release = rollback(&first).await.expect("it takes it");
    first.stop().await;
    let before = place.world.choke().calls(Method::Page);
    second.leading().await;
    let read = place.world.choke().calls(Method::Page) - before;
    assert_eq!(read, 2, "the service's stream and that of the release that is on");
    until(&second, &release, |state| state.verdict().is_some()).await;
    sleep(Duration::from_mins(30)).await;
    assert!(place.world.fleet(SECOND, InstanceState::Stopped).is_empty(), "it is cleared up all the same");
    lawful(&place.world);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_release_that_cannot_be_read_lets_nothing_begin_until_it_can() {
    let place = after_a_release().await;
    let second = place.daemon("second", &Life::new());
    second.leading().await;
    place.world.choke().add(Method::Page, Nth::Each, What::FailBefore(Class::Bug));
    sleep(Duration::from_mins(1)).await;
    let trouble = || second.services().into_iter().find_map(|it| it.trouble);
    assert!(trouble().is_some_and(|why| why.contains("boards-1")), "{:?}", trouble());
    let refused = rollback(&second).await;
    assert!(matches!(refused, Err(AskError::Refused(Refusal::CannotSee { .. }))), "{refused:?}");
    place.world.choke().heal(Method::Page);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(trouble(), None);
    rollback(&second).await.expect("it can be read again");
}
