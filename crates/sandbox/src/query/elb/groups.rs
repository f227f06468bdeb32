//! `DescribeTargetGroups` and `DescribeTargetGroupAttributes`.

use std::time::Duration;

use serde::Serialize;

use super::super::ec2::VPC;
use super::super::params::Params;
use super::super::xml::Members;
use super::page;
use crate::names::GroupArn;
use crate::world::{AtDelayEnd, Balancer, ElbRefusal, Group, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Groups {
    target_groups: Members<GroupItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupItem {
    target_group_arn: GroupArn,
    target_group_name: String,
    protocol: &'static str,
    port: u16,
    vpc_id: &'static str,
    health_check_protocol: &'static str,
    health_check_port: &'static str,
    health_check_enabled: bool,
    health_check_interval_seconds: u64,
    health_check_timeout_seconds: u64,
    healthy_threshold_count: u32,
    unhealthy_threshold_count: u32,
    health_check_path: String,
    matcher: MatcherItem,
    load_balancer_arns: Members<String>,
    target_type: &'static str,
    protocol_version: &'static str,
    ip_address_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MatcherItem {
    http_code: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    attributes: Members<AttributeItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeItem {
    key: &'static str,
    value: String,
}

/// Lists target groups by ARN, name or load balancer.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Groups, ElbRefusal> {
    let of = params.take("LoadBalancerArn");
    let arns = params.list("TargetGroupArns.member")?;
    let names = params.list("Names.member")?;
    let page = page(&mut params)?;
    params.finish()?;
    let of = of.map(|arn| world.balancers.by_arn(&arn)).transpose()?;
    for arn in &arns {
        world.balancers.group(&GroupArn::from(arn.as_str()))?;
    }
    let all = || world.balancers.all().flat_map(|it| it.groups.values().map(move |group| (it, group)));
    if !names.iter().all(|name| all().any(|(_, group)| group.name == *name)) {
        return Err(ElbRefusal::GroupNotFound);
    }
    let asked = |(balancer, g): &(&Balancer, &Group)| {
        (arns.is_empty() || arns.iter().any(|arn| arn == g.arn.as_str()))
            && (names.is_empty() || names.contains(&g.name))
            && of.is_none_or(|of| of.settings.arn == balancer.settings.arn && balancer.in_use(&g.arn))
    };
    let (groups, next_marker) = page.cut(all().filter(asked));
    Ok(Groups { target_groups: groups.into_iter().map(|(it, group)| item(it, group)).collect(), next_marker })
}

/// Shows a group's attributes, all with their defaults but the deregistration delay.
pub(super) fn describe_attributes(world: &World, mut params: Params) -> Result<Attributes, ElbRefusal> {
    let arn = GroupArn::from(params.need("TargetGroupArn")?);
    params.finish()?;
    let balancer = world.balancers.of_group(&arn)?;
    let group = balancer.group(&arn)?;
    let close = match balancer.settings.at_delay_end {
        AtDelayEnd::Close => "true",
        AtDelayEnd::Keep => "false",
    };
    let values = [
        ("deregistration_delay.timeout_seconds", whole_seconds(group.deregistration_delay).to_string()),
        ("deregistration_delay.connection_termination.enabled", close.to_owned()),
        ("stickiness.enabled", "false".to_owned()),
        ("stickiness.type", "lb_cookie".to_owned()),
        ("slow_start.duration_seconds", "0".to_owned()),
        ("load_balancing.algorithm.type", "round_robin".to_owned()),
        ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration".to_owned()),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1".to_owned()),
    ];
    Ok(Attributes {
        attributes: values.into_iter().map(|(key, value)| AttributeItem { key, value }).collect(),
    })
}

fn item(balancer: &Balancer, group: &Group) -> GroupItem {
    let settings = &balancer.settings;
    let used = balancer.in_use(&group.arn).then(|| settings.arn.clone());
    GroupItem {
        target_group_arn: group.arn.clone(),
        target_group_name: group.name.clone(),
        protocol: "HTTP",
        port: group.port,
        vpc_id: VPC,
        health_check_protocol: "HTTP",
        health_check_port: "traffic-port",
        health_check_enabled: true,
        health_check_interval_seconds: whole_seconds(settings.check_interval),
        health_check_timeout_seconds: whole_seconds(settings.check_timeout),
        healthy_threshold_count: settings.thresholds.healthy,
        unhealthy_threshold_count: settings.thresholds.unhealthy,
        health_check_path: settings.check_path.clone(),
        matcher: MatcherItem { http_code: "200" },
        load_balancer_arns: used.into_iter().collect(),
        target_type: "instance",
        protocol_version: "HTTP1",
        ip_address_type: "ipv4",
    }
}

/// Whole seconds, rounded up: AWS knows no shorter times, the sandbox does.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}
