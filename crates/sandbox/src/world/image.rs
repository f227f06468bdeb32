//! Machine images: an id, tags, and the program that an instance of it runs.
//!
//! Anything that listens can be an image, in any language. There is no disk and no build.

use std::collections::BTreeMap;

use super::at::At;
use crate::names::ImageId;

/// Tags of any resource, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// One AMI. It is `available` from the start.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) id: ImageId,
    pub(crate) name: String,
    pub(crate) tags: Tags,
    pub(crate) created_at: At,
    /// The program and its arguments; never empty.
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}
