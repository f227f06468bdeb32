//! One source, three views: each record that was appended is a log line, an event for pages and streams, and
//! what followers of the journal count.

use std::sync::Arc;

use segue_journal::Record;
use segue_journal::view::sentence;
use tokio::sync::broadcast;

/// Records that a slow reader may be behind; then it is told how many it missed and reads the journal.
const BEHIND_MAX: usize = 1_024;

/// Tells everybody what was appended.
#[derive(Debug, Clone)]
pub(crate) struct Herald {
    events: broadcast::Sender<Arc<Record>>,
}

impl Herald {
    pub(crate) fn new() -> Self {
        Self { events: broadcast::Sender::new(BEHIND_MAX) }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Record>> {
        self.events.subscribe()
    }

    pub(crate) fn tell(&self, records: Vec<Record>) {
        for record in records {
            let line = sentence(&record.fact);
            tracing::info!(stream = %record.stream, seq = record.seq, actor = %record.actor, "{line}");
            // Nobody listens: that is nobody's failure.
            drop(self.events.send(Arc::new(record)));
        }
    }
}
