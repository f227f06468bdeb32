//! Taking in running servers that Segue did not launch: the plan, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::PlanBasis;

/// What to plan: `GET /v1/services/{name}/adoption`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AdoptionQuery {
    /// Only these instances, with commas between them; whoever is registered in the colour and canary groups unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<String>,
    /// The version of servers of which nothing else says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What would be done. Nothing is until it is sent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdoptionPlan {
    /// What the request to adopt takes.
    #[serde(flatten)]
    pub basis: PlanBasis,
    pub service: String,
    /// Those that would be taken in; none when there is nothing to do.
    pub servers: Vec<AdoptedServer>,
    /// Instances that carry all of the service's tags already.
    pub tagged: Vec<String>,
}

/// One server, and the tags that it would get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdoptedServer {
    /// `i-…`
    pub instance: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
    /// `ami-…`
    pub image: String,
    pub version: String,
    pub known_by: KnownBy,
    /// Why its application could not be asked: then nobody has compared the version with its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// The colour and canary groups in which it is registered.
    pub groups: Vec<String>,
    /// Its route slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// What is written; its other tags stay.
    pub tags: BTreeMap<String, String>,
}

/// Who says which version a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// The AMI's `releaseVersion` tag.
    Image,
    /// The application's own word.
    Application,
    /// A `segue:version` tag that somebody wrote.
    Tag,
    /// The request.
    Asked,
}

/// The body of `POST /v1/services/{name}/adoption`: the request that was planned, and the plan that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptionRequest {
    /// The plan that was shown, whole or only its format, digest and facts.
    pub plan: PlanBasis,
    /// Only these instances; whoever is registered in the colour and canary groups when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    /// As in the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why, for the journal and for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Adoption {
    pub service: String,
    pub outcome: AdoptionOutcome,
    /// The version of each that was taken in.
    pub servers: BTreeMap<String, String>,
}

/// How it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdoptionOutcome {
    /// It was so already.
    FoundDone,
    /// The tags were written now.
    Did,
}

impl AdoptionQuery {
    /// The instances one by one.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.instances.iter().flat_map(|names| names.split(',')).map(str::trim)
    }
}

impl AdoptionRequest {
    /// The request of a plan that somebody has seen.
    pub fn of(plan: &AdoptionPlan, query: &AdoptionQuery, reason: Option<String>) -> Self {
        let instances = query.named().map(str::to_owned).collect();
        Self { plan: plan.basis.clone(), instances, version: query.version.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PLAN_FORMAT;

    #[test]
    fn a_request_names_its_instances_one_by_one_and_gives_the_plan_back() {
        let basis = PlanBasis { format: PLAN_FORMAT, digest: "5f1c".to_owned(), facts: BTreeMap::new() };
        let plan =
            AdoptionPlan { basis, service: "boards".to_owned(), servers: Vec::new(), tagged: Vec::new() };
        let query = AdoptionQuery { instances: Some("i-1, i-2".to_owned()), version: None };
        let request = serde_json::to_value(AdoptionRequest::of(&plan, &query, None)).expect("it is JSON");
        let plan = serde_json::json!({"format": PLAN_FORMAT, "digest": "5f1c", "facts": {}});
        assert_eq!(request, serde_json::json!({"plan": plan, "instances": ["i-1", "i-2"]}));
    }
}
