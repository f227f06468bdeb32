//! What the engine asks of the outside world: one small trait for each outside system, whole values in and
//! out, held as `Arc<dyn _>`. Every port has a stateful fake in `crate::fakes` and one contract suite that
//! the fake and the real adapter both pass.
//!
//! A port makes one try. Retries, their jitter and their limits live in [`crate::retry`] and nowhere else.

mod boards;
mod cloud;
#[cfg(any(test, feature = "fakes"))]
pub mod contract;
mod error;
mod hooks;
mod load_balancer;
mod metrics;
mod notify;
mod permissions;
mod time;

pub use boards::{
    AttachPlan, Boards, Delta, EndOf, ItemOutcome, MoveItem, Prepared, Sealed, StandbyTerms, Target,
};
pub use cloud::{Cloud, ImageQuery};
pub use error::{CallError, Class, chain};
pub(crate) use error::{WHAT_MAX_BYTES, brief};
pub use hooks::Hooks;
pub use load_balancer::LoadBalancer;
pub use metrics::BoardMetrics;
pub use notify::Notifier;
pub use permissions::{Answer, Described, Permissions, Question};
pub use time::{Clock, Entropy, Moment};
