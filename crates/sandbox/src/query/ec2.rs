//! EC2's actions, version 2016-11-15: each reads its call, asks the world and writes the answer.
//!
//! One file for each family. Actions that are not here are refused as unknown.

mod attributes;
mod changes;
mod images;
mod instance_view;
mod instances;
mod launches;
mod network;
mod templates;

use serde::Serialize;

use super::params::{ParamError, Params};
use super::xml::{Call, Set};
use crate::names::InstanceId;
use crate::world::{At, Ec2Call, Ec2Refusal, Listing, Tags, Verb, World, ec2_tolls};

/// The one network of the sandbox.
pub(super) const VPC: &str = "vpc-0a0b0c0d0e0f00001";

/// The actions that are answered.
pub(super) const ACTIONS: [&str; 13] = [
    "CreateTags",
    "DescribeImages",
    "DescribeInstanceAttribute",
    "DescribeInstanceStatus",
    "DescribeInstances",
    "DescribeLaunchTemplateVersions",
    "DescribeLaunchTemplates",
    "DescribeSubnets",
    "ModifyInstanceAttribute",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
];

/// Answers a call, or says why not.
pub(super) fn answer(
    world: &mut World,
    now: At,
    call: Call<'_>,
    params: Params,
) -> Result<String, Ec2Refusal> {
    if ACTIONS.contains(&call.action)
        && !world.admits(call.action, &ec2_tolls(weigh(call.action, &params)), now)
    {
        return Err(Ec2Refusal::Throttled);
    }
    match call.action {
        "DescribeImages" => images::describe(world, params).map(|body| call.ec2(body)),
        "DescribeInstanceAttribute" => attributes::describe(world, params).map(|body| call.ec2(body)),
        "ModifyInstanceAttribute" => attributes::modify(world, params).map(|body| call.ec2(body)),
        "DescribeInstances" => instances::describe(world, params).map(|body| call.ec2(body)),
        "DescribeInstanceStatus" => instances::describe_status(world, params).map(|body| call.ec2(body)),
        "DescribeSubnets" => network::describe_subnets(world, params).map(|body| call.ec2(body)),
        "DescribeLaunchTemplates" => templates::describe(world, params).map(|body| call.ec2(body)),
        "DescribeLaunchTemplateVersions" => {
            templates::describe_versions(world, params).map(|body| call.ec2(body))
        }
        "RunInstances" => launches::run(world, now, params).map(|body| call.ec2(body)),
        "StartInstances" => changes::change(world, now, Verb::Start, params).map(|body| call.ec2(body)),
        "StopInstances" => changes::change(world, now, Verb::Stop, params).map(|body| call.ec2(body)),
        "TerminateInstances" => {
            changes::change(world, now, Verb::Terminate, params).map(|body| call.ec2(body))
        }
        "CreateTags" => changes::create_tags(world, now, params).map(|body| call.ec2(body)),
        "" => Err(Ec2Refusal::MissingParameter("Action".to_owned())),
        other => Err(Ec2Refusal::UnknownAction(other.to_owned())),
    }
}

/// What a call weighs for the token buckets, as far as it can be told before it is read.
fn weigh<'a>(action: &'a str, params: &Params) -> Ec2Call<'a> {
    let narrowed = params.has_list("Filter") || params.peek("MaxResults").is_some();
    let named = params.entries("InstanceId");
    let asked = params.peek("MaxCount").and_then(|count| count.parse().ok()).unwrap_or(0);
    Ec2Call {
        action,
        listing: if narrowed { Listing::Narrowed } else { Listing::Whole },
        instances: named.max(asked),
    }
}

impl From<ParamError> for Ec2Refusal {
    fn from(error: ParamError) -> Self {
        match error {
            ParamError::Missing(name) => Self::MissingParameter(name),
            ParamError::Unknown(name) => Self::UnknownParameter(name),
            ParamError::Malformed { .. } | ParamError::TooMany { .. } => {
                Self::InvalidParameterValue(error.to_string())
            }
        }
    }
}

/// A tag as EC2 writes it.
#[derive(Debug, Serialize)]
pub(super) struct TagItem {
    key: String,
    value: String,
}

fn tag_set(tags: &Tags) -> Set<TagItem> {
    tags.iter().map(|(key, value)| TagItem { key: key.clone(), value: value.clone() }).collect()
}

/// Reads `InstanceId.N`.
fn instance_ids(params: &mut Params) -> Result<Vec<InstanceId>, ParamError> {
    Ok(params.list("InstanceId")?.into_iter().map(InstanceId::from).collect())
}

/// Reads `Tag.N.Key` and `Tag.N.Value`; a tag without a value has an empty one.
fn tags(params: &mut Params) -> Result<Tags, ParamError> {
    let mut tags = Tags::new();
    for mut group in params.groups("Tag")? {
        let (key, value) = (group.need("Key")?, group.take("Value").unwrap_or_default());
        group.finish()?;
        tags.insert(key, value);
    }
    Ok(tags)
}

/// Whether a call only asks if it would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Real,
    Dry,
}

fn run_kind(params: &mut Params) -> Result<Run, ParamError> {
    let dry: Option<bool> = params.parsed("DryRun")?;
    Ok(if dry == Some(true) { Run::Dry } else { Run::Real })
}

/// Ends a call that only looks: everything was understood, and a dry run is told so.
fn finish_read(mut params: Params) -> Result<(), Ec2Refusal> {
    let run = run_kind(&mut params)?;
    params.finish()?;
    match run {
        Run::Real => Ok(()),
        Run::Dry => Err(Ec2Refusal::DryRun),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(form: &str) -> (Listing, u32) {
        let call = weigh("Any", &Params::parse(form.as_bytes()));
        (call.listing, call.instances)
    }

    #[test]
    fn a_call_weighs_what_it_asks_for_or_names() {
        assert_eq!(weight("MinCount=1&MaxCount=20"), (Listing::Whole, 20));
        assert_eq!(weight("InstanceId.1=i-1&InstanceId.2=i-2&InstanceIdOdd.1=x"), (Listing::Whole, 2));
        assert_eq!(weight("MaxResults=5"), (Listing::Narrowed, 0));
        assert_eq!(weight("Filter.1.Name=tag-key&Filter.1.Value.1=a"), (Listing::Narrowed, 0));
    }
}
