//! A server as EC2 describes it, whoever launched it, and the tags by which it is a service's.

use std::collections::BTreeMap;

use crate::ids::{ImageId, InstanceId, ServiceName, Version};
use crate::instance::InstanceState;

/// Whose it is to start and stop.
pub const MANAGED_BY_TAG: &str = "segue:managed-by";
/// The service that an instance belongs to.
pub const SERVICE_TAG: &str = "segue:service";
/// The version that an instance runs.
pub const VERSION_TAG: &str = "segue:version";
/// AWS gives it to every member of an Auto Scaling group; nobody else can write it.
/// Source: Amazon EC2 Auto Scaling, "Tag Auto Scaling groups and instances".
pub const SCALING_GROUP_TAG: &str = "aws:autoscaling:groupName";

/// What the first of the tags says of everything that Segue manages.
const SEGUE: &str = "segue";

/// One instance, of which nothing is taken for granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    pub id: InstanceId,
    pub image: ImageId,
    /// What its AMI's `releaseVersion` tag says; none when the tag or the AMI itself is not there.
    pub image_version: Option<Version>,
    pub state: InstanceState,
    pub address: Option<String>,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
}

/// The tags that make an instance a service's, in a version.
pub fn tags_of(service: &ServiceName, version: &Version) -> BTreeMap<String, String> {
    [(MANAGED_BY_TAG, SEGUE), (SERVICE_TAG, service.as_str()), (VERSION_TAG, version.as_str())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

impl Stranger {
    /// The service that its tag names.
    pub fn service(&self) -> Option<&str> {
        self.tag(SERVICE_TAG)
    }

    /// The version that its tag names.
    pub fn tagged_version(&self) -> Option<Version> {
        self.tag(VERSION_TAG).map(Version::new)
    }

    pub fn scaling_group(&self) -> Option<&str> {
        self.tag(SCALING_GROUP_TAG)
    }

    /// It carries all that an adoption writes, so nothing is left to be written. A release knows a server by its
    /// service and its version alone: one that lacks only [`MANAGED_BY_TAG`] is released like any other, and gets
    /// that tag as soon as somebody adopts.
    pub fn has_all_tags_of(&self, service: &ServiceName) -> bool {
        self.tag(MANAGED_BY_TAG) == Some(SEGUE)
            && self.service() == Some(service.as_str())
            && self.tagged_version().is_some()
    }

    /// A tag without a value says nothing.
    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}
