//! `StartInstances`, `StopInstances`, `TerminateInstances`, `CreateTags`.

use serde::Serialize;

use super::super::params::Params;
use super::super::xml::Set;
use super::instance_view::StateItem;
use super::{Run, instance_ids, run_kind, tags};
use crate::names::InstanceId;
use crate::world::{At, Change, Ec2Refusal, Verb, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changes {
    instances_set: Set<ChangeItem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeItem {
    instance_id: InstanceId,
    current_state: StateItem,
    previous_state: StateItem,
}

#[derive(Debug, Serialize)]
pub(super) struct Done {
    #[serde(rename = "return")]
    pub(super) done: bool,
}

/// Starts, stops or terminates instances.
pub(super) fn change(
    world: &mut World,
    now: At,
    verb: Verb,
    mut params: Params,
) -> Result<Changes, Ec2Refusal> {
    let run = run_kind(&mut params)?;
    let ids = instance_ids(&mut params)?;
    // A forced stop or termination is no other than a polite one here: both end with a kill.
    let _force: Option<bool> = params.parsed("Force")?;
    params.finish()?;
    if run == Run::Dry {
        return Err(world.change_dry(verb, &ids));
    }
    let changes = world.change(verb, &ids, now)?;
    Ok(Changes { instances_set: changes.into_iter().map(item).collect() })
}

/// Adds tags to instances and images.
pub(super) fn create_tags(world: &mut World, now: At, mut params: Params) -> Result<Done, Ec2Refusal> {
    let run = run_kind(&mut params)?;
    let resources = params.list("ResourceId")?;
    let tags = tags(&mut params)?;
    params.finish()?;
    if resources.is_empty() {
        return Err(Ec2Refusal::MissingParameter("ResourceId".to_owned()));
    }
    if run == Run::Dry {
        return Err(Ec2Refusal::DryRun);
    }
    world.cloud.create_tags(&resources, &tags, now)?;
    Ok(Done { done: true })
}

fn item(change: Change) -> ChangeItem {
    ChangeItem {
        instance_id: change.instance,
        current_state: change.after.into(),
        previous_state: change.before.into(),
    }
}
