//! Edits: what a client sends, and what it becomes once a server has given it its place.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ClientId, Cseq, Seq};

/// What an edit says, in the application's own JSON. Carried byte for byte, never interpreted.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payload(Arc<RawValue>);

impl Payload {
    /// Any serializable value as a payload.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(Arc::from(serde_json::value::to_raw_value(value)?)))
    }

    /// A text that is already JSON.
    pub fn from_json(text: String) -> Result<Self, serde_json::Error> {
        Ok(Self(Arc::from(RawValue::from_string(text)?)))
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Reads the payload as the application's own type.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_json())
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

/// An edit as its client numbered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    pub client: ClientId,
    pub cseq: Cseq,
    pub payload: Payload,
}

/// An edit with its place in the board's order. Also one row of the application's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub seq: Seq,
    pub client: ClientId,
    pub cseq: Cseq,
    pub payload: Payload,
}

/// Says whether two servers hold the same edits of a board in the same order.
///
/// How it is made is the application's affair; the servers of one application must agree on it. This
/// library hashes (seq, client, cseq) of every edit from the first one on and leaves payloads out,
/// because a database may write JSON down in its own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);
