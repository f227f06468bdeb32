//! What every [`Cloud`] must do.

use std::sync::Arc;
use std::time::Duration;

use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, InstanceId, ReleaseId, ServiceName, SubnetId, TemplateId, Version};
use segue_domain::instance::{Image, Instance, InstanceState, Origin};

use super::strangers::{
    a_stranger_becomes_the_services_by_its_tags, a_stranger_is_looked_at_by_its_id,
    what_cannot_be_tagged_is_refused,
};
use super::{Case, cases, eventually};
use crate::ports::{Class, Cloud, ImageQuery};

/// A place where instances may be launched and ended.
#[derive(Debug, Clone)]
pub struct CloudFixture {
    pub service: ServiceName,
    pub images: ImageQuery,
    /// A version that has an image; another one must exist beside it.
    pub version: Version,
    pub template: TemplateId,
    pub subnet: SubnetId,
    /// Runs, and carries no tag of Segue's.
    pub stranger: InstanceId,
    /// What its image says.
    pub stranger_version: Version,
    /// Makes this run's tokens its own.
    pub run: u64,
    pub patience: Duration,
}

/// Everything that is tried, each with instances of its own.
pub const CLOUD: &[Case<dyn Cloud, CloudFixture>] = cases![
    images_are_those_with_the_tags_the_newest_first,
    what_is_not_there_is_refused,
    a_launch_brings_as_many_as_were_asked_for,
    what_was_launched_is_found_by_its_tags,
    the_same_id_brings_the_same_instances,
    the_same_id_with_other_parameters_is_refused,
    an_instance_stops_and_starts,
    an_end_is_for_ever,
    the_id_of_instances_that_ended_is_spent,
    a_stranger_is_looked_at_by_its_id,
    what_cannot_be_tagged_is_refused,
    a_stranger_becomes_the_services_by_its_tags,
];

/// Runs the whole suite.
pub async fn cloud(cloud: Arc<dyn Cloud>, fixture: CloudFixture) {
    for case in CLOUD {
        (case.holds)(Arc::clone(&cloud), fixture.clone()).await;
    }
}

async fn images_are_those_with_the_tags_the_newest_first(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let images = cloud.images(&fixture.images).await.expect("images are listed");
    assert!(images.is_sorted_by(|a, b| a.created_at >= b.created_at), "images come newest first: {images:?}");
    let mut other = fixture.images.clone();
    other.tags.insert("service".to_owned(), "nobody".to_owned());
    assert_eq!(cloud.images(&other).await, Ok(Vec::new()), "images of another service are not ours");
    assert!(images.len() > 1 && images.iter().any(|image| image.version == fixture.version), "{images:?}");
}

async fn image(cloud: &dyn Cloud, fixture: &CloudFixture) -> Image {
    let images = cloud.images(&fixture.images).await.expect("images are listed");
    let image = images.into_iter().find(|image| image.version == fixture.version);
    image.expect("the fixture's version has an image")
}

async fn what_is_not_there_is_refused(cloud: &dyn Cloud, fixture: &CloudFixture) {
    assert_eq!(cloud.template_exists(&fixture.template).await, Ok(true));
    assert_eq!(cloud.template_exists(&TemplateId::new("lt-0ffffffffffffffff")).await, Ok(false));
    let free = cloud.free_addresses(std::slice::from_ref(&fixture.subnet)).await.expect("subnets are listed");
    assert!(free.get(&fixture.subnet).is_some_and(|free| *free > 0), "free addresses: {free:?}");
    let nowhere = cloud.free_addresses(&[SubnetId::new("subnet-0ffffffffffffffff")]).await;
    assert_eq!(nowhere.map_err(|error| error.class), Err(Class::Refused));
    let nobody = cloud.stop(&[InstanceId::new("i-0ffffffffffffffff")]).await;
    let later = "EC2 says the same of an instance that it does not know yet";
    assert_eq!(nobody.map_err(|error| error.class), Err(Class::Retry), "{later}");
}

/// What is launched for one case: two instances under an id of the case's own.
struct Order {
    id: EffectId,
    batch: LaunchBatch,
}

async fn order(cloud: &dyn Cloud, fixture: &CloudFixture, case: &str) -> Order {
    let id = EffectId::new(format!("contract-{}-{case}/out/launch/launch/0/1", fixture.run));
    Order { id, batch: batch(fixture, &image(cloud, fixture).await) }
}

async fn launched(cloud: &dyn Cloud, order: &Order) -> Vec<InstanceId> {
    let launched = cloud.launch(&order.id, &order.batch).await.expect("a batch is launched");
    assert!(!launched.is_empty(), "at least one");
    launched
}

fn batch(fixture: &CloudFixture, image: &Image) -> LaunchBatch {
    LaunchBatch {
        release: ReleaseId { service: fixture.service.clone(), number: fixture.run },
        service: fixture.service.clone(),
        version: image.version.clone(),
        image: image.id.clone(),
        template: fixture.template.clone(),
        subnet: fixture.subnet.clone(),
        instance_type: None,
        count: 2,
        batch: 0,
        attempt: 1,
    }
}

async fn a_launch_brings_as_many_as_were_asked_for(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let launched = launched(cloud, &order(cloud, fixture, "many").await).await;
    assert_eq!(launched.len(), 2, "as many as were asked for");
}

async fn what_was_launched_is_found_by_its_tags(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let order = order(cloud, fixture, "tags").await;
    let launched = launched(cloud, &order).await;
    reach(cloud, fixture, &launched, InstanceState::Running).await;
    for id in &launched {
        let (it, batch) = (one(cloud, fixture, id).await.expect("it was just seen"), &order.batch);
        assert_eq!((&it.image, &it.version, &it.subnet), (&batch.image, &batch.version, &fixture.subnet));
        assert!(it.address.is_some(), "a running instance has an address: {it:?}");
        let release = batch.release.to_string();
        assert_eq!(it.origin, Origin::Release { release, batch: 0, attempt: 1 });
    }
}

async fn the_same_id_brings_the_same_instances(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let order = order(cloud, fixture, "same").await;
    let first = launched(cloud, &order).await;
    let again = cloud.launch(&order.id, &order.batch).await;
    assert_eq!(again, Ok(first), "the same id brings the same instances");
}

async fn the_same_id_with_other_parameters_is_refused(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let order = order(cloud, fixture, "other").await;
    launched(cloud, &order).await;
    let other = LaunchBatch { count: 1, ..order.batch };
    let mismatch = cloud.launch(&order.id, &other).await.map_err(|error| error.class);
    assert_eq!(
        mismatch,
        Err(Class::Refused),
        "the same id with other parameters launches nothing, and says so"
    );
}

async fn an_instance_stops_and_starts(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let launched = launched(cloud, &order(cloud, fixture, "stop").await).await;
    reach(cloud, fixture, &launched, InstanceState::Running).await;
    let first = launched.get(..1).unwrap_or_default();
    cloud.stop(first).await.expect("a running instance is stopped");
    reach(cloud, fixture, first, InstanceState::Stopped).await;
    cloud.stop(first).await.expect("a stopped instance is stopped again");
    cloud.start(first).await.expect("a stopped instance is started");
    reach(cloud, fixture, first, InstanceState::Running).await;
}

async fn an_end_is_for_ever(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let launched = launched(cloud, &order(cloud, fixture, "end").await).await;
    end(cloud, fixture, &launched).await;
}

async fn the_id_of_instances_that_ended_is_spent(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let order = order(cloud, fixture, "spent").await;
    let launched = launched(cloud, &order).await;
    end(cloud, fixture, &launched).await;
    let spent = cloud.launch(&order.id, &order.batch).await.map_err(|error| error.class);
    assert_eq!(spent, Err(Class::Refused), "the id of terminated instances is refused for ever");
}

async fn end(cloud: &dyn Cloud, fixture: &CloudFixture, launched: &[InstanceId]) {
    reach(cloud, fixture, launched, InstanceState::Running).await;
    cloud.terminate(launched).await.expect("instances are terminated");
    cloud.terminate(launched).await.expect("and terminated again");
    eventually("the end of the instances", fixture.patience, || async {
        let all = cloud.instances(&fixture.service).await.unwrap_or_default();
        launched.iter().all(|id| all.get(id).is_none_or(|it| it.state.is_gone()))
    })
    .await;
}

async fn one(cloud: &dyn Cloud, fixture: &CloudFixture, id: &InstanceId) -> Option<Instance> {
    cloud.instances(&fixture.service).await.ok()?.remove(id)
}

async fn reach(cloud: &dyn Cloud, fixture: &CloudFixture, ids: &[InstanceId], state: InstanceState) {
    eventually(&format!("{ids:?} {state}"), fixture.patience, || async {
        let all = cloud.instances(&fixture.service).await.unwrap_or_default();
        ids.iter().all(|id| all.get(id).is_some_and(|it| it.state == state))
    })
    .await;
}
