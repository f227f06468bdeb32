//! What goes over the wire between the store and its clients: frames of a four-byte length and
//! JSON, many in flight on one connection, answered by `id`.
//!
//! Every request may be sent twice: the second time it finds its own effect and says the same. That
//! is what lets a client whose connection broke simply ask again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::codec::LengthDelimitedCodec;

/// The longest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

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

/// One edit in a board's log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the board's log: 1, 2, 3 …
    pub seq: u64,
    /// Who made it.
    pub client: Arc<str>,
    /// Its number at that client: 1, 2, 3 …
    pub cseq: u64,
    /// The epoch under which it was written.
    pub epoch: u64,
    /// The edit itself; the store never looks into it.
    pub payload: Arc<RawValue>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.seq, self.cseq, self.epoch) == (other.seq, other.cseq, other.epoch)
            && self.client == other.client
            && self.payload.get() == other.payload.get()
    }
}

/// The ownership row of a board, with what is known of its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// 0 before anybody owned the board.
    pub epoch: u64,
    /// Nobody, when the board is closed.
    pub owner: Option<Owner>,
}

/// The server that owns a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub server: String,
    /// What clients use to get there; unknown until the server's first heartbeat.
    pub connect: Option<String>,
    /// False when its heartbeats have stopped for longer than the liveness rule allows.
    pub alive: bool,
}

/// Whose board a claim may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Only one that nobody owns, or whose owner is dead: what the front door does.
    NobodyAlive,
    /// Anybody's: the commit of a planned move, and an old server taking its board back.
    Anybody,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `server` lives, and is reached by `connect`.
    Heartbeat { server: String, connect: String },
    /// The ownership row of a board.
    Ownership { board: String },
    /// Compare-and-set of the row from `from_epoch` to `from_epoch + 1`, owned by `server`.
    Claim { board: String, server: String, from_epoch: u64, over: Over },
    /// Fenced append: only by the owner, at its epoch, and exactly behind the log's end.
    Append { board: String, server: String, epoch: u64, entries: Vec<Entry> },
    /// The owner gives the board to nobody; its epoch stays.
    Release { board: String, server: String, epoch: u64 },
    /// A page of the log behind `after_seq`.
    Load { board: String, after_seq: u64 },
    /// A page of the boards that the table gives to `server`, in order, behind `after`.
    Owners { server: String, after: Option<String> },
    /// A page of all logs, in order of (board, seq), behind `after`.
    Dump { after: Option<(String, u64)> },
}

/// What is answered when it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Done, and there is nothing to tell.
    Done,
    /// To `Ownership`.
    Ownership(Ownership),
    /// To `Claim`: the epoch that was won.
    Claimed { epoch: u64 },
    /// To `Append`: the log's last number.
    Appended { last_seq: u64 },
    /// To `Load`.
    Log(LogPage),
    /// To `Owners`.
    Boards(BoardsPage),
    /// To `Dump`.
    Dumped(DumpPage),
}

/// A page of one board's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    pub entries: Vec<Entry>,
    /// True when the log goes on behind this page.
    pub more: bool,
    /// The epoch of the ownership row when this page was read.
    pub epoch: u64,
    /// On the last page only: each client's last `cseq`, as of this page's end.
    pub last_cseq: BTreeMap<Arc<str>, u64>,
}

/// A page of board names with their epochs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardsPage {
    pub boards: Vec<(String, u64)>,
    /// True when there are boards behind this page.
    pub more: bool,
}

/// A page of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DumpPage {
    /// Parts of logs; one board may go on at the head of the next page.
    pub logs: Vec<(String, Vec<Entry>)>,
    /// What to ask for next; none at the end.
    pub next: Option<(String, u64)>,
}

/// Why the store did not do what was asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The compare-and-set found another epoch or an owner that may not be overruled.
    #[error("the board is at epoch {}", .0.epoch)]
    Held(Ownership),
    /// The writer is not the owner at this epoch any more.
    #[error("the writer lost the board, which is at epoch {epoch}")]
    Fenced { epoch: u64 },
    /// The append does not begin right behind the log's end.
    #[error("the log goes on at {expected}")]
    NotContiguous { expected: u64 },
    /// A broken promise of the application: stored, it would be an edit lost or doubled.
    #[error("the write would break the log: {what}")]
    Violation { what: String },
    /// A limit of the store.
    #[error("the store takes no more: {what}")]
    Full { what: String },
}
