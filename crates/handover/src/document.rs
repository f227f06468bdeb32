//! What a board holds. The library keeps the order of edits; what they mean is the application's.

use std::sync::Arc;

use crate::wire::{BoardId, Entry, Payload};

/// A board's content, built from its edits in their order. Everything in here must be determined by
/// them alone: two servers that applied the same edits must hold the same content.
pub trait Document: Send + 'static {
    /// Takes in the next edit. Called under the board's lock: microseconds, no input or output.
    fn apply(&mut self, entry: &Entry);

    /// The whole content for a client that is too far behind, in the application's JSON.
    fn state(&self) -> Payload;

    /// What it takes in memory, roughly.
    fn size_bytes(&self) -> usize;
}

/// Makes the empty content of a board.
pub type NewDocument = Arc<dyn Fn(&BoardId) -> Box<dyn Document> + Send + Sync>;
