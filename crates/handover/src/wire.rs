//! The contract's vocabulary, version 1: every control call, every websocket message, every id.
//!
//! Types only. Nothing in here opens a connection, keeps state or decides anything, so the daemon, a
//! browser's server and a checker can all share it. A value of one of these types has been checked:
//! ids are short and printable, rates are not zero, levels exist.
//!
//! Control calls are JSON over HTTP below [`PREFIX`]; websocket messages are JSON text frames with the
//! message's name in the field `t`.

mod control;
mod edits;
mod ids;
mod moves;
mod problem;
mod socket;

pub use control::{
    AttachFigures, BoardRow, BoardState, BoardsPage, BoardsQuery, Caps, CloseRequest, DrainAnswer,
    DrainRequest, Formats, Level, Load, OpenRequest, OwnedBoard, OwnersPage, OwnersQuery, ServerState,
    ServerStatus,
};
pub use edits::{Digest, Edit, Entry, Payload};
pub use ids::{
    BadText, BoardId, ClientId, Connect, Cseq, Epoch, Generation, MoveId, ReleaseId, Route, Seq, ServerId,
    Token,
};
pub use moves::{
    ActivateAnswer, ActivateRequest, EndAnswer, EndRequest, ItemAnswer, ItemResult, MoveRequest, Moves,
    MovesAnswer, OfferAnswer, OfferRequest, Outcome, PrepareAnswer, PrepareRequest, PrepareState, SealAnswer,
    SealRequest,
};
pub use problem::{Holder, Problem, ProblemCode};
pub use socket::{
    Ack, Attach, Attached, BadMessage, Cancel, ClientMessage, Go, Hello, Moved, Nack, Offer, Op, Resume,
    Sealed, ServerMessage, Snapshot, Unsealed, Update, Welcome,
};

/// Every control call lives below this path; version 1 of the contract is in its name.
pub const PREFIX: &str = "/handover/v1";
/// The websocket subprotocol a client asks for when it keeps the contract's client rules.
pub const SUBPROTOCOL: &str = "handover.v1";
/// The private port on which an instance answers control calls and `GET /metrics`.
pub const CONTROL_PORT: u16 = 9000;

/// Close code: the board is not here (any more); a `moved` message came just before.
pub const CLOSE_MOVED: u16 = 4012;
/// Close code: another connection of the same client took this one's place.
pub const CLOSE_REPLACED: u16 = 4009;
/// Close code: this server cannot take more at the moment, or this client reads too slowly.
pub const CLOSE_OVERLOADED: u16 = 4013;
/// Close code: the client broke the protocol (bad message, wrong token).
pub const CLOSE_PROTOCOL: u16 = 4002;

/// How long a sealed board waits for its move to end before the old server takes it back.
pub const DEFAULT_SEAL_TTL_MS: u64 = 1_000;
/// How long leftovers may stay on the old server after `end`, and how long a client reads the old
/// socket after `go`.
pub const OLD_SOCKET_GRACE_MS: u64 = 2_000;

/// The most items in one plural call.
pub const MAX_MOVES_PER_CALL: usize = 1_000;
/// The most rows in one page of boards or owners; also what is sent when no limit is asked for.
pub const MAX_PAGE: u32 = 1_000;
/// The largest body of a control call or of its answer, in bytes.
pub const MAX_CONTROL_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The largest websocket message from a client, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
