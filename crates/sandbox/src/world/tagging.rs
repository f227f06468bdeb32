//! Tags of instances and images: what may be written, and when it shows.
//!
//! New tags show when the account's lag is over; what a launch was given shows with the instance.

use super::at::At;
use super::cloud::Cloud;
use super::image::Tags;
use super::refusal::Ec2Refusal;
use crate::names::{ImageId, InstanceId};

/// Tags that a resource may have.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
const TAGS_MAX: usize = 50;

/// Tags that were written and do not show yet.
#[derive(Debug)]
pub(super) struct ComingTags {
    pub(super) at: At,
    resource: String,
    tags: Tags,
}

impl Cloud {
    /// Writes tags as AWS itself does: it may write any, and they are there at once.
    pub(crate) fn seed_tags(&mut self, instances: &[InstanceId], tags: &Tags) {
        for id in instances {
            if let Some(instance) = self.instance_mut(id) {
                instance.tags.extend(tags.clone());
            }
        }
    }

    /// Adds or replaces tags of instances and images; all or nothing.
    pub(crate) fn create_tags(
        &mut self,
        resources: &[String],
        tags: &Tags,
        now: At,
    ) -> Result<(), Ec2Refusal> {
        for resource in resources {
            // AWS's own tags do not count, and nobody else can write them.
            let present = self.tags_of(resource)?.iter().filter(|(key, _)| !key.starts_with("aws:"));
            let mut merged: Tags = present.map(|(key, value)| (key.clone(), value.clone())).collect();
            let coming = self.coming_tags.iter().filter(|coming| coming.resource == *resource);
            coming.for_each(|coming| merged.extend(coming.tags.clone()));
            merged.extend(tags.clone());
            check_tags(&merged)?;
        }
        let at = now.plus(self.lags.tags);
        let coming = |resource: &String| ComingTags { at, resource: resource.clone(), tags: tags.clone() };
        self.coming_tags.extend(resources.iter().map(coming));
        self.show_tags(now);
        Ok(())
    }

    /// Shows the tags whose time has come, in the order in which they were written.
    pub(super) fn show_tags(&mut self, now: At) {
        let shown: Vec<_> = self.coming_tags.extract_if(.., |coming| coming.at <= now).collect();
        for ComingTags { resource, tags, .. } in shown {
            let present = if resource.starts_with("i-") {
                self.instance_mut(&InstanceId::from(resource)).map(|instance| &mut instance.tags)
            } else {
                self.images.get_mut(&ImageId::from(resource)).map(|image| &mut image.tags)
            };
            // What has gone in the meantime has no tags.
            if let Some(present) = present {
                present.extend(tags);
            }
        }
    }

    fn tags_of(&self, resource: &str) -> Result<&Tags, Ec2Refusal> {
        if resource.starts_with("i-") {
            let id = InstanceId::from(resource);
            let instance = self.seen(&id);
            return instance.map(|i| &i.tags).ok_or(Ec2Refusal::InstanceNotFound(vec![id]));
        }
        if resource.starts_with("ami-") {
            let id = ImageId::from(resource);
            return self.images.get(&id).map(|i| &i.tags).ok_or(Ec2Refusal::ImageNotFound(id));
        }
        Err(Ec2Refusal::UnknownResource(resource.to_owned()))
    }
}

/// Whether a resource may carry these tags.
pub(super) fn check_tags(tags: &Tags) -> Result<(), Ec2Refusal> {
    if tags.len() > TAGS_MAX {
        return Err(Ec2Refusal::TagLimit);
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return Err(Ec2Refusal::InvalidParameterValue(
                "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Ec2Refusal::InvalidParameterValue(format!(
                "Tag '{key}' exceeds the maximum length of 128 characters for a key or 256 for a value."
            )));
        }
    }
    Ok(())
}
