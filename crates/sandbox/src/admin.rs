//! The view behind the scenes, which AWS would not give: ledger, processes, live connections.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::connections::{Connections, TargetConnections};
use crate::names::InstanceId;
use crate::shared::Shared;
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

#[derive(Debug, Clone)]
struct Admin {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
}

/// The admin endpoint.
pub(crate) fn router(shared: Arc<Shared>, connections: Arc<Connections>) -> Router {
    Router::new()
        .route("/admin/ledger", get(ledger))
        .route("/admin/instances", get(instances))
        .route("/admin/connections", get(live))
        .with_state(Admin { shared, connections })
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
