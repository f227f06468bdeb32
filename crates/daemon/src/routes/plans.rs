//! `/v1/plans`: what a release would do.

use axum::Json;
use axum::extract::State;
use segue_api::{PlanView, Problem, ReleaseRequest};

use super::App;
use super::extract::Body;
use crate::problem::Refused;

/// What the same body at `/v1/releases` would do, call by call, or why it would be refused. Nothing is done and
/// nothing is kept; the plan's format, digest and facts, handed in as `plan`, make the release the very same.
#[utoipa::path(
    post,
    path = "/v1/plans",
    tag = "releases",
    request_body = ReleaseRequest,
    responses(
        (status = 200, description = "The plan", body = PlanView),
        (status = 409, description = "Another release is active, or the plan that was handed in is stale", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Such a release would be refused", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be told now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make(
    State(app): State<App>,
    Body(request): Body<ReleaseRequest>,
) -> Result<Json<PlanView>, Refused> {
    Ok(Json(app.front.plan(&request).await?))
}
