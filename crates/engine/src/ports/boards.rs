//! The application's side of a move: the handover contract, one method for each call.

use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::{AppStatus, BoardRow};
use segue_domain::ids::{BoardId, EffectId, InstanceId, MoveId, Route};

use super::CallError;

/// Where an instance is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub instance: InstanceId,
    /// Its private address, without port.
    pub address: String,
    /// Highest generation this daemon may use: the lease's epoch. A server refuses a lower one than it has seen.
    pub generation: u64,
}

/// The control contract (`handover.md`). Every call is idempotent by move.
#[async_trait]
pub trait Boards: Send + Sync {
    async fn status(&self, at: &Target) -> Result<AppStatus, CallError>;

    /// Every board of the server, all pages.
    async fn boards(&self, at: &Target) -> Result<Vec<BoardRow>, CallError>;

    /// How many boards the ownership table, read through `at`, gives to `dead`.
    async fn owned_by(&self, at: &Target, dead: &InstanceId) -> Result<u64, CallError>;

    async fn open(&self, at: &Target, route: Option<&Route>) -> Result<(), CallError>;

    async fn close(&self, at: &Target) -> Result<(), CallError>;

    /// `id` is what the server knows the drain by: the same one again changes nothing.
    async fn drain(&self, at: &Target, id: &EffectId, rate_per_s: u32) -> Result<(), CallError>;

    /// Item by item, in the order asked.
    async fn prepare(
        &self,
        at: &Target,
        items: &[MoveItem],
        terms: StandbyTerms,
    ) -> Result<Vec<ItemOutcome<Prepared>>, CallError>;

    async fn offer(&self, at: &Target, offers: &[AttachPlan]) -> Result<Vec<ItemOutcome<()>>, CallError>;

    async fn seal(&self, at: &Target, item: &MoveItem, ttl: Duration) -> Result<Sealed, CallError>;

    /// The epoch under which the new server holds the board.
    async fn activate(&self, at: &Target, item: &MoveItem, sealed: &Sealed) -> Result<u64, CallError>;

    /// Tells either side that the move is over, or that it was called off.
    async fn end(&self, at: &Target, moves: &[(MoveId, BoardId)], outcome: EndOf) -> Result<(), CallError>;
}

/// One board's move, as both servers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveItem {
    pub id: MoveId,
    pub board: BoardId,
    pub from_epoch: u64,
}

/// How a new server keeps boards ready, and how fast it lets their clients in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyTerms {
    pub ttl: Duration,
    /// The most attaches that the server admits in a second, all boards together.
    pub attach_rate_per_s: u32,
}

/// What a new server says of a board that it has got ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub seq: u64,
    /// Opaque: the old server's clients use it.
    pub connect: String,
}

/// What an old server's clients are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachPlan {
    pub item: MoveItem,
    pub connect: String,
    pub rate_per_s: u32,
    /// Without a switch by then, clients stay where they are and close what they have opened at the new server.
    pub deadline: Duration,
}

/// A sealed board: what the new server needs to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub final_seq: u64,
    /// The contract's delta, passed on unread.
    pub delta: Option<Delta>,
    pub digest: String,
}

/// Opaque JSON text from the old server to the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta(pub String);

/// One item of a plural call: done, or why not.
pub type ItemOutcome<T> = Result<T, String>;

/// How a move ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOf {
    Release,
    Abort,
}
