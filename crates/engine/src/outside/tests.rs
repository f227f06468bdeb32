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

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_was_never_sent() {
    let outside = outside(Limits { calls_at_once: 1, ..Limits::default() }).await;
    let slow = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        Ok(())
    };
    let (first, second) =
        tokio::join!(outside.ask(CALL, Duration::from_secs(8), slow), outside.read(CALL, async { Ok(()) }),);
    assert_eq!(first, Ok(()));
    assert_eq!(second.unwrap_err().class, Class::Retry);
}
