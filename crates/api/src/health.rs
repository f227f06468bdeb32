//! Whether the daemon can do its work: the body of `/readyz`.
//!
//! `/healthz` has none: it answers 200 as long as the process serves requests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// 200 when ready, 503 when not; the same body for both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether this daemon holds the lease. A service that it could not take up is among the components.
    pub ready: bool,
    /// The version of the daemon itself.
    pub daemon: String,
    /// The digest of the configuration that it read when it started: another file has another one. Absent from
    /// daemons that tell none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<String>,
    pub components: Vec<Component>,
}

/// One part that the daemon needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// `lease`, `service boards`, …
    pub name: String,
    pub state: ComponentState,
    /// One sentence, where something is to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    Ready,
    NotReady,
}
