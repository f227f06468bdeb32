//! What a sandbox says when it is ready: one line of JSON on stdout.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::names::{GroupArn, ImageId, InstanceId, SubnetId, TemplateId};

/// Where everything is and what everything is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// URL of the AWS endpoint: EC2 and Elastic Load Balancing.
    pub aws: String,
    /// URL of the load balancer.
    pub load_balancer: String,
    /// URL of the monitoring server.
    pub prometheus: String,
    /// URL of the ledger and its like.
    pub admin: String,
    /// The boards' database, when there is one.
    pub store: Option<SocketAddr>,
    /// The region whose names are used.
    pub region: String,
    /// What calls to the AWS endpoint are signed with.
    pub credentials: Credentials,
    /// The service that images and fleet belong to.
    pub service: String,
    /// The images by version.
    pub images: BTreeMap<String, ImageId>,
    /// The launch template.
    pub launch_template: TemplateId,
    /// The subnets, one for each zone.
    pub subnets: Vec<SubnetId>,
    /// The load balancer.
    pub load_balancer_arn: String,
    /// Its one listener.
    pub listener_arn: String,
    /// The colour groups: `a`, `b`, `canary-1` to `canary-3`.
    pub target_groups: BTreeMap<String, GroupArn>,
    /// The route slots.
    pub slots: Vec<Slot>,
    /// The other load balancers, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherBalancer>,
    /// The instances of the seeded fleet, in order of launch.
    pub blue: Vec<InstanceId>,
    /// Where every instance listens, on its own address.
    pub ports: InstancePorts,
    /// The secret of the control contract.
    pub handover_key: String,
    /// Where logs and the store's file are.
    pub data_dir: PathBuf,
}

/// The ports of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancePorts {
    /// Users' requests, and health checks.
    pub traffic: u16,
    /// Control calls and metrics.
    pub control: u16,
}

/// A load balancer beside the first, with what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherBalancer {
    /// Its URL.
    pub load_balancer: String,
    pub load_balancer_arn: String,
    pub listener_arn: String,
    /// Its colour groups by the same names.
    pub target_groups: BTreeMap<String, GroupArn>,
    pub slots: Vec<Slot>,
}

/// One route slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// What a request's `srv` must say.
    pub value: String,
    /// The group that such a request goes to.
    pub target_group: GroupArn,
}
