//! `/v1/releases/{id}/{verb}`: what a person says to a release.

use axum::Json;
use axum::extract::State;
use segue_api::{Problem, ReleaseId, ReleaseView, Verb, VerbRequest};

use super::App;
use super::extract::{BodyOrDefault, Named, NamedVerb};
use crate::front::Who;
use crate::problem::Refused;

/// Promote, pause, resume, abort or retry. The answer is the release after the word was taken in.
#[utoipa::path(
    post,
    path = "/v1/releases/{id}/{verb}",
    tag = "releases",
    params(
        ("id" = ReleaseId, Path, description = "SERVICE-NUMBER"),
        ("verb" = Verb, Path, description = "What is said"),
        ("segue-actor" = Option<String>, Header, description = "Who says it, for the journal; believed as it is"),
    ),
    request_body(content = VerbRequest, description = "May be left out"),
    responses(
        (status = 200, description = "Said", body = ReleaseView),
        (status = 404, description = "No such release", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It makes no sense now; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not now; nothing was changed", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The journal did not say whether it was done: look, or ask again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn say(
    State(app): State<App>,
    Named(id): Named,
    NamedVerb(verb): NamedVerb,
    who: Who,
    BodyOrDefault(body): BodyOrDefault<VerbRequest>,
) -> Result<Json<ReleaseView>, Refused> {
    app.front.say(&id, verb, body.reason.as_deref(), &who).await.map(Json)
}
