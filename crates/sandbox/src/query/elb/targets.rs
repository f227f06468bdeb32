//! `RegisterTargets`, `DeregisterTargets`, `DescribeTargetHealth`.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html>

use serde::Serialize;

use super::super::params::Params;
use super::super::xml::Members;
use super::Nothing;
use crate::names::{GroupArn, InstanceId};
use crate::world::{At, ElbRefusal, Group, HealthReport, TargetKey, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HealthOfTargets {
    target_health_descriptions: Members<DescriptionItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescriptionItem {
    target: TargetItem,
    health_check_port: String,
    target_health: HealthItem,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetItem {
    id: InstanceId,
    port: u16,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthItem {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// Registers targets: all of them, or none.
pub(super) fn register(world: &mut World, now: At, params: Params) -> Result<Nothing, ElbRefusal> {
    let (arn, targets) = read(params)?;
    if targets.is_empty() {
        return Err(ElbRefusal::Validation("At least one target must be specified".to_owned()));
    }
    world.balancers.register(&world.cloud, &arn, &targets, now)?;
    Ok(Nothing {})
}

/// Begins to drain targets.
pub(super) fn deregister(world: &mut World, now: At, params: Params) -> Result<Nothing, ElbRefusal> {
    let (arn, targets) = read(params)?;
    if targets.is_empty() {
        return Err(ElbRefusal::Validation("At least one target must be specified".to_owned()));
    }
    world.balancers.deregister(&arn, &targets, now)?;
    Ok(Nothing {})
}

/// Shows the health of all targets of a group, or of those that are named, registered or not.
pub(super) fn describe_health(world: &World, params: Params) -> Result<HealthOfTargets, ElbRefusal> {
    let (arn, named) = read(params)?;
    let group = world.balancers.group(&arn)?;
    let keys: Vec<TargetKey> = if named.is_empty() {
        group.targets().map(|(key, _)| key.clone()).collect()
    } else {
        named.into_iter().flat_map(|(id, port)| keys_of(group, &id, port)).collect()
    };
    let describe = |key: TargetKey| {
        let HealthReport { state, reason, description } =
            group.report(&key, world.cloud.instance(&key.instance));
        DescriptionItem {
            health_check_port: key.port.to_string(),
            target: TargetItem { id: key.instance, port: key.port },
            target_health: HealthItem { state, reason, description },
        }
    };
    Ok(HealthOfTargets { target_health_descriptions: keys.into_iter().map(describe).collect() })
}

/// The ports under which an instance is registered, or the one that would be meant.
fn keys_of(group: &Group, id: &InstanceId, port: Option<u16>) -> Vec<TargetKey> {
    let registered = group.targets().map(|(key, _)| key);
    let found: Vec<_> =
        registered.filter(|k| k.instance == *id && port.is_none_or(|p| p == k.port)).cloned().collect();
    if found.is_empty() {
        return vec![TargetKey { instance: id.clone(), port: port.unwrap_or(group.port) }];
    }
    found
}

type Targets = Vec<(InstanceId, Option<u16>)>;

fn read(mut params: Params) -> Result<(GroupArn, Targets), ElbRefusal> {
    let arn = GroupArn::from(params.need("TargetGroupArn")?);
    let mut targets = Vec::new();
    for mut target in params.groups("Targets.member")? {
        let (id, port) = (target.need("Id")?, target.parsed("Port")?);
        target.finish()?;
        targets.push((InstanceId::from(id), port));
    }
    params.finish()?;
    Ok((arn, targets))
}
