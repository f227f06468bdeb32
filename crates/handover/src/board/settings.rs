//! What is the same for all boards of a server.

use std::fmt;
use std::time::Duration;

use super::history::History;
use crate::auth::Key;
use crate::document::NewDocument;
use crate::wire::{BoardId, Level, OLD_SOCKET_GRACE_MS, ServerId};

/// Bounds of one board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardLimits {
    /// Durable edits that are kept as edits, for clients that are a little behind and for deltas.
    pub recent_edits: usize,
    /// Edits that are applied and not durable; above it clients are sent away until the store is back.
    pub undurable_edits: usize,
    /// Edits sent one by one to a client that is behind; above it the client gets a snapshot.
    pub resume_updates: usize,
    /// Connections.
    pub connections: usize,
    /// Edits in one write.
    pub write_edits: usize,
    /// Payload bytes in one write (one larger edit still goes, alone).
    pub write_bytes: usize,
    /// How long an open board without clients stays.
    pub linger: Duration,
    /// How long clients that did not follow stay on the old server.
    pub grace: Duration,
}

impl Default for BoardLimits {
    fn default() -> Self {
        Self {
            recent_edits: 512,
            undurable_edits: 4_096,
            resume_updates: 128,
            connections: 5_000,
            write_edits: 512,
            write_bytes: 512 * 1024,
            linger: Duration::from_secs(1),
            grace: Duration::from_millis(OLD_SOCKET_GRACE_MS),
        }
    }
}

/// The server that the boards are on.
pub(crate) struct Settings {
    pub(crate) server: ServerId,
    pub(crate) key: Key,
    pub(crate) version: String,
    pub(crate) level: Level,
    pub(crate) limits: BoardLimits,
    pub(crate) new_document: NewDocument,
}

impl Settings {
    pub(crate) fn empty_history(&self, board: &BoardId) -> History {
        History::new((self.new_document)(board), self.limits.recent_edits)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("server", &self.server)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
