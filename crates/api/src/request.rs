//! What can be asked of the daemon.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PlanBasis;

/// The header that makes `POST /v1/releases` repeatable: the same key with the same body gives the same
/// release, with another body 422.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The header that says who asks; believed as it is.
pub const ACTOR: &str = "segue-actor";

/// What a release does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseKind {
    /// A few instances of the new version beside the fleet, until they passed or failed.
    Canary,
    /// The whole fleet, every board carried across.
    Full,
    /// The same way back, to a version that ran before.
    Rollback,
}

impl ReleaseKind {
    /// The word on the wire and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Full => "full",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for ReleaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The body of `POST /v1/releases`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    pub service: String,
    pub kind: ReleaseKind,
    /// The version to bring in; for a full release the last passed canary's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// For a rollback: the version to go back to; the one before unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Preflight checks that shall not stop this release. Each is recorded with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Why, for the journal and for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// From a plan that was made before: begin only if the world is still as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanBasis>,
}

/// One preflight check, set aside by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The check's name, as the release's view shows it.
    pub check: String,
    /// Not empty.
    pub reason: String,
}

/// What a person can say to a release: `POST /v1/releases/{id}/{verb}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Say yes where a gate is open, to a canary that could not be judged, or to going back to fewer old servers.
    Promote,
    /// Begin nothing new until `resume`.
    Pause,
    Resume,
    /// Go the way back.
    Abort,
    /// Try again what the release is held on.
    Retry,
}

impl Verb {
    pub const ALL: [Self; 5] = [Self::Promote, Self::Pause, Self::Resume, Self::Abort, Self::Retry];

    /// The last segment of the path, and the word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The body of a verb. It may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerbRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_only_what_was_asked() {
        let request = ReleaseRequest {
            service: "boards".to_owned(),
            kind: ReleaseKind::Canary,
            version: Some("2".to_owned()),
            to: None,
            overrides: Vec::new(),
            reason: None,
            plan: None,
        };
        let json = serde_json::to_string(&request).expect("serializes");
        assert_eq!(json, r#"{"service":"boards","kind":"canary","version":"2"}"#);
        assert_eq!(serde_json::from_str::<ReleaseRequest>(&json).expect("parses"), request);
    }

    #[test]
    fn a_misspelt_field_is_refused_not_ignored() {
        let refused =
            serde_json::from_str::<ReleaseRequest>(r#"{"service":"boards","kind":"full","verison":"2"}"#)
                .expect_err("an unknown field");
        assert!(refused.to_string().contains("verison"), "{refused}");
    }

    #[test]
    fn a_verbs_word_is_its_wire_form() {
        for verb in Verb::ALL {
            assert_eq!(serde_json::to_string(&verb).expect("serializes"), format!("\"{verb}\""));
        }
        for kind in [ReleaseKind::Canary, ReleaseKind::Full, ReleaseKind::Rollback] {
            assert_eq!(serde_json::to_string(&kind).expect("serializes"), format!("\"{kind}\""));
        }
    }
}
