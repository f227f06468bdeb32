//! Instances that nobody here launched: looked at by id, and tagged.
//!
//! Ids go into a filter, not into the list of ids: so a listing leaves out what is not there instead of failing
//! as a whole, and comes in pages. Source: EC2 API, DescribeInstances.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Instance as SdkInstance, Tag};
use segue_domain::ids::{ImageId, InstanceId, Version};
use segue_domain::stranger::Stranger;
use segue_engine::ports::{CallError, Class};

use crate::ec2::Ec2;
use crate::errors::Failure;
use crate::lifecycle::Batches;
use crate::{instances, tags};

/// Values that one filter takes. Source: EC2, "Filter parameters".
const VALUES_MAX: usize = 200;

/// Each as EC2 describes it now, with what its image says of its version.
pub(crate) async fn look_at(
    ec2: &Ec2,
    ids: &BTreeSet<InstanceId>,
) -> Result<BTreeMap<InstanceId, Stranger>, CallError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut found = BTreeMap::new();
    for some in ids.chunks(VALUES_MAX) {
        instances::each(ec2, filter("instance-id", some), |instance| {
            let stranger = read(instance)?;
            found.insert(stranger.id.clone(), stranger);
            Ok(())
        })
        .await?;
    }
    let images: BTreeSet<String> = found.values().map(|it: &Stranger| it.image.to_string()).collect();
    let images: Vec<String> = images.into_iter().collect();
    let mut versions = BTreeMap::new();
    for some in images.chunks(VALUES_MAX) {
        describe_images(ec2, some, &mut versions).await?;
    }
    for stranger in found.values_mut() {
        stranger.image_version = versions.get(&stranger.image).cloned();
    }
    Ok(found)
}

fn read(instance: &SdkInstance) -> Result<Stranger, CallError> {
    let (id, state) = instances::id_and_state(instance)?;
    let image = instance.image_id();
    let image =
        image.ok_or_else(|| CallError::bug(format!("EC2 described instance {id} without its image")))?;
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    Ok(Stranger {
        id: InstanceId::new(id),
        image: ImageId::new(image),
        image_version: None,
        state,
        address: instance.private_ip_address().filter(|address| !address.is_empty()).map(str::to_owned),
        tags: instance.tags().iter().filter_map(pair).collect(),
    })
}

/// Whoever owns them, and in whatever state they are: the question is what an instance was made of.
async fn describe_images(
    ec2: &Ec2,
    ids: &[String],
    versions: &mut BTreeMap<ImageId, Version>,
) -> Result<(), CallError> {
    let asking = ec2.client.describe_images().filters(filter("image-id", ids));
    let page = ec2.calls.read("DescribeImages", asking.send()).await?;
    for image in page.images() {
        let version = tags::value(image.tags(), tags::VERSION_TAG);
        versions.extend(image.image_id().zip(version).map(|(id, it)| (ImageId::new(id), Version::new(it))));
    }
    Ok(())
}

fn filter(name: &str, values: &[String]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

/// Tags that are there already are written again, which changes nothing. Where one of several could not be
/// tagged for a reason of its own, others may have been. Source: EC2 API, CreateTags.
pub(crate) async fn tag(
    ec2: &Ec2,
    instances: &[InstanceId],
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let tags: Vec<Tag> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let several = ids.len() > 1;
        let tagging = ec2.client.create_tags().set_resources(Some(ids)).set_tags(Some(tags.clone()));
        let result = ec2.calls.change("CreateTags", tagging.send()).await;
        batches.end(result.map(drop).map_err(|failure| match several && failure.is("TagLimitExceeded") {
            true => Failure { class: Class::Unknown, ..failure },
            false => failure,
        }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use segue_domain::instance::InstanceState;

    use super::*;
    use crate::stub::{Stub, answer, refusal, tag_set};

    fn ids(names: &[&str]) -> BTreeSet<InstanceId> {
        names.iter().map(|name| InstanceId::new(*name)).collect()
    }

    fn instance(id: &str, image: &str, state: &str, tags: &[(&str, &str)]) -> String {
        let tags = tag_set(tags);
        format!(
            "<item><instancesSet><item><instanceId>{id}</instanceId><imageId>{image}</imageId>\
             <instanceState><code>0</code><name>{state}</name></instanceState>{tags}</item></instancesSet></item>"
        )
    }

    fn instances(items: &[String]) -> String {
        answer("DescribeInstances", &format!("<reservationSet>{}</reservationSet>", items.concat()))
    }

    fn images(items: &[(&str, &[(&str, &str)])]) -> String {
        let item = |(id, tags): &(&str, &[(&str, &str)])| {
            format!("<item><imageId>{id}</imageId>{}</item>", tag_set(tags))
        };
        let items: Vec<String> = items.iter().map(item).collect();
        answer("DescribeImages", &format!("<imagesSet>{}</imagesSet>", items.concat()))
    }

    #[tokio::test]
    async fn instances_are_looked_at_by_id_with_all_their_tags_and_their_images_versions() {
        let owned = [("Name", "board server"), ("aws:autoscaling:groupName", "asg-1")];
        let found = [instance("i-a", "ami-1", "running", &owned), instance("i-b", "ami-9", "stopped", &[])];
        let stub = Stub::start([
            (200, instances(&found)),
            (200, images(&[("ami-1", &[("releaseVersion", "1"), ("service", "boards")])])),
        ])
        .await;
        let found = stub.cloud().await.strangers(&ids(&["i-a", "i-b", "i-c"])).await.expect("a look");
        let (a, b) = (&found[&InstanceId::new("i-a")], &found[&InstanceId::new("i-b")]);
        assert_eq!((a.scaling_group(), a.image_version.clone()), (Some("asg-1"), Some(Version::new("1"))));
        assert_eq!(
            (b.state, b.image_version.clone(), b.address.clone()),
            (InstanceState::Stopped, None, None)
        );
        assert_eq!(found.len(), 2);
        let asked = stub.asked();
        assert_eq!(asked[0].list("Filter.1.Value"), ["i-a", "i-b", "i-c"]);
        assert_eq!(asked[0].list("InstanceId"), [""; 0], "an id that is gone must not fail the others");
        assert_eq!(asked[1].list("Filter.1.Value"), ["ami-1", "ami-9"]);
    }

    #[tokio::test]
    async fn nobody_is_looked_at_without_a_call() {
        let stub = Stub::start([]).await;
        assert_eq!(stub.cloud().await.strangers(&BTreeSet::new()).await, Ok(BTreeMap::new()));
        assert_eq!(stub.asked().len(), 0);
    }

    #[tokio::test]
    async fn tags_are_written_on_all_in_one_call_and_a_refusal_is_told_in_its_class() {
        let stub = Stub::start([
            (200, answer("CreateTags", "<return>true</return>")),
            (403, refusal("UnauthorizedOperation")),
            (400, refusal("TagLimitExceeded")),
            (400, refusal("TagLimitExceeded")),
        ])
        .await;
        let cloud = stub.cloud().await;
        let two = [InstanceId::new("i-a"), InstanceId::new("i-b")];
        let tags = BTreeMap::from([("segue:service".to_owned(), "boards".to_owned())]);
        cloud.tag(&two, &tags).await.expect("tagged");
        assert_eq!(cloud.tag(&two, &tags).await.expect_err("forbidden").class, Class::Refused);
        assert_eq!(cloud.tag(&two, &tags).await.expect_err("one is full").class, Class::Unknown);
        let [one, _] = two;
        assert_eq!(cloud.tag(&[one], &tags).await.expect_err("it is full").class, Class::Refused);
        let asked = stub.asked();
        assert_eq!(asked[0].list("ResourceId"), ["i-a", "i-b"]);
        assert_eq!(asked[0].pairs("Tag", "Key", "Value"), [("segue:service", "boards")]);
    }
}
