//! What an instance of the application says of itself by the handover contract.

use crate::ids::{BoardId, MoveId, Route, Version};

/// Open boards of one instance, as the metrics system counts them.
pub type BoardCount = crate::reading::Reading<u64>;

/// The answer to the contract's `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStatus {
    pub version: Version,
    pub state: AppState,
    /// What it can do: the contract's levels of adoption, 0 to 3.
    pub level: u8,
    pub formats: Formats,
    pub boards: u64,
    pub clients: u64,
    pub caps: Caps,
    /// The route slot that it was told.
    pub route: Option<Route>,
    /// The highest generation that it has obeyed.
    pub generation: u64,
}

/// Whether it takes boards that nobody owns yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppState {
    Serving,
    Closed,
    Draining,
}

/// The formats of board state that it reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formats {
    pub reads: Vec<String>,
    pub writes: String,
}

impl Formats {
    pub fn can_read(&self, other: &Self) -> bool {
        self.reads.contains(&other.writes)
    }
}

/// How much one instance can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub boards: u64,
    pub clients: u64,
    pub bytes: u64,
}

/// One row of the contract's `boards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    pub board: BoardId,
    pub epoch: u64,
    pub state: BoardState,
    pub clients: u64,
    /// Those of `clients` that do not speak the contract, and attach nowhere.
    pub unsupported: u64,
    pub attached: u64,
    pub bytes: u64,
    pub moving: Option<MoveId>,
}

impl BoardRow {
    /// Clients that can follow the board to another server.
    pub fn followers(&self) -> u64 {
        self.clients.saturating_sub(self.unsupported)
    }
}

/// The contract's states of a board on one server, old side and new side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoardState {
    Active,
    Offered,
    Sealed,
    Released,
    Loading,
    Standby,
    /// Being opened or closed: in a moment it is one of the others, or not there.
    Passing,
}

impl BoardState {
    /// This server is the one that holds the board.
    pub fn is_owned_here(self) -> bool {
        match self {
            Self::Active | Self::Offered | Self::Sealed => true,
            Self::Released | Self::Loading | Self::Standby | Self::Passing => false,
        }
    }
}
