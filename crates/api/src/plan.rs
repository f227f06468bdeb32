//! What a release would do, call by call, and the facts that this stands on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{CheckView, Explanation, ReleaseId, ReleaseKind};

/// The form of a plan that this version makes. Another one is refused.
pub const PLAN_FORMAT: u32 = 1;

/// The answer to `POST /v1/plans`, and what is kept in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// What the request for a release takes.
    #[serde(flatten)]
    pub basis: PlanBasis,
    /// What the release would be called.
    pub release: ReleaseId,
    pub service: String,
    pub kind: ReleaseKind,
    pub version: String,
    pub from_version: String,
    /// The AMI.
    pub image: String,
    /// In the order in which they would be done.
    pub steps: Vec<PlannedStep>,
    /// What preflight would say now. A check that failed would refuse the release.
    pub checks: Vec<CheckView>,
    /// What to know before: where the way back ends.
    pub warnings: Vec<Explanation>,
}

/// The facts that a plan stands on: handed in with a request, it is carried out only while they are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanBasis {
    pub format: u32,
    /// SHA-256 of the facts: what was changed on the way is refused.
    pub digest: String,
    /// By name. Their texts are made to be compared, not to be read by programs.
    pub facts: BTreeMap<String, String>,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedStep {
    pub name: String,
    /// Empty for a step that only looks.
    pub calls: Vec<PlannedCall>,
}

/// Something that would be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCall {
    pub at: CallAt,
    /// As its side spells it: `RunInstances`, `close`.
    pub call: String,
    /// How many calls that are; absent where it depends on what is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// With what.
    pub sentence: String,
}

/// Whom a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallAt {
    Aws,
    /// Servers, commands, people.
    Others,
}
