//! Control calls about a whole server: status, boards, owners, close, open, drain.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{BoardId, Connect, Epoch, Generation, MoveId, ReleaseId, Route, Seq, ServerId};

/// How much of the contract an application keeps. Ordered: a higher level includes the lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// 0: `drain`. Clients reconnect.
    Drain,
    /// 1: clients attach first; the new server loads the board at `activate`.
    Attach,
    /// 2: the new server is warm before the seal and takes the rest as a delta.
    Warm,
    /// 3: a warm standby may be activated by force when the old server is dead.
    Failover,
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        match level {
            Level::Drain => 0,
            Level::Attach => 1,
            Level::Warm => 2,
            Level::Failover => 3,
        }
    }
}

/// A number that is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("levels are 0 to 3, this is {0}")]
pub struct BadLevel(pub u8);

impl TryFrom<u8> for Level {
    type Error = BadLevel;
    fn try_from(number: u8) -> Result<Self, BadLevel> {
        match number {
            0 => Ok(Self::Drain),
            1 => Ok(Self::Attach),
            2 => Ok(Self::Warm),
            3 => Ok(Self::Failover),
            other => Err(BadLevel(other)),
        }
    }
}

/// Whether a server takes new boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Takes any board that is free.
    Serving,
    /// Serves the boards it has, claims no other.
    Closed,
    /// Closed, and sending its clients away (level 0).
    Draining,
}

/// Which formats of a board's data this version can read, and the one that it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    pub reads: Vec<String>,
    pub writes: String,
}

/// The most that a server is meant to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    pub boards: u64,
    pub clients: u64,
    pub bytes: u64,
}

/// What a server is going through right now. `None`: could not be read, which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Share of all cores that this process used in the last second, 0 to 1.
    pub cpu: Option<f64>,
    /// Resident memory in bytes.
    pub rss: Option<u64>,
    /// From an edit's arrival to its durable acknowledgement, 99th percentile of the last 10 to 20 s.
    pub edit_p99_ms: Option<f64>,
    /// Loading a board from the application's database, 99th percentile of the last 10 to 20 s.
    pub load_p99_ms: Option<f64>,
    /// Attaches that wait for admission.
    pub attach_queue: u32,
}

/// Admission of attaches, measured where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachFigures {
    /// The limit in force.
    pub limit_per_s: u32,
    /// The most that were admitted within any 100 ms since the process started.
    pub peak_in_100ms: u32,
    /// Admissions that went over a tenth of the limit of their moment within 100 ms. Stays 0.
    pub overruns_total: u64,
    pub admitted_total: u64,
    /// Attaches that were turned away because the queue was full.
    pub refused_total: u64,
}

/// Answer of `GET status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    pub server: ServerId,
    pub version: String,
    pub formats: Formats,
    pub level: Level,
    /// The highest generation seen, so that a daemon without a memory can start above it.
    pub generation: Generation,
    pub state: ServerState,
    /// Boards that this server owns and serves, sealed ones included.
    pub boards: u64,
    /// Boards that wait here for their activation.
    pub standbys: u64,
    /// Connections on boards that this server owns.
    pub clients: u64,
    /// Connections that wait on a standby.
    pub attached: u64,
    /// The route slot that it was told with `open`, or started with.
    pub route: Option<Route>,
    /// Where clients find this server's boards; `{board}` stands for the board. `None`: no route yet.
    pub connect: Option<Connect>,
    pub caps: Caps,
    pub load: Load,
    pub attach: AttachFigures,
}

/// Query of `GET boards`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BoardsQuery {
    /// The last board of the page before; rows come in the order of their ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<BoardId>,
    /// At most [`super::MAX_PAGE`], which is also what `None` means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
}

/// What a board is on the server that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoardState {
    /// Being claimed or loaded because a client asked for it.
    Opening,
    Active,
    /// Active, and its clients were told of another server.
    Offered,
    /// Takes no edits; waits for its move to end.
    Sealed,
    /// Ownership went elsewhere; leftover clients are being sent after it.
    Released,
    /// Flushing, to give up ownership.
    Closing,
    /// Prepared here, data not yet read.
    Loading,
    /// Prepared here, waiting for `activate`.
    Standby,
}

/// One row of `GET boards`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardRow {
    pub board: BoardId,
    pub epoch: Epoch,
    pub state: BoardState,
    /// Connections that are served here, those that do not speak the contract among them.
    pub clients: u32,
    /// Those of `clients` that do not speak the contract: they attach nowhere, and nobody waits for them. A server that
    /// does not say it has none.
    #[serde(default)]
    pub unsupported: u32,
    /// Connections that wait here for `go`.
    pub attached: u32,
    /// What the board takes in this server's memory, roughly, in bytes.
    pub bytes: u64,
    /// Edits per second over the last seconds.
    pub ops_per_s: f64,
    pub seq: Seq,
    /// The move the board is in, or came here by.
    #[serde(rename = "move", default, skip_serializing_if = "Option::is_none")]
    pub move_id: Option<MoveId>,
}

/// Answer of `GET boards`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardsPage {
    pub boards: Vec<BoardRow>,
    /// Ask again with this; `None`: that was all.
    pub next: Option<BoardId>,
}

/// Query of `GET owners`: what the ownership table gives to a server, which may be dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersQuery {
    pub server: ServerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<BoardId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<NonZeroU32>,
}

/// One row of the ownership table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedBoard {
    pub board: BoardId,
    pub epoch: Epoch,
}

/// Answer of `GET owners`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersPage {
    pub boards: Vec<OwnedBoard>,
    pub next: Option<BoardId>,
}

/// Body of `POST close`: claim no new boards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CloseRequest {}

/// Body of `POST open`: claim boards again. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OpenRequest {
    /// The route slot that leads to this server from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// The most attaches admitted per second, never above what the application itself allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_rate_per_s: Option<NonZeroU32>,
}

/// Body of `POST drain` (level 0).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainRequest {
    pub release: ReleaseId,
    /// Clients told to go per second.
    pub rate_per_s: NonZeroU32,
}

/// Answer of `POST drain`: what there was to do when this release first asked. Progress is in `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainAnswer {
    pub boards: u64,
    pub clients: u64,
}
