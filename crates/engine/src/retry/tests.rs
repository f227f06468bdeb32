//! What is tried again and what is not.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::fakes::FakeWorld;
use crate::outside::Limits;

const CALL: Call = Call::new("cloud", "terminate");

async fn outside(lease: Duration) -> Outside {
    FakeWorld::new().outside(Limits::default(), lease).await
}

/// Answers each try with the next of `answers`, and counts them.
async fn tried(
    outside: &Outside,
    repeat: Repeat,
    answers: &[Result<(), CallError>],
) -> (Result<(), CallError>, u32) {
    let tries = AtomicU32::new(0);
    let result = outside
        .write(CALL, repeat, || {
            let index = usize::try_from(tries.fetch_add(1, Ordering::Relaxed)).expect("few tries");
            let answer = answers[index].clone();
            async move { answer }
        })
        .await;
    (result, tries.into_inner())
}

#[tokio::test(start_paused = true)]
async fn what_left_nothing_behind_is_tried_again_until_it_goes_through() {
    let outside = outside(Duration::from_mins(1)).await;
    let throttled = Err(CallError::retry("throttled"));
    let answers = [throttled.clone(), throttled, Ok(())];
    assert_eq!(tried(&outside, Repeat::NothingHappened, &answers).await, (Ok(()), 3));
}

#[tokio::test(start_paused = true)]
async fn tries_are_used_up() {
    let outside = outside(Duration::from_mins(1)).await;
    let answers = vec![Err(CallError::retry("throttled")); 4];
    let (result, tries) = tried(&outside, Repeat::NothingHappened, &answers).await;
    assert_eq!((result.unwrap_err().class, tries), (Class::Retry, 4));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_happened_is_repeated_only_when_the_other_side_knows_it_by_an_id() {
    let outside = outside(Duration::from_mins(1)).await;
    let answers = [Err(CallError::unknown("cut")), Ok(())];
    let (blind, tries) = tried(&outside, Repeat::NothingHappened, &answers).await;
    assert_eq!((blind.unwrap_err().class, tries), (Class::Unknown, 1));
    assert_eq!(tried(&outside, Repeat::KnownById, &answers).await, (Ok(()), 2));
}

#[tokio::test(start_paused = true)]
async fn after_a_try_that_may_have_happened_a_throttled_one_does_not_prove_that_nothing_did() {
    let outside = outside(Duration::from_mins(1)).await;
    let mut answers = vec![Err(CallError::retry("throttled")); 4];
    answers[0] = Err(CallError::unknown("cut"));
    let (result, _) = tried(&outside, Repeat::KnownById, &answers).await;
    assert_eq!(result.unwrap_err().class, Class::Unknown);
}

#[tokio::test(start_paused = true)]
async fn after_a_try_that_may_have_happened_a_refusal_does_not_prove_that_nothing_did() {
    let outside = outside(Duration::from_mins(1)).await;
    let answers = [Err(CallError::unknown("cut")), Err(CallError::refused("no room"))];
    let (result, tries) = tried(&outside, Repeat::KnownById, &answers).await;
    assert_eq!((result, tries), (Err(CallError::unknown("no room")), 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_lease_would_end_before_the_answer() {
    let outside = outside(Duration::from_secs(8)).await;
    let (result, tries) = tried(&outside, Repeat::KnownById, &[Ok(())]).await;
    assert_eq!(
        (result.unwrap_err().class, tries),
        (Class::Retry, 0),
        "what was not sent left nothing behind"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_not_repeated_because_the_lease_ends_may_still_have_happened() {
    let outside = outside(Duration::from_secs(10)).await;
    let cut = |outside: &Outside| {
        let left = outside.term.left();
        async move {
            tokio::time::sleep(left.saturating_sub(Duration::from_secs(2))).await;
            Err::<(), _>(CallError::unknown("cut"))
        }
    };
    let result = outside.write(CALL, Repeat::KnownById, || cut(&outside)).await;
    assert_eq!(result.unwrap_err().class, Class::Unknown);
}

#[tokio::test(start_paused = true)]
async fn refusals_and_broken_contracts_are_never_repeated() {
    let outside = outside(Duration::from_mins(1)).await;
    for error in [CallError::refused("forbidden"), CallError::bug("not JSON")] {
        let (result, tries) = tried(&outside, Repeat::KnownById, &[Err(error.clone())]).await;
        assert_eq!((result, tries), (Err(error), 1));
    }
}
