//! An instance as EC2 describes it, and what filters look at.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html>

use std::net::Ipv4Addr;

use serde::Serialize;

use super::super::filter::Filtered;
use super::super::xml::Set;
use super::{TagItem, VPC, tag_set};
use crate::names::{ClientToken, ImageId, InstanceId, ReservationId, SubnetId};
use crate::world::{ACCOUNT, Instance, InstanceState, StateReason, Tags};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReservationItem {
    pub(super) reservation_id: ReservationId,
    pub(super) owner_id: &'static str,
    pub(super) group_set: Set<()>,
    pub(super) instances_set: Set<InstanceItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceItem {
    instance_id: InstanceId,
    image_id: ImageId,
    instance_state: StateItem,
    private_dns_name: String,
    dns_name: &'static str,
    reason: &'static str,
    ami_launch_index: u32,
    instance_type: String,
    launch_time: String,
    placement: PlacementItem,
    monitoring: MonitoringItem,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet_id: Option<SubnetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_ip_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<ReasonItem>,
    architecture: &'static str,
    root_device_type: &'static str,
    root_device_name: &'static str,
    virtualization_type: &'static str,
    client_token: String,
    tag_set: Set<TagItem>,
    hypervisor: &'static str,
    ebs_optimized: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct StateItem {
    code: u8,
    name: &'static str,
}

#[derive(Debug, Serialize)]
struct ReasonItem {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacementItem {
    availability_zone: String,
    tenancy: &'static str,
}

#[derive(Debug, Serialize)]
struct MonitoringItem {
    state: &'static str,
}

impl From<InstanceState> for StateItem {
    fn from(state: InstanceState) -> Self {
        Self { code: state.code(), name: state.name() }
    }
}

/// Groups instances by the call that launched them; each group keeps the order.
pub(super) fn reservations<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Vec<ReservationItem> {
    let mut groups: Vec<(ReservationId, Vec<InstanceItem>)> = Vec::new();
    for instance in instances {
        let view = item(instance);
        match groups.last_mut() {
            Some((reservation, items)) if *reservation == instance.reservation => items.push(view),
            Some(_) | None => groups.push((instance.reservation.clone(), vec![view])),
        }
    }
    groups.into_iter().map(|(id, items)| reservation(id, items)).collect()
}

pub(super) fn reservation(id: ReservationId, items: Vec<InstanceItem>) -> ReservationItem {
    ReservationItem {
        reservation_id: id,
        owner_id: ACCOUNT,
        group_set: Set::from_iter([]),
        instances_set: items.into_iter().collect(),
    }
}

pub(super) fn item(instance: &Instance) -> InstanceItem {
    // A terminated instance has left its network.
    let placed = instance.state() != InstanceState::Terminated;
    let [a, b, c, d] = instance.address.octets();
    let reason = instance.reason.as_ref();
    InstanceItem {
        instance_id: instance.id.clone(),
        image_id: instance.image.clone(),
        instance_state: instance.state().into(),
        private_dns_name: if placed { format!("ip-{a}-{b}-{c}-{d}.ec2.internal") } else { String::new() },
        dns_name: "",
        reason: reason.map(StateReason::transition).unwrap_or_default(),
        ami_launch_index: instance.launch_index,
        instance_type: instance.instance_type.clone(),
        launch_time: instance.launched_at.rfc3339(),
        placement: PlacementItem { availability_zone: instance.zone.clone(), tenancy: "default" },
        monitoring: MonitoringItem { state: "disabled" },
        subnet_id: placed.then(|| instance.subnet.clone()),
        vpc_id: placed.then_some(VPC),
        private_ip_address: placed.then_some(instance.address),
        state_reason: reason.map(|why| ReasonItem { code: why.code(), message: why.message() }),
        architecture: "x86_64",
        root_device_type: "ebs",
        root_device_name: "/dev/xvda",
        virtualization_type: "hvm",
        client_token: instance.client_token.as_ref().map(ClientToken::to_string).unwrap_or_default(),
        tag_set: tag_set(&instance.tags),
        hypervisor: "xen",
        ebs_optimized: false,
    }
}

impl Filtered for Instance {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let placed = self.state() != InstanceState::Terminated;
        let values = match name {
            "instance-id" => vec![self.id.to_string()],
            "instance-state-name" => vec![self.state().name().to_owned()],
            "instance-state-code" => vec![self.state().code().to_string()],
            "image-id" => vec![self.image.to_string()],
            "instance-type" => vec![self.instance_type.clone()],
            "subnet-id" => placed.then(|| self.subnet.to_string()).into_iter().collect(),
            "vpc-id" => placed.then(|| VPC.to_owned()).into_iter().collect(),
            "private-ip-address" => placed.then(|| self.address.to_string()).into_iter().collect(),
            "network-interface.addresses.private-ip-address" | "network-interface.private-ip-address" => {
                placed.then(|| self.address.to_string()).into_iter().collect()
            }
            "network-interface.subnet-id" => placed.then(|| self.subnet.to_string()).into_iter().collect(),
            "network-interface.vpc-id" => placed.then(|| VPC.to_owned()).into_iter().collect(),
            "architecture" => vec!["x86_64".to_owned()],
            "hypervisor" => vec!["xen".to_owned()],
            "root-device-type" => vec!["ebs".to_owned()],
            "tenancy" => vec!["default".to_owned()],
            // Nothing in the sandbox has any of these.
            "iam-instance-profile.arn" | "key-name" | "instance-lifecycle" | "placement-group-name" => vec![],
            "availability-zone" => vec![self.zone.clone()],
            "client-token" => self.client_token.iter().map(ClientToken::to_string).collect(),
            "reservation-id" => vec![self.reservation.to_string()],
            "launch-index" => vec![self.launch_index.to_string()],
            "launch-time" => vec![self.launched_at.rfc3339()],
            "owner-id" => vec![ACCOUNT.to_owned()],
            "reason" | "state-reason-code" => self.reason.iter().map(|why| why.code().to_owned()).collect(),
            _ => return None,
        };
        Some(values)
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}
