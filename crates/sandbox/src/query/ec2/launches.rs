//! The answer to `RunInstances`: what was launched.
//!
//! Read into a typed request, so that "the same parameters" of a client token means equal requests. What a
//! real launch would take and the sandbox has no use for (security groups, key pairs, profiles) is refused,
//! not ignored, unless a launch template says it.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::params::{ParamError, Params};
use super::instance_view::{ReservationItem, item, reservation};
use super::{Run, run_kind, tags};
use crate::names::{ClientToken, ImageId, SubnetId, TemplateId};
use crate::world::{
    At, Ec2Refusal, LaunchRequest, Protection, Tags, TemplateChoice, TemplateName, VersionSpec, World,
};

/// Launches, or answers as it did when this token came first.
pub(super) fn run(world: &mut World, now: At, mut params: Params) -> Result<ReservationItem, Ec2Refusal> {
    let run = run_kind(&mut params)?;
    let request = read(params)?;
    if run == Run::Dry {
        return Err(world.cloud.launch_dry(&request));
    }
    let launched = world.launch(request, now)?;
    let instances = launched.instances.iter().filter_map(|id| world.cloud.instance(id));
    Ok(reservation(launched.reservation, instances.map(item).collect()))
}

fn read(mut params: Params) -> Result<LaunchRequest, Ec2Refusal> {
    let template = match params.nested("LaunchTemplate") {
        Some(nested) => Some(template_choice(nested)?),
        None => None,
    };
    let request = LaunchRequest {
        template,
        image: params.take("ImageId").map(ImageId::from),
        instance_type: params.take("InstanceType"),
        subnet: params.take("SubnetId").map(SubnetId::from),
        user_data: user_data(&mut params)?,
        tags: instance_tags(&mut params)?,
        protection: Protection::from_flag(params.parsed("DisableApiTermination")? == Some(true)),
        min: count(&mut params, "MinCount")?,
        max: count(&mut params, "MaxCount")?,
        token: params.take("ClientToken").filter(|token| !token.is_empty()).map(ClientToken::from),
    };
    params.finish()?;
    Ok(request)
}

fn count(params: &mut Params, name: &str) -> Result<u32, ParamError> {
    params.parsed(name)?.ok_or_else(|| ParamError::Missing(name.to_owned()))
}

fn template_choice(mut nested: Params) -> Result<TemplateChoice, Ec2Refusal> {
    let name = template_name(&mut nested)?;
    let version =
        nested.take("Version").map_or(Ok(VersionSpec::Default), |text| VersionSpec::parse(&text))?;
    nested.finish()?;
    Ok(TemplateChoice { name, version })
}

/// Reads a launch template's id or name; one of them, not both.
pub(super) fn template_name(params: &mut Params) -> Result<TemplateName, Ec2Refusal> {
    match (params.take("LaunchTemplateId"), params.take("LaunchTemplateName")) {
        (Some(id), None) => Ok(TemplateName::Id(TemplateId::from(id))),
        (None, Some(name)) => Ok(TemplateName::Name(name)),
        (None, None) => Err(Ec2Refusal::MissingParameter("LaunchTemplateId".to_owned())),
        (Some(_), Some(_)) => Err(Ec2Refusal::InvalidParameterCombination(
            "You may specify either launch template id or launch template name, not both.".to_owned(),
        )),
    }
}

fn user_data(params: &mut Params) -> Result<Option<Vec<u8>>, Ec2Refusal> {
    let Some(text) = params.take("UserData") else { return Ok(None) };
    let decoded = STANDARD.decode(text.trim()).ok();
    let malformed = || Ec2Refusal::InvalidParameterValue("Invalid BASE64 encoding of user data.".to_owned());
    decoded.map(Some).ok_or_else(malformed)
}

/// The tags for instances; those for volumes and the like are read and have nothing to stick to.
fn instance_tags(params: &mut Params) -> Result<Tags, Ec2Refusal> {
    let mut all = Tags::new();
    for mut spec in params.groups("TagSpecification")? {
        let kind = spec.need("ResourceType")?;
        let tags = tags(&mut spec)?;
        spec.finish()?;
        match kind.as_str() {
            "instance" => all.extend(tags),
            "volume" | "network-interface" | "spot-instances-request" => {}
            other => {
                let text = format!("'{other}' is not a valid taggable resource type for this operation.");
                return Err(Ec2Refusal::InvalidParameterValue(text));
            }
        }
    }
    Ok(all)
}
