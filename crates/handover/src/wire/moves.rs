//! Control calls about one board's move, and their plural forms.
//!
//! Every call is idempotent by its move: asked again, it gives the same answer and does nothing twice.
//! `prepare` is also how to look: repeated, it renews the standby's ttl and tells how many clients have
//! attached by now.
//!
//! Which edits travel where. The daemon hands `prepare`'s `seq` to `seal` as `standby_seq`. The old
//! server's `delta` then begins right after it, or, when that is too far back or was not given, right
//! after what is durable; it always ends at `final_seq`. The new server reads from the database whatever
//! lies between its standby and the delta, and writes down, under its own epoch, whatever of the delta
//! was not durable yet. Without a delta everything up to `final_seq` is durable.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{BoardId, Connect, Digest, Entry, Epoch, MoveId, Problem, Seq};

/// What all five calls have in common.
pub trait MoveRequest {
    fn move_id(&self) -> &MoveId;
    fn board(&self) -> &BoardId;
}

macro_rules! move_request {
    ($($name:ident),*) => {$(
        impl MoveRequest for $name {
            fn move_id(&self) -> &MoveId {
                &self.move_id
            }
            fn board(&self) -> &BoardId {
                &self.board
            }
        }
    )*};
}
move_request!(PrepareRequest, OfferRequest, SealRequest, ActivateRequest, EndRequest);

/// `POST prepare`, on the new server. `still_working` while the board is being opened or closed there, or
/// while clients of its last stay are still leaving: ask again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareRequest {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    /// The epoch under which the old server owns the board.
    pub from_epoch: Epoch,
    /// How long the standby is kept; a repeated call renews it.
    pub ttl_ms: u64,
    /// The most attaches that this server admits per second from now on, all boards together; never
    /// above what the application itself allows. `None`: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_rate_per_s: Option<NonZeroU32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrepareState {
    Loading,
    Standby,
    /// This very move has been activated already.
    Active,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareAnswer {
    pub state: PrepareState,
    /// What the standby has read; 0 while it has read nothing (always at level 1).
    pub seq: Seq,
    /// Pass it on in `offer`, unread.
    pub connect: Connect,
    /// Clients that have attached by now.
    pub attached: u32,
}

/// `POST offer`, on the old server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRequest {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    /// From `prepare`'s answer.
    pub connect: Connect,
    /// Offers sent per second by this server, all boards together; the latest word counts. One that goes with a
    /// `welcome` is not among them.
    pub rate_per_s: NonZeroU32,
    /// Without a seal by then, the offer is forgotten. Repeated, the call renews it.
    pub deadline_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferAnswer {
    /// Clients that are being told.
    pub offered: u32,
    /// Clients that do not speak the subprotocol, as they were counted at the move's first offer; a row of `GET boards`
    /// says how many there are now. They are sent after the board when it is let go.
    pub unsupported: u32,
}

/// `POST seal`, on the old server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealRequest {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    /// The epoch under which this server is thought to own the board.
    pub epoch: Epoch,
    /// After this long without `end`, the server takes the board back by its own compare-and-set.
    pub seal_ttl_ms: u64,
    /// `prepare`'s `seq`: what the new server has already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby_seq: Option<Seq>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealAnswer {
    pub final_seq: Seq,
    /// The last edits up to `final_seq`; see this module's text. `None`: all of them are durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Vec<Entry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// `POST activate`, on the new server: the one commit point of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivateRequest {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    pub from_epoch: Epoch,
    /// From the seal. `None` only together with `force`: nobody is left to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_seq: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Vec<Entry>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Without a seal, because the old server is dead (level 3). What it had not made durable, its
    /// clients send again.
    #[serde(default)]
    pub force: bool,
}

/// The refusal, when somebody else won, is a problem `held` with the epoch and owner that hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivateAnswer {
    pub epoch: Epoch,
}

/// How a move ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new server has it: the old one lets go of its clients.
    Release,
    /// Called off: the old one takes the board back, the new one forgets it.
    Abort,
}

/// `POST end`, on both servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRequest {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    pub outcome: Outcome,
}

/// What the board is on this server now that the move is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "here", rename_all = "snake_case")]
pub enum EndAnswer {
    /// This server owns it.
    Owned { epoch: Epoch },
    /// It does not.
    Gone,
}

/// Body of a plural call, `POST moves:prepare` and so on: at most [`super::MAX_MOVES_PER_CALL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves<T> {
    pub moves: Vec<T>,
}

/// Answer of a plural call, one item for each move, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovesAnswer<T> {
    pub answers: Vec<ItemAnswer<T>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemAnswer<T> {
    #[serde(rename = "move")]
    pub move_id: MoveId,
    pub board: BoardId,
    pub result: ItemResult<T>,
}

/// `{"ok": …}` or `{"problem": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemResult<T> {
    Ok(T),
    Problem(Problem),
}

impl<T> ItemResult<T> {
    pub fn into_result(self) -> Result<T, Problem> {
        match self {
            Self::Ok(value) => Ok(value),
            Self::Problem(problem) => Err(problem),
        }
    }
}

impl<T> From<Result<T, Problem>> for ItemResult<T> {
    fn from(result: Result<T, Problem>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(problem) => Self::Problem(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ClientId, Cseq, Payload};

    #[test]
    fn a_plural_answer_carries_payloads_byte_for_byte() {
        let payload = Payload::from_json(r#"{"n":1.0,  "big":123456789012345678901}"#.to_owned());
        let entry = Entry {
            seq: Seq(7),
            client: ClientId::parse("ann").expect("an id"),
            cseq: Cseq(3),
            payload: payload.expect("JSON"),
        };
        let seal = SealAnswer { final_seq: Seq(7), delta: Some(vec![entry]), digest: None };
        let answer = MovesAnswer {
            answers: vec![ItemAnswer {
                move_id: MoveId::parse("m1").expect("an id"),
                board: BoardId::parse("b1").expect("an id"),
                result: ItemResult::Ok(seal),
            }],
        };
        let text = serde_json::to_string(&answer).expect("serializes");
        assert!(text.contains(r#""payload":{"n":1.0,  "big":123456789012345678901}"#), "{text}");
        assert_eq!(serde_json::from_str::<MovesAnswer<SealAnswer>>(&text).expect("reads back"), answer);
    }

    #[test]
    fn a_rate_of_zero_cannot_be_read() {
        let text = r#"{"move":"m","board":"b","connect":"ws://h/","rate_per_s":0,"deadline_ms":1}"#;
        assert!(serde_json::from_str::<OfferRequest>(text).is_err());
    }
}
