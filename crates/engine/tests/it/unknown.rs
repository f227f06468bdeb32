//! What somebody hears whose request may have been written and may not: never that nothing was changed.

use std::time::Duration;

use segue_domain::refusal::Refusal;
use segue_engine::AskError;
use segue_engine::fakes::{Life, Method, Nth, What};
use segue_engine::ports::Class;
use tokio::time::{sleep, timeout};

use crate::daemons::{Place, full_release, until};

#[tokio::test(start_paused = true)]
async fn a_release_whose_commit_was_not_answered_is_not_said_to_have_changed_nothing() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    // It is written, and nobody can be asked whether it was.
    place.world.choke().add(Method::Append, Nth::Each, What::FailAfter);
    place.world.choke().add(Method::Page, Nth::Each, What::FailBefore(Class::Retry));
    let asked = timeout(Duration::from_mins(1), full_release(&daemon)).await.expect("it ends with the term");
    let Err(error @ AskError::NotKnown { .. }) = asked else { panic!("{asked:?}") };
    assert_eq!(error.code(), "outcome-unknown");
    let told = "it is not known whether this was done: the lease was lost before the journal said whether it was \
                written";
    assert_eq!(error.to_string(), told);
    place.world.choke().heal(Method::Append);
    place.world.choke().heal(Method::Page);
    sleep(Duration::from_secs(30)).await;
    daemon.leading().await;
    let release = segue_domain::ids::ReleaseId::parse("boards-1").expect("a release");
    until(&daemon, &release, |state| state.verdict().is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_of_which_the_journal_took_nothing_is_said_to_have_changed_nothing() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    place.world.choke().add(Method::Append, Nth::Each, What::FailBefore(Class::Retry));
    let asked = timeout(Duration::from_mins(1), full_release(&daemon)).await.expect("it is given up");
    assert!(matches!(asked, Err(AskError::Refused(Refusal::NotServed { .. }))), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_was_not_answered_and_is_found_is_told_as_done() {
    let place = Place::new();
    let daemon = place.daemon("only", &Life::new());
    daemon.leading().await;
    place.world.choke().add(Method::Append, Nth::Only(1), What::FailAfter);
    full_release(&daemon).await.expect("it was written");
}
