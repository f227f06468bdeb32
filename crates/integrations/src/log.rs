//! Telling people by a line in the log: the notifier of a daemon that was told of no other.

use async_trait::async_trait;
use segue_engine::ports::{CallError, Notifier};

/// Announces into the daemon's own log, and nowhere else.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNotifier;

#[async_trait]
impl Notifier for LogNotifier {
    async fn announce(&self, line: &str) -> Result<(), CallError> {
        tracing::info!(target: "segue::announce", "{line}");
        Ok(())
    }
}
