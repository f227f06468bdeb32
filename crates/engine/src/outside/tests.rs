//! What a call gets from the way out.

use super::*;
use crate::fakes::FakeWorld;
use crate::ports::Class;

async fn outside(limits: Limits) -> Outside {
    FakeWorld::new().outside(limits, Duration::from_secs(30)).await
}

const CALL: Call = Call::new("cloud", "instances");

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends_in_time_and_may_have_happened() {
    let outside = outside(Limits::default()).await;
    let error = outside.read(CALL, std::future::pending::<Result<(), _>>()).await.unwrap_err();
    assert_eq!(error.class, Class::Unknown);
    assert_eq!(error.what, "cloud.instances gave no answer within 5000 ms");
    assert_eq!(outside.stats.rows()[&CALL].unknown, 1);
}

fn narrow() -> Limits {
    Limits { readings_at_once: 1, deeds_at_once: 1, ..Limits::default() }
}

async fn takes(seconds: u64) -> Result<(), CallError> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_was_never_sent() {
    let outside = outside(narrow()).await;
    let limit = Duration::from_secs(8);
    let first = outside.ask(Line::Reading, CALL, limit, takes(7));
    let (first, second) = tokio::join!(first, outside.read(CALL, takes(0)));
    assert_eq!(first, Ok(()));
    assert_eq!(second.unwrap_err().class, Class::Retry);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_place_and_the_answer_are_over_within_one_limit() {
    let outside = outside(narrow()).await;
    let (limit, began) = (Duration::from_secs(8), Instant::now());
    let slow = outside.ask(Line::Deed, CALL, limit, takes(7));
    let (_, second) = tokio::join!(slow, outside.ask(Line::Deed, CALL, limit, takes(7)));
    assert_eq!(second.unwrap_err().class, Class::Unknown);
    assert!(began.elapsed() <= limit, "it outlived what the lease was asked for: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_ends_a_wait_stands_behind_nobody() {
    let outside = outside(narrow()).await;
    let (limit, began) = (Duration::from_mins(10), Instant::now());
    let deed = outside.ask(Line::Deed, CALL, limit, takes(100));
    let relief = async {
        let done = outside.relieve(CALL, Duration::from_secs(1), || takes(0)).await;
        (done, began.elapsed())
    };
    let (_, (done, waited)) = tokio::join!(deed, relief);
    assert_eq!((done, waited), (Ok(()), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn neither_readings_nor_hooks_take_the_place_of_a_deed() {
    let outside = outside(narrow()).await;
    let limit = Duration::from_mins(10);
    let began = Instant::now();
    let deed = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let done = outside.ask(Line::Deed, CALL, limit, takes(0)).await;
        (done, began.elapsed())
    };
    let reading = outside.ask(Line::Reading, CALL, limit, takes(100));
    let hook = outside.ask(Line::Hook, CALL, limit, takes(500));
    let (.., (done, waited)) = tokio::join!(reading, hook, deed);
    assert_eq!(done, Ok(()));
    assert!(waited < Duration::from_secs(1), "it waited for {waited:?}");
}

/// Two requests are one call: the machine slept between them, and no timer has told yet.
#[tokio::test(start_paused = true)]
async fn who_slept_through_a_calls_time_sends_no_more_of_it() {
    let (slept, sent) = (std::cell::Cell::new(false), std::cell::Cell::new(0));
    let two_requests = async {
        sent.set(1);
        tokio::task::yield_now().await;
        sent.set(2);
    };
    let falls_asleep = async { slept.set(true) };
    let (answered, ()) = tokio::join!(unless(|| slept.get(), two_requests), falls_asleep);
    assert_eq!((answered, sent.get()), (None, 1));
}
