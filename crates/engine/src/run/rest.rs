//! How long a release's loop rests between two looks. What makes it earlier is not told here.

use std::time::Duration;

use tokio::time::Instant;

/// The part of a tick that is rested after every look, however long it took.
const REST_AT_LEAST: u32 = 4;

/// How long to the next look: a tick after the last one began. A look at thousands of servers takes longer than that:
/// some of a tick is rested all the same.
pub(super) fn rest_after(looked: Instant, tick: Duration) -> Duration {
    tick.saturating_sub(looked.elapsed()).max(tick / REST_AT_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_tick_counts_from_the_look_and_some_of_it_is_rested_after_the_longest() {
        let looked = Instant::now();
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(rest_after(looked, TICK), Duration::from_millis(600));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(rest_after(looked, TICK), Duration::from_millis(250));
    }
}
