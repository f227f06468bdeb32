//! What every implementation of a port must do, as suites: the fakes pass them here, the real adapters on the
//! sandbox. A suite changes the world that it is given, and panics with a sentence when a promise is broken.
//!
//! The suites of cloud and load balancer are lists of cases, each of which can be tried by itself: another stand-in
//! for AWS keeps some of them.

mod boards;
mod cloud;
mod load_balancer;
mod metrics;
mod permissions;
mod strangers;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

pub use boards::{BoardsFixture, boards};
pub use cloud::{CLOUD, CloudFixture, cloud};
pub use load_balancer::{LOAD_BALANCER, LoadBalancerFixture, load_balancer};
pub use metrics::{MetricsFixture, metrics};
pub use permissions::{PermissionsFixture, permissions};

/// One promise of a port, by the name of the function that tries it.
#[derive(Debug)]
pub struct Case<P: ?Sized, F> {
    pub name: &'static str,
    /// Panics when the promise is broken.
    pub holds: fn(Arc<P>, F) -> LocalBoxFuture<'static, ()>,
}

/// A list of cases: functions of a port and a fixture.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        &[$(Case {
            name: stringify!($case),
            holds: |port, fixture| Box::pin(async move { $case(port.as_ref(), &fixture).await }),
        }),+]
    };
}
use cases;

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
