//! `DescribeLoadBalancers` and `DescribeTags`.

use serde::Serialize;

use super::super::ec2::VPC;
use super::super::params::Params;
use super::super::xml::Members;
use super::page;
use crate::names::GroupArn;
use crate::world::{Balancer, ElbRefusal, World};

/// Resources in one `DescribeTags` call.
const TAGS_OF_MAX: usize = 20;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Balancers {
    load_balancers: Members<BalancerItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct BalancerItem {
    load_balancer_arn: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    created_time: String,
    load_balancer_name: String,
    scheme: &'static str,
    vpc_id: &'static str,
    state: StateItem,
    #[serde(rename = "Type")]
    kind: &'static str,
    availability_zones: Members<ZoneItem>,
    ip_address_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StateItem {
    code: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ZoneItem {
    zone_name: String,
    subnet_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    tag_descriptions: Members<TagDescription>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagDescription {
    resource_arn: String,
    tags: Members<()>,
}

/// Shows those load balancers that are asked for; without a name all of them.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Balancers, ElbRefusal> {
    let arns = params.list("LoadBalancerArns.member")?;
    let names = params.list("Names.member")?;
    let page = page(&mut params)?;
    params.finish()?;
    let all = || world.balancers.all();
    for arn in &arns {
        world.balancers.by_arn(arn)?;
    }
    if names.iter().any(|name| !all().any(|it| it.settings.name == *name)) {
        return Err(ElbRefusal::BalancerNotFound);
    }
    let asked = |it: &&Balancer| {
        (arns.is_empty() || arns.contains(&it.settings.arn))
            && (names.is_empty() || names.contains(&it.settings.name))
    };
    let (items, next_marker) = page.cut(all().filter(asked).map(|balancer| item(world, balancer)));
    Ok(Balancers { load_balancers: items.into_iter().collect(), next_marker })
}

fn item(world: &World, balancer: &Balancer) -> BalancerItem {
    let Balancer { settings, port, created_at, .. } = balancer;
    let zone = |subnet: &crate::world::Subnet| ZoneItem {
        zone_name: subnet.zone.clone(),
        subnet_id: subnet.id.to_string(),
    };
    BalancerItem {
        load_balancer_arn: settings.arn.clone(),
        dns_name: format!("127.0.0.1:{port}"),
        created_time: created_at.rfc3339(),
        load_balancer_name: settings.name.clone(),
        scheme: "internal",
        vpc_id: VPC,
        state: StateItem { code: "active" },
        kind: "application",
        availability_zones: world.cloud.subnets.values().map(zone).collect(),
        ip_address_type: "ipv4",
    }
}

/// Shows the tags of load balancers and groups, of which nobody gave them any.
pub(super) fn describe_tags(world: &World, mut params: Params) -> Result<Tags, ElbRefusal> {
    let arns = params.list("ResourceArns.member")?;
    params.finish()?;
    if arns.is_empty() || arns.len() > TAGS_OF_MAX {
        let text = format!("Between 1 and {TAGS_OF_MAX} resource ARNs must be given");
        return Err(ElbRefusal::Validation(text));
    }
    let balancers = &world.balancers;
    let mut descriptions = Vec::new();
    for arn in arns {
        if balancers.by_arn(&arn).is_err() && balancers.by_listener(&arn).is_err() {
            balancers.group(&GroupArn::from(arn.as_str()))?;
        }
        descriptions.push(TagDescription { resource_arn: arn, tags: Members::from_iter([]) });
    }
    Ok(Tags { tag_descriptions: descriptions.into_iter().collect() })
}
