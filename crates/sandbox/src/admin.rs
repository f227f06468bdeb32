//! The view behind the scenes, which AWS would not give: ledger, processes, live connections; and the faults.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::connections::{Connections, TargetConnections};
use crate::faults::{Fault, FaultRefused, Faults};
use crate::names::InstanceId;
use crate::shared::Shared;
use crate::simulated::{BoardTally, Simulated};
use crate::world::{Instance, Ledger, World};

/// One instance as `GET /admin/instances` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceView {
    /// The instance.
    pub id: InstanceId,
    /// Its private address.
    pub address: Ipv4Addr,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// Its state, as EC2 names it.
    pub state: String,
    /// The `releaseVersion` tag of its image.
    pub version: Option<String>,
}

/// `GET /admin/instances`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instances {
    /// In order of launch; those that EC2 still lists.
    pub instances: Vec<InstanceView>,
}

/// `GET /admin/connections`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsView {
    /// Requests under way and upgraded sockets of all targets.
    pub total: usize,
    /// The targets that have any.
    pub targets: Vec<TargetConnections>,
}

/// The largest fault, in bytes.
const FAULT_MAX: usize = 16 * 1024;

#[derive(Debug, Clone)]
struct Admin {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    simulated: Option<Arc<Simulated>>,
}

/// The admin endpoint.
pub(crate) fn router(
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    simulated: Option<Arc<Simulated>>,
) -> Router {
    Router::new()
        .route("/admin/ledger", get(ledger))
        .route("/admin/instances", get(instances))
        .route("/admin/connections", get(live))
        .route("/admin/boards", get(boards))
        .route("/admin/faults", get(faults).post(set_fault).delete(heal))
        .layer(DefaultBodyLimit::max(FAULT_MAX))
        .with_state(Admin { shared, connections, simulated })
}

async fn ledger(State(admin): State<Admin>) -> Json<Ledger> {
    Json(admin.shared.with(|world, _| world.ledger()))
}

async fn instances(State(admin): State<Admin>) -> Json<Instances> {
    let mut instances: Vec<_> =
        admin.shared.with(|world, _| world.cloud.instances().map(|i| view(world, i)).collect());
    for instance in &mut instances {
        instance.pid = admin.shared.pid(&instance.id);
    }
    Json(Instances { instances })
}

fn view(world: &World, instance: &Instance) -> InstanceView {
    let image = world.cloud.images.get(&instance.image);
    InstanceView {
        id: instance.id.clone(),
        address: instance.address,
        pid: None,
        state: instance.state().name().to_owned(),
        version: image.and_then(|image| image.tags.get("releaseVersion").cloned()),
    }
}

async fn live(State(admin): State<Admin>) -> Json<ConnectionsView> {
    let targets = admin.connections.list();
    Json(ConnectionsView { total: targets.iter().map(|t| t.live).sum(), targets })
}

/// Boards of simulated instances only: others keep theirs in the store.
async fn boards(State(admin): State<Admin>) -> Result<Json<BoardTally>, StatusCode> {
    admin.simulated.map(|simulated| Json(simulated.tally())).ok_or(StatusCode::NOT_FOUND)
}

async fn faults(State(admin): State<Admin>) -> Json<Faults> {
    Json(admin.shared.with(World::faults))
}

async fn heal(State(admin): State<Admin>) -> StatusCode {
    admin.shared.with(|world, _| world.heal());
    StatusCode::NO_CONTENT
}

async fn set_fault(State(admin): State<Admin>, body: Bytes) -> Response {
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => return problem(StatusCode::BAD_REQUEST, "this is no fault", &error),
    };
    match try_set(&admin.shared, fault) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(no) => problem(StatusCode::UNPROCESSABLE_ENTITY, "this fault cannot be set", &no),
    }
}

fn try_set(shared: &Shared, fault: Fault) -> Result<(), FaultRefused> {
    let stopped = match &fault {
        Fault::Freeze { instance } | Fault::Thaw { instance } => Some(instance.clone()),
        Fault::Throttle { .. }
        | Fault::ExpireCredentials { .. }
        | Fault::RefuseCapacity { .. }
        | Fault::LoseResponse { .. }
        | Fault::Kill { .. }
        | Fault::SlowBoot { .. }
        | Fault::Unhealthy { .. }
        | Fault::Prometheus { .. } => None,
    };
    if let Some(instance) = stopped
        && shared.pid(&instance).is_none()
    {
        shared.with(|world, _| world.running(&instance))?;
        return Err(FaultRefused::NoProcess(instance));
    }
    shared.with(|world, now| world.set_fault(fault, now))
}

/// A problem document, as RFC 9457 has it.
fn problem(status: StatusCode, title: &str, why: &dyn std::error::Error) -> Response {
    let body = serde_json::json!({"title": title, "status": status.as_u16(), "detail": why.to_string()});
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
