//! `DescribeLaunchTemplates` and `DescribeLaunchTemplateVersions`.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::super::page;
use super::super::params::Params;
use super::super::xml::Set;
use super::launches::template_name;
use super::{TagItem, finish_read, tag_set};
use crate::names::{ImageId, TemplateId};
use crate::world::{ACCOUNT, Ec2Refusal, Template, TemplateData, TemplateName, VersionSpec, World};

/// What a page may hold.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>
const PAGE: RangeInclusive<usize> = 1..=200;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Templates {
    launch_templates: Set<TemplateItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TemplateItem {
    launch_template_id: TemplateId,
    launch_template_name: String,
    create_time: String,
    created_by: String,
    default_version_number: u64,
    latest_version_number: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    launch_template_version_set: Set<VersionItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionItem {
    launch_template_id: TemplateId,
    launch_template_name: String,
    version_number: u64,
    create_time: String,
    created_by: String,
    default_version: bool,
    launch_template_data: DataItem,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DataItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<ImageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_specification_set: Option<Set<TagSpecificationItem>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TagSpecificationItem {
    resource_type: &'static str,
    tag_set: Set<TagItem>,
}

/// Lists launch templates, all of them or by id and name.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Templates, Ec2Refusal> {
    let ids = params.list("LaunchTemplateId")?.into_iter().map(|id| TemplateName::Id(id.into()));
    let mut names: Vec<_> = ids.collect();
    names.extend(params.list("LaunchTemplateName")?.into_iter().map(TemplateName::Name));
    let page = page::read_sized(&mut params, PAGE)?;
    finish_read(params)?;
    let found: Vec<_> = if names.is_empty() {
        world.cloud.templates.iter().collect()
    } else {
        names.iter().map(|name| world.cloud.template(name)).collect::<Result<_, _>>()?
    };
    let (found, next_token) = page.cut((0_u64..).zip(found), |(place, _)| *place);
    let launch_templates = found.into_iter().map(|(_, template)| template_item(template)).collect();
    Ok(Templates { launch_templates, next_token })
}

/// Lists versions of one template, all of them or the ones asked for.
pub(super) fn describe_versions(world: &World, mut params: Params) -> Result<Versions, Ec2Refusal> {
    let name = template_name(&mut params)?;
    let asked = params.list("LaunchTemplateVersion")?;
    let page = page::read_sized(&mut params, PAGE)?;
    finish_read(params)?;
    let template = world.cloud.template(&name)?;
    let specs = if asked.is_empty() {
        (1..=template.latest_version()).map(VersionSpec::Number).collect()
    } else {
        asked.iter().map(|text| VersionSpec::parse(text)).collect::<Result<Vec<_>, _>>()?
    };
    let mut items = Vec::new();
    for spec in specs {
        let (number, data) = template.version(spec)?;
        items.push(version_item(template, number, data));
    }
    let (items, next_token) = page.cut((0_u64..).zip(items), |(place, _)| *place);
    let launch_template_version_set = items.into_iter().map(|(_, item)| item).collect();
    Ok(Versions { launch_template_version_set, next_token })
}

fn template_item(template: &Template) -> TemplateItem {
    TemplateItem {
        launch_template_id: template.id.clone(),
        launch_template_name: template.name.clone(),
        create_time: template.created_at.rfc3339(),
        created_by: account_root(),
        default_version_number: template.default_version,
        latest_version_number: template.latest_version(),
    }
}

fn version_item(template: &Template, number: u64, data: &TemplateData) -> VersionItem {
    let tags = (!data.instance_tags.is_empty()).then(|| {
        let spec = TagSpecificationItem { resource_type: "instance", tag_set: tag_set(&data.instance_tags) };
        [spec].into_iter().collect()
    });
    VersionItem {
        launch_template_id: template.id.clone(),
        launch_template_name: template.name.clone(),
        version_number: number,
        create_time: template.created_at.rfc3339(),
        created_by: account_root(),
        default_version: number == template.default_version,
        launch_template_data: DataItem {
            image_id: data.image.clone(),
            instance_type: data.instance_type.clone(),
            user_data: data.user_data.as_ref().map(|bytes| STANDARD.encode(bytes)),
            tag_specification_set: tags,
        },
    }
}

/// Who made everything that the sandbox was seeded with.
fn account_root() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}
