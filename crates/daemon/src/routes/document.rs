//! The OpenAPI document: what the API is, beside what its handlers say of themselves.

use axum::Json;
use axum::routing::{MethodRouter, get};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::App;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Segue",
        description = "Releases of stateful websocket applications. Refusals are problem documents (RFC 9457) \
                       with a stable `code`, each explained under docs/errors.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(segue_api::Problem))
)]
struct About;

pub(super) fn about() -> OpenApi {
    let mut about = About::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut about.info.version);
    about
}

pub(super) fn route(document: OpenApi) -> MethodRouter<App> {
    get(|| async move { Json(document) })
}
