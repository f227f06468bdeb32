//! What the application's own database must be able to do: ownership rows, fenced writes, heartbeats.
//!
//! The trait is the whole of it. The promises of the contract rest on two of its operations: `claim` is
//! a compare-and-set, and `append` is refused under a wrong epoch *and* at a wrong place. A store that passes
//! [`contract::check`] keeps them. This module decides nothing about boards.

pub mod contract;
pub mod memory;

use async_trait::async_trait;

use crate::wire::{BoardId, Connect, Entry, Epoch, OwnersPage, Seq, ServerId};

/// What the ownership table says of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 0 for a board that nobody has ever owned.
    pub epoch: Epoch,
    pub owner: Option<Owner>,
    /// The board's last durable edit.
    pub last_seq: Seq,
}

/// Who owns a board, with the application's own word on whether it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub server: ServerId,
    pub liveness: Liveness,
    /// As published by the owner's last heartbeat: `{board}` in it stands for the board.
    pub connect: Option<Connect>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// Its last heartbeat is too old by the store's clock, or it never sent one.
    Dead,
}

/// Answer of a compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The asking server owns the board under `epoch`; nobody can write under a lower one any more, so
    /// `last_seq` is final until this owner writes.
    Claimed { epoch: Epoch, last_seq: Seq },
    /// The row is not at the expected epoch.
    Held(Row),
}

/// Answer of a fenced write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// Everything up to here is durable.
    Appended { last_seq: Seq },
    /// The epoch is not the row's. Nothing was written.
    Fenced(Row),
    /// The epoch is right and the place is wrong: the log ends at `last_seq`. Nothing was written.
    /// After an answer that was lost this says whether the write had happened.
    OutOfPlace { last_seq: Seq },
}

/// Answer of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Nobody owns the board now; its epoch stays.
    Released,
    /// The epoch is not the row's, or the row is not this server's. Nothing was changed.
    Fenced(Row),
}

/// A part of a board's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Contiguous, beginning right after the asked place. A store may send fewer than there are, but
    /// at least one when there is one.
    pub entries: Vec<Entry>,
    /// The last edit in the log, on this page or not.
    pub last_seq: Seq,
}

/// The store did not do its work, or its answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It may or may not have been done. Every operation can be repeated.
    #[error("the store gave no answer: {0}")]
    Unavailable(String),
    /// The store says that the request makes no sense.
    #[error("the store refused: {0}")]
    Refused(String),
}

/// The application's database, as far as the handover needs it. Every operation is bounded in time by
/// the implementation, and may be repeated when its answer was lost.
#[async_trait]
pub trait BoardStore: Send + Sync + 'static {
    /// The ownership row; epoch 0 and no owner for a board that was never owned.
    async fn row(&self, board: &BoardId) -> Result<Row, StoreError>;

    /// Compare-and-set from `expect` to `expect + 1`, whoever owns the row. When the row is already at
    /// `expect + 1` and owned by `server`, the answer is `Claimed` again: the claim whose answer was lost.
    /// Whoever calls must therefore have seen the row at `expect` in its own lifetime.
    async fn claim(&self, board: &BoardId, expect: Epoch, server: &ServerId) -> Result<Claim, StoreError>;

    /// The log after `after`.
    async fn load(&self, board: &BoardId, after: Seq) -> Result<Page, StoreError>;

    /// Writes contiguous `entries`, all or none: only while the row is at `epoch` *and* the log ends
    /// right before the first of them.
    async fn append(&self, board: &BoardId, epoch: Epoch, entries: &[Entry]) -> Result<Append, StoreError>;

    /// Gives ownership up. Repeating it is harmless.
    async fn release(&self, board: &BoardId, epoch: Epoch, server: &ServerId) -> Result<Release, StoreError>;

    /// One page of the boards that `server` owns, in the order of their ids, after `cursor`.
    async fn owners(
        &self,
        server: &ServerId,
        cursor: Option<&BoardId>,
        limit: u32,
    ) -> Result<OwnersPage, StoreError>;

    /// Gives up to so many boards of owners that are long dead to nobody; their epochs stay. Says how many there
    /// were.
    ///
    /// Long: much longer than the liveness rule, ten times it or a minute. Whoever is asked for a board claims it
    /// as soon as the rule allows; this has no hurry. And not because of what the database did not hear: when it,
    /// or the way to it, stood still, everybody seems silent, so it frees nothing until everybody has had one
    /// liveness period in which to speak again. It is asked often, by every server: look for such owners first, and
    /// for their boards only when there are any.
    ///
    /// Users who come back have their boards claimed by the server they reach. This is for the boards that
    /// nobody comes back to: as long as the table names a dead owner, nobody can know that it is not needed any
    /// more. A wrong suspicion loses nothing: who has no row cannot write, and takes the board back by a claim
    /// when it notices. A store that cannot do it does nothing, and such rows stay until somebody visits.
    async fn release_dead(&self, _limit: u32) -> Result<u32, StoreError> {
        Ok(0)
    }

    /// `server` lives, and its boards are found at `connect` (`{board}` stands for the board).
    async fn heartbeat(&self, server: &ServerId, connect: Option<&Connect>) -> Result<(), StoreError>;
}
