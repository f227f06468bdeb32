//! The tags by which everything that was launched is found again. They are given at launch and never change.

use aws_sdk_ec2::types::Tag;
use segue_domain::effect::LaunchBatch;
pub(crate) use segue_domain::stranger::{
    MANAGED_BY_TAG as MANAGED_BY, SERVICE_TAG as SERVICE, VERSION_TAG as VERSION, tags_of,
};

pub(crate) const RELEASE: &str = "segue:release";
pub(crate) const BATCH: &str = "segue:batch";
pub(crate) const ATTEMPT: &str = "segue:attempt";
/// Optional: an instance without it is in [`DEFAULT_POOL`].
pub(crate) const POOL: &str = "segue:pool";

/// The pool of a service that has only one.
pub(crate) const DEFAULT_POOL: &str = "main";
/// The AMI's tag that names the version built into it.
pub(crate) const VERSION_TAG: &str = "releaseVersion";
/// The AMI's tag that names the commit it was built from.
pub(crate) const COMMIT_TAG: &str = "commit";

/// The value of a tag that is there and says something.
pub(crate) fn value<'a>(tags: &'a [Tag], name: &str) -> Option<&'a str> {
    let tag = tags.iter().find(|tag| tag.key() == Some(name))?;
    tag.value().filter(|value| !value.is_empty())
}

/// What a launched instance and its volumes carry.
pub(crate) fn of_batch(batch: &LaunchBatch) -> Vec<Tag> {
    let own = [
        (RELEASE, batch.release.to_string()),
        (BATCH, batch.batch.to_string()),
        (ATTEMPT, batch.attempt.to_string()),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value));
    let all = tags_of(&batch.service, &batch.version).into_iter().chain(own);
    all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
