//! Refusals: RFC 9457 problem documents with a stable `code` for programs.

use serde::{Deserialize, Serialize};

use super::{Connect, Epoch, Generation, Seq, ServerId};

/// Why a call was refused. Programs decide by this and by nothing else in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The body, path or query does not parse, or a list is too long.
    BadRequest,
    /// A credential header is missing or unreadable.
    MissingCredentials,
    BadSignature,
    /// The call's time is more than 60 s from this server's.
    ClockSkew,
    /// This very call was seen before.
    Replayed,
    /// Meant for a server that had this address before.
    WrongInstance,
    /// A newer daemon has spoken; `generation` says the highest seen.
    StaleGeneration,
    /// This server neither owns nor prepares the board.
    UnknownBoard,
    /// The board is at another epoch; `holder` says which.
    WrongEpoch,
    /// Somebody else owns the board; `holder` says who.
    Held,
    /// The board is in another move.
    OtherMove,
    /// The call does not fit the board's state.
    WrongState,
    /// `final_seq` cannot be reached with what the standby, the database and the delta have.
    Incomplete,
    /// The two servers do not hold the same edits.
    DigestMismatch,
    /// No route leads to this server yet, so there is no `connect`.
    NoRoute,
    /// The application does not offer this call at its level.
    Unsupported,
    /// A limit of this server is reached; later may be better.
    Overloaded,
    /// The application's database did not answer; nothing is known to have changed.
    StoreUnavailable,
    /// Begun and not finished; ask again.
    StillWorking,
    Internal,
}

impl ProblemCode {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::MissingCredentials | Self::BadSignature | Self::ClockSkew | Self::Replayed => 401,
            Self::UnknownBoard => 404,
            Self::StaleGeneration
            | Self::WrongEpoch
            | Self::Held
            | Self::OtherMove
            | Self::WrongState
            | Self::Incomplete
            | Self::DigestMismatch
            | Self::NoRoute => 409,
            Self::WrongInstance => 421,
            Self::StillWorking => 425,
            Self::Overloaded => 429,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::StoreUnavailable => 503,
        }
    }

    /// One line for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "the call cannot be read",
            Self::MissingCredentials => "a credential header is missing",
            Self::BadSignature => {
                "the signature does not fit the call: the keys differ, or the call was changed"
            }
            Self::ClockSkew => "the call's time is too far from this server's",
            Self::Replayed => "this very call was seen before",
            Self::WrongInstance => "the call is for another server",
            Self::StaleGeneration => "a newer daemon has spoken",
            Self::UnknownBoard => "this server neither owns nor prepares the board",
            Self::WrongEpoch => "the board is at another epoch",
            Self::Held => "somebody else owns the board",
            Self::OtherMove => "the board is in another move",
            Self::WrongState => "the call does not fit the board's state",
            Self::Incomplete => "edits are missing up to final_seq",
            Self::DigestMismatch => "the two servers hold different edits",
            Self::NoRoute => "no route leads to this server yet",
            Self::Unsupported => "the application does not offer this call",
            Self::Overloaded => "a limit of this server is reached",
            Self::StoreUnavailable => "the application's database did not answer",
            Self::StillWorking => "begun and not finished",
            Self::Internal => "the server broke its own rules",
        }
    }
}

/// Who holds a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub epoch: Epoch,
    /// `None`: nobody.
    pub owner: Option<ServerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
}

/// The document, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    pub code: ProblemCode,
    /// The HTTP status; in a plural answer the one it would have had.
    pub status: u16,
    pub title: String,
    /// What exactly, for people.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Box<Holder>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// With `incomplete`: how far this server got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            title: code.title().to_owned(),
            detail: detail.into(),
            holder: None,
            generation: None,
            seq: None,
        }
    }

    #[must_use]
    pub fn with_holder(self, holder: Holder) -> Self {
        Self { holder: Some(Box::new(holder)), ..self }
    }

    #[must_use]
    pub fn with_generation(self, generation: Generation) -> Self {
        Self { generation: Some(generation), ..self }
    }

    #[must_use]
    pub fn with_seq(self, seq: Seq) -> Self {
        Self { seq: Some(seq), ..self }
    }
}
