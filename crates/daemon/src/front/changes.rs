//! Waiting for something that may have changed. What changed, the waiter looks up.

use std::sync::Arc;
use std::time::Duration;

use segue_engine::Watch;
use segue_journal::Record;
use tokio::sync::{broadcast, watch};

/// Looks are made at least this often: another daemon may append, and its signals do not come here.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The signals of appended records, and of what the engine sees of one release.
pub(crate) struct Changes {
    events: Option<broadcast::Receiver<Arc<Record>>>,
    watch: Option<watch::Receiver<Watch>>,
}

/// A source that ended must not be asked again: it would answer at once, for ever.
enum Woken {
    Change,
    EventsEnded,
    WatchEnded,
}

impl Changes {
    /// What happens from here on is a change.
    pub(super) fn new(
        events: broadcast::Receiver<Arc<Record>>,
        mut watch: Option<watch::Receiver<Watch>>,
    ) -> Self {
        if let Some(watch) = &mut watch {
            watch.mark_unchanged();
        }
        Self { events: Some(events), watch }
    }

    /// Comes back when something may have changed. Safe to drop and call again.
    pub(crate) async fn next(&mut self) {
        let Self { events, watch } = self;
        let appended = async {
            match events {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        let seen = async {
            match watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        let woken = tokio::select! {
            received = appended => match received {
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => Woken::Change,
                Err(broadcast::error::RecvError::Closed) => Woken::EventsEnded,
            },
            seen = seen => if seen.is_ok() { Woken::Change } else { Woken::WatchEnded },
            () = tokio::time::sleep(LOOK_EVERY) => Woken::Change,
        };
        match woken {
            // One look serves all that came so far.
            Woken::Change => self.events = self.events.take().map(|events| events.resubscribe()),
            Woken::EventsEnded => self.events = None,
            Woken::WatchEnded => self.watch = None,
        }
    }
}
