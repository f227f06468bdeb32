//! Which images of a service there are.

use aws_sdk_ec2::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ec2::types::{Filter, Image as SdkImage};
use segue_domain::ids::{Commit, ImageId, Version};
use segue_domain::instance::Image;
use segue_domain::time::Timestamp;
use segue_engine::ports::{CallError, ImageQuery};

use crate::ec2::{Ec2, PAGE, PAGES_MAX, endless, next_page};
use crate::tags::{self, COMMIT_TAG, VERSION_TAG};

/// Every available image with the query's tags, newest first. One without a version tag is no release's.
pub(crate) async fn available(ec2: &Ec2, query: &ImageQuery) -> Result<Vec<Image>, CallError> {
    let by_tag = query.tags.iter().map(|(name, value)| filter(&format!("tag:{name}"), value));
    let filters: Vec<Filter> = by_tag.chain([filter("state", "available")]).collect();
    let mut images = Vec::new();
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let asking = ec2.client.describe_images().owners(&query.owner).set_filters(Some(filters.clone()));
        let asking = asking.max_results(PAGE).set_next_token(token.take());
        let page = ec2.calls.read("DescribeImages", asking.send()).await?;
        for image in page.images() {
            images.extend(read(image)?);
        }
        token = next_page(page.next_token());
        if token.is_none() {
            images.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
            return Ok(images);
        }
    }
    Err(endless("DescribeImages"))
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn read(image: &SdkImage) -> Result<Option<Image>, CallError> {
    let Some(id) = image.image_id() else {
        return Err(CallError::bug("EC2 described an image without its id"));
    };
    let Some(version) = tags::value(image.tags(), VERSION_TAG) else {
        return Ok(None);
    };
    let created_at = image.creation_date().and_then(moment);
    let Some(created_at) = created_at else {
        return Err(CallError::bug(format!("EC2 described image {id} without a readable creation date")));
    };
    Ok(Some(Image {
        id: ImageId::new(id),
        version: Version::new(version),
        commit: tags::value(image.tags(), COMMIT_TAG).map(Commit::from),
        created_at,
    }))
}

/// EC2 gives an image's date as text: `2026-11-21T22:55:00.000Z`.
fn moment(text: &str) -> Option<Timestamp> {
    let moment = DateTime::from_str(text, DateTimeFormat::DateTime).ok()?;
    moment.to_millis().ok().map(Timestamp::from_ms)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stub::{Stub, answer, tag_set};

    fn query() -> ImageQuery {
        let tags = BTreeMap::from([("service".to_owned(), "boards".to_owned())]);
        ImageQuery { owner: "self".to_owned(), tags }
    }

    fn image(id: &str, created: &str, tags: &[(&str, &str)]) -> String {
        let tags = tag_set(tags);
        format!("<item><imageId>{id}</imageId><creationDate>{created}</creationDate>{tags}</item>")
    }

    fn page(items: &[String], next: &str) -> String {
        answer("DescribeImages", &format!("<imagesSet>{}</imagesSet>{next}", items.concat()))
    }

    #[tokio::test]
    async fn images_of_two_pages_come_newest_first_and_those_without_a_version_are_left_out() {
        let first = [
            image("ami-1", "2026-11-20T08:00:00.000Z", &[("releaseVersion", "1"), ("commit", "c1")]),
            image("ami-0", "2026-11-22T08:00:00.000Z", &[("service", "boards")]),
        ];
        let second = [image("ami-2", "2026-11-21T08:00:00.000Z", &[("releaseVersion", "2")])];
        let stub = Stub::start([
            (200, page(&first, "<nextToken>more</nextToken>")),
            (200, page(&second, "<nextToken></nextToken>")),
        ])
        .await;
        let images = stub.cloud().await.images(&query()).await.expect("images");
        let found: Vec<_> = images.iter().map(|image| (image.id.as_str(), image.version.as_str())).collect();
        assert_eq!(found, [("ami-2", "2"), ("ami-1", "1")]);
        assert_eq!(images[1].commit, Some(Commit::new("c1")));
        assert_eq!(images[1].created_at, Timestamp::from_ms(1_795_161_600_000));

        let asked = stub.asked();
        assert_eq!(asked[0].field("Owner.1"), Some("self"));
        assert_eq!(asked[0].filters(), [("state", "available"), ("tag:service", "boards")]);
        assert_eq!(asked[0].field("MaxResults"), Some("1000"));
        assert_eq!((asked[0].field("NextToken"), asked[1].field("NextToken")), (None, Some("more")));
    }
}
