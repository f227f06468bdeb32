//! Telling people. It never blocks or fails a release.

use async_trait::async_trait;

use super::CallError;

/// Somebody who wants to know.
#[async_trait]
pub trait Notifier: Send + Sync {
    async fn announce(&self, line: &str) -> Result<(), CallError>;
}
