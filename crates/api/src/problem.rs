//! The one shape of every refusal and failure: a problem document (RFC 9457).
//!
//! `code` is stable and has a page under docs/errors; sentences may change from version to version.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done, for people (`title`, `detail`, `hint`) and for programs (`code`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/errors/CODE`: the code as RFC 9457 wants a type, a reference that is relative to no address. The page is
    /// CODE.md in docs/errors.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, one sentence.
    pub detail: String,
    /// Stable, in kebab case: `release-in-progress`.
    pub code: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Several things wrong with one request, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemItem>,
}

/// One of several things that are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemItem {
    /// Where: a JSON pointer into the body, or `query:NAME`, `header:NAME`; of a plan that was handed in, the
    /// fact's name.
    pub place: String,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_rfc_9457() {
        let problem = Problem {
            kind: "/errors/unknown-version".to_owned(),
            title: "no such version".to_owned(),
            status: 422,
            detail: "no AMI of boards carries version 9".to_owned(),
            code: "unknown-version".to_owned(),
            hint: None,
            errors: Vec::new(),
        };
        let json = serde_json::to_value(&problem).expect("serializes");
        assert_eq!(json["type"], "/errors/unknown-version");
        assert!(json.get("hint").is_none(), "what is not there is not written");
        assert_eq!(serde_json::from_value::<Problem>(json).expect("parses"), problem);
    }
}
