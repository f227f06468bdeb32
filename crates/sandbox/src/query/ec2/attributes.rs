//! `ModifyInstanceAttribute` and `DescribeInstanceAttribute`, for one attribute: termination protection.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html>

use serde::Serialize;

use super::super::params::Params;
use super::changes::Done;
use super::{Run, finish_read, run_kind};
use crate::names::InstanceId;
use crate::world::{Ec2Refusal, Protection, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attribute {
    instance_id: InstanceId,
    disable_api_termination: ValueItem,
}

#[derive(Debug, Serialize)]
struct ValueItem {
    value: bool,
}

/// Protects an instance from termination, or does so no longer.
pub(super) fn modify(world: &mut World, mut params: Params) -> Result<Done, Ec2Refusal> {
    let run = run_kind(&mut params)?;
    let id = InstanceId::from(params.need("InstanceId")?);
    let protection = match params.nested("DisableApiTermination") {
        Some(mut nested) => {
            let value: Option<bool> = nested.parsed("Value")?;
            nested.finish()?;
            value
        }
        None => None,
    };
    params.finish()?;
    let missing = || Ec2Refusal::MissingParameter("DisableApiTermination.Value".to_owned());
    let protection = Protection::from_flag(protection.ok_or_else(missing)?);
    world.cloud.require(std::slice::from_ref(&id))?;
    if run == Run::Dry {
        return Err(Ec2Refusal::DryRun);
    }
    world.cloud.protect(&id, protection);
    Ok(Done { done: true })
}

/// Shows whether an instance is protected.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Attribute, Ec2Refusal> {
    let id = InstanceId::from(params.need("InstanceId")?);
    let attribute = params.need("Attribute")?;
    finish_read(params)?;
    if attribute != "disableApiTermination" {
        let text = format!("Value ({attribute}) for parameter attribute is invalid. Unknown attribute.");
        return Err(Ec2Refusal::InvalidParameterValue(text));
    }
    world.cloud.require(std::slice::from_ref(&id))?;
    let protection = world.cloud.instance(&id).map(|instance| instance.protection);
    let value = protection == Some(Protection::On);
    Ok(Attribute { instance_id: id, disable_api_termination: ValueItem { value } })
}
