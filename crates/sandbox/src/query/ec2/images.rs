//! The answer to `DescribeImages`: which images there are.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>

use serde::Serialize;

use super::super::filter::{self, Filtered};
use super::super::page;
use super::super::params::Params;
use super::super::xml::Set;
use super::{TagItem, finish_read, tag_set};
use crate::names::ImageId;
use crate::world::{ACCOUNT, Ec2Refusal, Image, Tags, World};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Images {
    images_set: Set<ImageItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageItem {
    image_id: ImageId,
    image_location: String,
    image_state: &'static str,
    image_owner_id: &'static str,
    creation_date: String,
    is_public: bool,
    architecture: &'static str,
    image_type: &'static str,
    name: String,
    root_device_type: &'static str,
    root_device_name: &'static str,
    virtualization_type: &'static str,
    hypervisor: &'static str,
    tag_set: Set<TagItem>,
}

/// Lists images by id, owner and filters.
pub(super) fn describe(world: &World, mut params: Params) -> Result<Images, Ec2Refusal> {
    let ids = params.list("ImageId")?;
    let owners = params.list("Owner")?;
    let filters = filter::read(&mut params)?;
    let page = page::read(&mut params)?;
    // What they would add is not in the sandbox: images that are deprecated or disabled.
    let _deprecated: Option<bool> = params.parsed("IncludeDeprecated")?;
    let _disabled: Option<bool> = params.parsed("IncludeDisabled")?;
    finish_read(params)?;
    for id in &ids {
        if !id.starts_with("ami-") {
            return Err(Ec2Refusal::ImageMalformed(id.clone()));
        }
        if !world.cloud.images.contains_key(&ImageId::from(id.as_str())) {
            return Err(Ec2Refusal::ImageNotFound(id.as_str().into()));
        }
    }
    let owned = owners.is_empty() || owners.iter().any(|owner| owner == "self" || owner == ACCOUNT);
    let mut found = Vec::new();
    for image in world.cloud.images.values().filter(|_| owned) {
        let asked = ids.is_empty() || ids.iter().any(|id| id == image.id.as_str());
        if asked && filter::matches(&filters, image)? {
            found.push(item(image));
        }
    }
    let numbered = (0_u64..).zip(found);
    let (images, next_token) = page.cut(numbered, |(place, _)| *place);
    Ok(Images { images_set: images.into_iter().map(|(_, image)| image).collect(), next_token })
}

impl Filtered for Image {
    fn values(&self, name: &str) -> Option<Vec<String>> {
        let value = match name {
            "image-id" => self.id.to_string(),
            "name" => self.name.clone(),
            "state" => "available".to_owned(),
            "owner-id" => ACCOUNT.to_owned(),
            "is-public" => "false".to_owned(),
            "architecture" => "x86_64".to_owned(),
            "image-type" => "machine".to_owned(),
            "root-device-type" => "ebs".to_owned(),
            "virtualization-type" => "hvm".to_owned(),
            "creation-date" => self.created_at.rfc3339(),
            _ => return None,
        };
        Some(vec![value])
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }
}

fn item(image: &Image) -> ImageItem {
    ImageItem {
        image_id: image.id.clone(),
        image_location: format!("{ACCOUNT}/{}", image.name),
        image_state: "available",
        image_owner_id: ACCOUNT,
        creation_date: image.created_at.rfc3339(),
        is_public: false,
        architecture: "x86_64",
        image_type: "machine",
        name: image.name.clone(),
        root_device_type: "ebs",
        root_device_name: "/dev/xvda",
        virtualization_type: "hvm",
        hypervisor: "xen",
        tag_set: tag_set(&image.tags),
    }
}
