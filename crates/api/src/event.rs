//! What happened, one line at a time: the journal as a stream of server-sent events.
//!
//! The id is opaque. Give the last one back as `Last-Event-ID` and the stream goes on after it; the daemon
//! replays from its journal, so nothing is missed over a reconnect or a restart of the daemon.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ReleaseId, Time};

/// One record of the journal, told in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Opaque; also the `id:` line of the stream.
    pub id: String,
    /// Absent for what happened to the service itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    pub service: String,
    /// The record's place in its stream of the journal, from 1.
    pub seq: u64,
    pub at: Time,
    /// Stable name of what happened, in kebab case; also the `event:` line of the stream.
    pub kind: String,
    /// For people.
    pub sentence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Who caused it; the daemon itself where no person did.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `GET /v1/events`
    All,
    /// `GET /v1/releases/{id}/events`
    Release(ReleaseId),
}
