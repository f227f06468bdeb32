//! Which instances of a service there are: one listing by tag, in pages, never by id.
//!
//! Ids cannot be combined with paging, fail as a whole for one unknown id, and have a smaller rate allowance.
//! Source: EC2 API, DescribeInstances; EC2 API request throttling.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Instance as SdkInstance, InstanceStateName, Reservation, Tag};
use segue_domain::ids::{ImageId, InstanceId, PoolName, ServiceName, SubnetId, Version};
use segue_domain::instance::{Instance, InstanceState, Origin};
use segue_domain::time::Timestamp;
use segue_engine::ports::CallError;

use crate::ec2::{Ec2, PAGE, PAGES_MAX, endless, next_page};
use crate::tags;

/// Stands for the subnet of an instance that is gone: EC2 keeps its tags for about an hour, and takes its subnet
/// and address away at once.
const NO_SUBNET: &str = "-";

/// Every instance with the service's tag. A later page's word on an instance wins over an earlier one's.
pub(crate) async fn of_service(
    ec2: &Ec2,
    service: &ServiceName,
) -> Result<BTreeMap<InstanceId, Instance>, CallError> {
    let filter = Filter::builder().name(format!("tag:{}", tags::SERVICE)).values(service.as_str()).build();
    let mut found = BTreeMap::new();
    each(ec2, filter, |instance| {
        found.extend(read(instance)?.map(|instance| (instance.id.clone(), instance)));
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Hands on every instance that the filter lets through, page by page.
pub(crate) async fn each(
    ec2: &Ec2,
    filter: Filter,
    mut take: impl FnMut(&SdkInstance) -> Result<(), CallError>,
) -> Result<(), CallError> {
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let asking = ec2.listing_client.describe_instances().filters(filter.clone());
        let asking = asking.max_results(PAGE).set_next_token(token.take());
        let page = ec2.calls.read("DescribeInstances", asking.send()).await?;
        page.reservations().iter().flat_map(Reservation::instances).try_for_each(&mut take)?;
        token = next_page(page.next_token());
        if token.is_none() {
            return Ok(());
        }
    }
    Err(endless("DescribeInstances"))
}

/// None for an instance that is gone and of which EC2 no longer says enough to be of use.
fn read(instance: &SdkInstance) -> Result<Option<Instance>, CallError> {
    let (id, state) = id_and_state(instance)?;
    let complete = complete(id, state, instance);
    if state.is_gone() { Ok(complete.ok()) } else { complete.map(Some) }
}

pub(crate) fn id_and_state(instance: &SdkInstance) -> Result<(&str, InstanceState), CallError> {
    let id = instance.instance_id();
    let id = id.ok_or_else(|| CallError::bug("EC2 described an instance without its id"))?;
    Ok((id, state(id, instance)?))
}

fn complete(id: &str, state: InstanceState, instance: &SdkInstance) -> Result<Instance, CallError> {
    let lacks = |what: &str| CallError::bug(format!("EC2 described instance {id} without {what}"));
    let version = tags::value(instance.tags(), tags::VERSION).ok_or_else(|| {
        CallError::refused(format!(
            "instance {id} carries {} and no {}: `segue adopt` writes what is missing; or take its service tag away",
            tags::SERVICE,
            tags::VERSION
        ))
    })?;
    let subnet = instance.subnet_id().or_else(|| state.is_gone().then_some(NO_SUBNET));
    let launched_at = instance.launch_time().and_then(|time| time.to_millis().ok());
    Ok(Instance {
        id: InstanceId::new(id),
        image: ImageId::new(instance.image_id().ok_or_else(|| lacks("its image"))?),
        version: Version::new(version),
        pool: PoolName::new(tags::value(instance.tags(), tags::POOL).unwrap_or(tags::DEFAULT_POOL)),
        subnet: SubnetId::new(subnet.ok_or_else(|| lacks("its subnet"))?),
        state,
        address: instance.private_ip_address().filter(|address| !address.is_empty()).map(str::to_owned),
        launched_at: Timestamp::from_ms(launched_at.ok_or_else(|| lacks("its launch time"))?),
        origin: origin(id, instance.tags())?,
    })
}

fn origin(id: &str, tags: &[Tag]) -> Result<Origin, CallError> {
    let Some(release) = tags::value(tags, tags::RELEASE) else {
        return Ok(Origin::Adopted);
    };
    let number = |name: &str| {
        let number = tags::value(tags, name).and_then(|value| value.parse().ok());
        number.ok_or_else(|| CallError::refused(format!("instance {id} has no number in its tag {name}")))
    };
    Ok(Origin::Release {
        release: release.to_owned(),
        batch: number(tags::BATCH)?,
        attempt: number(tags::ATTEMPT)?,
    })
}

fn state(id: &str, instance: &SdkInstance) -> Result<InstanceState, CallError> {
    let name = instance.state().and_then(|state| state.name());
    match name {
        Some(InstanceStateName::Pending) => Ok(InstanceState::Pending),
        Some(InstanceStateName::Running) => Ok(InstanceState::Running),
        Some(InstanceStateName::Stopping) => Ok(InstanceState::Stopping),
        Some(InstanceStateName::Stopped) => Ok(InstanceState::Stopped),
        Some(InstanceStateName::ShuttingDown) => Ok(InstanceState::ShuttingDown),
        Some(InstanceStateName::Terminated) => Ok(InstanceState::Terminated),
        // The SDK's list may grow; a state that nobody here knows must not be taken for one that is known.
        _ => {
            Err(CallError::bug(format!("EC2 described instance {id} in a state that is not known: {name:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use segue_engine::ports::Class;

    use super::*;
    use crate::client::{LIMITS, Limits};
    use crate::stub::{Stub, answer, tag_set};

    fn instance(id: &str, state: &str, tags: &[(&str, &str)]) -> String {
        let tags = tag_set(tags);
        format!(
            "<item><instancesSet><item><instanceId>{id}</instanceId><imageId>ami-1</imageId>\
             <instanceState><code>0</code><name>{state}</name></instanceState>\
             <launchTime>2026-11-21T22:55:00.500Z</launchTime><subnetId>subnet-a</subnetId>\
             <privateIpAddress>127.0.1.1</privateIpAddress>{tags}</item></instancesSet></item>"
        )
    }

    fn page(items: &[String], next: &str) -> String {
        answer("DescribeInstances", &format!("<reservationSet>{}</reservationSet>{next}", items.concat()))
    }

    const ADOPTED: [(&str, &str); 2] = [("segue:service", "boards"), ("segue:version", "1")];
    const LAUNCHED: [(&str, &str); 5] = [
        ("segue:service", "boards"),
        ("segue:version", "2"),
        ("segue:release", "boards-12"),
        ("segue:batch", "1"),
        ("segue:attempt", "3"),
    ];

    #[tokio::test]
    async fn all_pages_of_a_service_are_read_by_tag() {
        let stub = Stub::start([
            (200, page(&[instance("i-a", "running", &ADOPTED)], "<nextToken>p2</nextToken>")),
            (200, page(&[instance("i-b", "pending", &LAUNCHED)], "")),
        ])
        .await;
        let service = ServiceName::new("boards");
        let found = stub.cloud().await.instances(&service).await.expect("instances");
        let old = &found[&InstanceId::new("i-a")];
        assert_eq!((old.state, &old.origin), (InstanceState::Running, &Origin::Adopted));
        assert_eq!(old.launched_at, Timestamp::from_ms(1_795_301_700_500));
        assert_eq!(old.address.as_deref(), Some("127.0.1.1"));
        assert_eq!(old.pool.as_str(), "main");
        let new = &found[&InstanceId::new("i-b")];
        assert_eq!(new.origin, Origin::Release { release: "boards-12".to_owned(), batch: 1, attempt: 3 });

        let asked = stub.asked();
        assert_eq!(asked.len(), 2);
        for request in &asked {
            assert_eq!(request.filters(), [("tag:segue:service", "boards")]);
            assert_eq!(request.field("MaxResults"), Some("1000"));
            assert_eq!(request.field("InstanceId.1"), None);
        }
        assert_eq!(asked[1].field("NextToken"), Some("p2"));
    }

    #[tokio::test]
    async fn a_page_may_take_longer_than_another_call() {
        let short = Duration::from_millis(100);
        let limits = Limits { attempt: short, ..LIMITS };
        let answers = [page(&[], ""), page(&[], "")].map(|page| (200, page));
        let stub = Stub::taking(3 * short, limits, answers).await;
        let cloud = stub.cloud().await;
        cloud.instances(&ServiceName::new("boards")).await.expect("a page that takes its time");
        let late = cloud.template_exists(&"lt-1".into()).await.expect_err("it is late");
        assert_eq!(late.class, Class::Unknown, "{late}");
    }

    #[tokio::test]
    async fn a_listing_that_never_ends_is_given_up() {
        let endless = page(&[instance("i-a", "running", &ADOPTED)], "<nextToken>again</nextToken>");
        let stub = Stub::start(std::iter::repeat_n((200, endless), PAGES_MAX + 1)).await;
        let failed = stub.cloud().await.instances(&ServiceName::new("boards")).await.expect_err("no end");
        assert_eq!(failed.class, Class::Bug);
        assert_eq!(stub.asked().len(), PAGES_MAX);
    }

    #[tokio::test]
    async fn an_instance_without_a_version_stops_the_listing_unless_it_is_gone() {
        let bare = [("segue:service", "boards")];
        let stub = Stub::start([
            (200, page(&[instance("i-a", "terminated", &bare)], "")),
            (200, page(&[instance("i-a", "running", &bare)], "")),
        ])
        .await;
        let cloud = stub.cloud().await;
        let service = ServiceName::new("boards");
        assert_eq!(cloud.instances(&service).await.expect("instances").len(), 0);
        let failed = cloud.instances(&service).await.expect_err("no version");
        assert_eq!(failed.class, Class::Refused);
        assert!(failed.what.contains("i-a") && failed.what.contains("segue:version"), "{failed}");
    }

    #[tokio::test]
    async fn an_instance_that_is_gone_is_listed_without_its_subnet_and_address() {
        let gone = format!(
            "<item><instancesSet><item><instanceId>i-a</instanceId><imageId>ami-1</imageId>\
             <instanceState><code>48</code><name>terminated</name></instanceState>\
             <launchTime>2026-11-21T22:55:00.000Z</launchTime>{}</item></instancesSet></item>",
            tag_set(&LAUNCHED)
        );
        let stub = Stub::start([(200, page(&[gone], ""))]).await;
        let found = stub.cloud().await.instances(&ServiceName::new("boards")).await.expect("instances");
        let instance = &found[&InstanceId::new("i-a")];
        assert_eq!((instance.state, instance.address.as_deref()), (InstanceState::Terminated, None));
        assert_eq!(instance.version, Version::new("2"));
    }

    #[tokio::test]
    async fn a_state_that_nobody_knows_is_not_taken_for_a_known_one() {
        let stub = Stub::start([(200, page(&[instance("i-a", "hovering", &ADOPTED)], ""))]).await;
        let failed = stub.cloud().await.instances(&ServiceName::new("boards")).await.expect_err("a state");
        assert_eq!(failed.class, Class::Bug);
    }
}
