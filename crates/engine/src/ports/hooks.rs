//! What an operator attached to a release.

use async_trait::async_trait;
use segue_domain::service::WarmSpec;

use super::{CallError, Target};

/// Commands and requests that get an instance ready.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Runs the configured command for one instance; its exit code decides. Must be safe to repeat.
    async fn configure(&self, at: &Target, command: &[String]) -> Result<(), CallError>;

    /// Sends requests until the answers are fast enough; refused when they never were.
    async fn warm_up(&self, at: &Target, spec: &WarmSpec) -> Result<(), CallError>;
}
