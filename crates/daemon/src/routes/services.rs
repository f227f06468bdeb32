//! `/v1/services`: the services and their fleets as they are now.

use axum::Json;
use axum::extract::State;
use segue_api::{Problem, ServiceList, ServiceView};

use super::App;
use super::extract::NamedService;
use crate::problem::Refused;

/// Every configured service.
#[utoipa::path(
    get,
    path = "/v1/services",
    tag = "services",
    responses((status = 200, description = "In the order of the configuration", body = ServiceList))
)]
pub(super) async fn list(State(app): State<App>) -> Result<Json<ServiceList>, Refused> {
    let services = app.front.services().await?;
    Ok(Json(ServiceList { services }))
}

/// One service.
#[utoipa::path(
    get,
    path = "/v1/services/{name}",
    tag = "services",
    params(("name" = String, Path, description = "As configured")),
    responses(
        (status = 200, description = "The service", body = ServiceView),
        (status = 404, description = "No such service", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    State(app): State<App>,
    NamedService(name): NamedService,
) -> Result<Json<ServiceView>, Refused> {
    app.front.service(&name).await.map(Json)
}
