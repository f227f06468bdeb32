//! A service and its fleets as they are now.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Count, ReleaseId};

/// The body of `GET /v1/services`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// In the order of the configuration.
    pub services: Vec<ServiceView>,
}

/// One application that is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceView {
    pub name: String,
    pub environment: String,
    pub region: String,
    pub workload: Workload,
    /// What blue runs, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Releases that are not closed, the oldest first.
    pub active: Vec<ReleaseId>,
    /// Blue first, then green, then canaries, then stopped spares.
    pub fleets: Vec<FleetView>,
    /// Instances that serve in its colour groups and do not carry its tags: `segue adopt` takes them in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<String>,
    /// Why the fleets could not be read, when they could not; then `fleets` is empty or old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What must be carried across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    Boards,
    Requests,
    None,
}

/// The instances of one version in one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetView {
    pub role: FleetRole,
    pub version: String,
    /// The colour group in which the fleet is registered; with several load balancers that of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// The group's weight in the listener's forward action; not told where the fleet is in groups of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The sum over the instances; unknown when one of them is.
    pub boards: Count,
    pub instances: Vec<InstanceView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FleetRole {
    Blue,
    Green,
    Canary,
    /// Stopped, kept for a rollback.
    Spare,
}

/// One EC2 instance of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceView {
    /// `i-…`
    pub id: String,
    /// What its AMI says.
    pub version: String,
    /// What it says of itself, where it was asked and differs or agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_version: Option<String>,
    pub state: InstanceState,
    pub health: Health,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_ip: Option<String>,
    pub boards: Count,
    pub clients: Count,
    /// Its route slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The load balancer whose users it serves, where the service has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// The release that launched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_by: Option<ReleaseId>,
}

/// EC2's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

/// The load balancer's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Registered, first checks running.
    Initial,
    Healthy,
    Unhealthy,
    /// Deregistering.
    Draining,
    /// Registered in a group that no listener uses.
    Unused,
    NotRegistered,
    /// The load balancer could not be asked.
    Unknown,
}
