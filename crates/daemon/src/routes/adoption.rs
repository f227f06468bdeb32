//! `/v1/services/{name}/adoption`: running servers that Segue did not launch, and taking them in.

use axum::Json;
use axum::extract::State;
use segue_api::{Adoption, AdoptionPlan, AdoptionQuery, AdoptionRequest, Problem};

use super::App;
use super::extract::{Body, NamedService, Query};
use crate::front::Who;
use crate::problem::Refused;

/// What would be taken in; nothing is.
#[utoipa::path(
    get,
    path = "/v1/services/{name}/adoption",
    tag = "services",
    params(("name" = String, Path, description = "As configured"), AdoptionQuery),
    responses(
        (status = 200, description = "The plan; without servers when there is nothing to do", body = AdoptionPlan),
        (status = 404, description = "No such service", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A release is active", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A server cannot be taken in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn plan(
    State(app): State<App>,
    NamedService(name): NamedService,
    Query(query): Query<AdoptionQuery>,
) -> Result<Json<AdoptionPlan>, Refused> {
    app.front.plan_adoption(&name, &query).await.map(Json)
}

/// Writes the tags of the plan that was shown, if it is still the plan. The same request again finds it done.
#[utoipa::path(
    post,
    path = "/v1/services/{name}/adoption",
    tag = "services",
    params(
        ("name" = String, Path, description = "As configured"),
        ("segue-actor" = Option<String>, Header, description = "Who asks, for the journal; believed as it is"),
    ),
    request_body = AdoptionRequest,
    responses(
        (status = 200, description = "Taken in", body = Adoption),
        (status = 404, description = "No such service", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A release is active, or the plan is another; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Refused; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now, or some tags may have been written: ask again", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The journal did not say whether it was done: look, or ask again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn adopt(
    State(app): State<App>,
    NamedService(name): NamedService,
    who: Who,
    Body(request): Body<AdoptionRequest>,
) -> Result<Json<Adoption>, Refused> {
    app.front.adopt(&name, &request, &who).await.map(Json)
}
