//! What goes over the wire between the store and its clients: frames of a four-byte length and
//! JSON, many in flight on one connection, answered by `id`.
//!
//! Every request may be sent twice without harm, and the second answer tells whether the first was
//! heard. That is what lets a client whose connection broke simply ask again.

use std::num::NonZeroU32;

use segue_handover::wire::{BoardId, Connect, Entry, Epoch, OwnersPage, Seq, ServerId};
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

/// The longest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// Requests of one connection that may be unanswered; the store reads no more until one is.
pub const MAX_IN_FLIGHT: usize = 1024;

/// The codec of both ends.
pub fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_codec()
}

/// One request with the number under which it is answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct RequestFrame {
    pub id: u64,
    pub request: Request,
}

/// The answer to the request of the same `id`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResponseFrame {
    pub id: u64,
    pub response: Result<Response, Refusal>,
}

/// The ownership row of a board, with what is known of its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// 0 before anybody owned the board.
    pub epoch: Epoch,
    /// Nobody, when the board is closed.
    pub owner: Option<Owner>,
    /// The end of the board's log.
    pub last_seq: Seq,
}

/// The server that owns a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub server: ServerId,
    /// What clients use to get there, as of the server's last heartbeat.
    pub connect: Option<Connect>,
    /// False when its heartbeats stopped for longer than the liveness rule allows, or never came.
    pub alive: bool,
}

/// A place in the dump: the board, and how much of its log was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub board: BoardId,
    pub told: usize,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `server` lives, and is reached by `connect`.
    Heartbeat { server: ServerId, connect: Option<Connect> },
    /// The ownership row of a board.
    Row { board: BoardId },
    /// Compare-and-set of the row from `expect` to `expect + 1`, owned by `server`.
    Claim { board: BoardId, expect: Epoch, server: ServerId },
    /// Fenced append: only at the row's epoch, and exactly behind the log's end.
    Append { board: BoardId, epoch: Epoch, entries: Vec<Entry> },
    /// The owner gives the board to nobody; its epoch stays.
    Release { board: BoardId, epoch: Epoch, server: ServerId },
    /// Up to `limit` boards of dead owners are nobody's from now on; their epochs stay.
    ReleaseDead { limit: NonZeroU32 },
    /// A page of the log behind `after`.
    Load { board: BoardId, after: Seq },
    /// A page of the boards that the table gives to `server`, in order, behind `cursor`.
    Owners { server: ServerId, cursor: Option<BoardId>, limit: NonZeroU32 },
    /// A page of all logs, in order of the boards, behind `after`.
    Dump { after: Option<Place> },
    /// A page of all changes of owner in the order in which they came, without the first `after`.
    Changes { after: u64 },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// To `Heartbeat`.
    Heard,
    /// To `Row`.
    Row(Ownership),
    /// To `Claim`: it is won, and nobody can write under a lower epoch any more.
    Claimed { epoch: Epoch, last_seq: Seq },
    /// To `Append`: all of it is durable.
    Appended { last_seq: Seq },
    /// To `Append`: the epoch is right, the place is wrong.
    OutOfPlace { last_seq: Seq },
    /// To `Release`.
    Released,
    /// To `ReleaseDead`: so many.
    ReleasedDead { boards: u32 },
    /// To `Claim`, `Append`, `Release`: the row is another; nothing was changed.
    Held(Ownership),
    /// To `Load`.
    Log(LogPage),
    /// To `Owners`.
    Owners(OwnersPage),
    /// To `Dump`.
    Dumped(DumpPage),
    /// To `Changes`.
    Changes(ChangesPage),
}

/// A page of one board's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// At least one, when there is one behind the asked place.
    pub entries: Vec<Entry>,
    /// The end of the log, on this page or not.
    pub last_seq: Seq,
}

/// A page of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpPage {
    /// Parts of logs; one board may go on at the head of the next page.
    pub logs: Vec<(BoardId, Vec<Entry>)>,
    /// What to ask for next; none at the end.
    pub next: Option<Place>,
}

/// A change of an ownership row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerChange {
    /// Milliseconds since the Unix epoch. What was in the file counts from when it was opened.
    pub at_ms: u64,
    pub board: BoardId,
    pub epoch: Epoch,
    pub owner: Option<ServerId>,
}

/// A page of the changes of owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPage {
    pub changes: Vec<OwnerChange>,
    /// What to ask for next; none at the end.
    pub next: Option<u64>,
}

/// Why the store did nothing: the request breaks a rule, whatever the row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A broken promise of the application: stored, it would be an edit lost or doubled.
    #[error("the write would break the log: {what}")]
    Violation { what: String },
    /// A limit of the store.
    #[error("the store takes no more: {what}")]
    Full { what: String },
}
