//! What every implementation of a port must do, as suites: the fakes pass them here, the real adapters on the
//! sandbox. A suite changes the world that it is given, and panics with a sentence when a promise is broken.

mod boards;
mod cloud;
mod load_balancer;
mod metrics;

use std::time::Duration;

pub use boards::{BoardsFixture, boards};
pub use cloud::{CloudFixture, cloud};
pub use load_balancer::{LoadBalancerFixture, load_balancer};
pub use metrics::{MetricsFixture, metrics};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until a look is satisfied, for as long as `patience`: the outside shows what was done when it likes.
async fn eventually<F: Future<Output = bool>>(what: &str, patience: Duration, look: impl Fn() -> F) {
    let waited = async {
        while !look().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    let seen = tokio::time::timeout(patience, waited).await;
    assert!(seen.is_ok(), "{what}: not seen within {} ms", patience.as_millis());
}

#[cfg(test)]
mod tests;
