//! The answer to `DescribeSubnets`: where there is room.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>

use serde::Serialize;

use super::super::filter::{self, Filtered};
use super::super::page;
use super::super::params::Params;
use super::super::xml::Set;
use super::{VPC, finish_read};
use crate::names::SubnetId;
use crate::world::{ACCOUNT, Ec2Refusal, Subnet, Tags, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subnets {
    subnet_set: Set<SubnetItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubnetItem {
    subnet_id: SubnetId,
    state: &'static str,
    owner_id: &'static str,
    vpc_id: &'static str,
    cidr_block: String,
    available_ip_address_count: usize,
    availability_zone: String,
    default_for_az: bool,
    map_public_ip_on_launch: bool,
}

/// Lists subnets by id and filters.
pub(super) fn describe_subnets(world: &World, mut params: Params) -> Result<Subnets, Ec2Refusal> {
    let ids = params.list("SubnetId")?;
    let filters = filter::read(&mut params)?;
    let page = page::read(&mut params)?;
    finish_read(params)?;
    for id in &ids {
        if !world.cloud.subnets.contains_key(&SubnetId::from(id.as_str())) {
            return Err(Ec2Refusal::SubnetNotFound(id.as_str().into()));
        }
    }
    let mut found = Vec::new();
    for subnet in world.cloud.subnets.values() {
        let asked = ids.is_empty() || ids.iter().any(|id| id == subnet.id.as_str());
        if asked && filter::matches(&filters, subnet)? {
            found.push(item(subnet));
        }
    }
    let (page, next_token) = page.cut((0_u64..).zip(found), |(place, _)| *place);
    Ok(Subnets { subnet_set: page.into_iter().map(|(_, subnet)| subnet).collect(), next_token })
}

impl Filtered for Subnet {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let value = match name {
            "subnet-id" => self.id.to_string(),
            "availability-zone" => self.zone.clone(),
            "vpc-id" => VPC.to_owned(),
            "state" => "available".to_owned(),
            "cidr-block" => self.cidr(),
            "owner-id" => ACCOUNT.to_owned(),
            _ => return None,
        };
        Some(vec![value])
    }

    fn tags(&self) -> &Tags {
        static NONE: Tags = Tags::new();
        &NONE
    }
}

fn item(subnet: &Subnet) -> SubnetItem {
    SubnetItem {
        subnet_id: subnet.id.clone(),
        state: "available",
        owner_id: ACCOUNT,
        vpc_id: VPC,
        cidr_block: subnet.cidr(),
        available_ip_address_count: subnet.free_addresses(),
        availability_zone: subnet.zone.clone(),
        default_for_az: true,
        map_public_ip_on_launch: false,
    }
}
