//! What every [`Cloud`] must do with instances that it did not launch.

use std::collections::{BTreeMap, BTreeSet};

use segue_domain::ids::InstanceId;
use segue_domain::instance::{InstanceState, Origin};
use segue_domain::stranger::{SCALING_GROUP_TAG, Stranger, VERSION_TAG, tags_of};

use super::cloud::CloudFixture;
use super::eventually;
use crate::ports::{Class, Cloud};

const NOBODY: &str = "i-0ffffffffffffffff";

pub(super) async fn a_stranger_is_looked_at_by_its_id(cloud: &dyn Cloud, fixture: &CloudFixture) {
    assert_eq!(cloud.strangers(&BTreeSet::new()).await, Ok(BTreeMap::new()), "nobody was asked for");
    let it = looked_at(cloud, fixture).await;
    assert_eq!((&it.id, it.state), (&fixture.stranger, InstanceState::Running));
    assert!(it.address.is_some(), "a running instance has an address: {it:?}");
    assert_eq!(it.image_version.as_ref(), Some(&fixture.stranger_version), "its image says so");
    assert_eq!((it.service(), it.tagged_version()), (None, None));
    let ours = cloud.instances(&fixture.service).await.expect("instances are listed");
    assert!(!ours.contains_key(&fixture.stranger), "it is nobody's so far");
}

async fn looked_at(cloud: &dyn Cloud, fixture: &CloudFixture) -> Stranger {
    let asked = BTreeSet::from([fixture.stranger.clone(), InstanceId::new(NOBODY)]);
    let mut found = cloud.strangers(&asked).await.expect("an instance is looked at by its id");
    assert_eq!(found.len(), 1, "one that does not exist is left out: {found:?}");
    found.remove(&fixture.stranger).expect("one that exists is found")
}

pub(super) async fn what_cannot_be_tagged_is_refused(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let owner = BTreeMap::from([(SCALING_GROUP_TAG.to_owned(), "nobody".to_owned())]);
    let reserved = cloud.tag(std::slice::from_ref(&fixture.stranger), &owner).await;
    assert_eq!(reserved.map_err(|error| error.class), Err(Class::Refused), "AWS's own tags are AWS's");
    let version = BTreeMap::from([(VERSION_TAG.to_owned(), "1".to_owned())]);
    let nobody = cloud.tag(&[InstanceId::new(NOBODY)], &version).await;
    let later = "EC2 says the same of an instance that it does not know yet";
    assert_eq!(nobody.map_err(|error| error.class), Err(Class::Retry), "{later}");
}

pub(super) async fn a_stranger_becomes_the_services_by_its_tags(cloud: &dyn Cloud, fixture: &CloudFixture) {
    let before = looked_at(cloud, fixture).await;
    let id = &fixture.stranger;
    let tags = tags_of(&fixture.service, &fixture.stranger_version);
    for _ in 0..2 {
        cloud.tag(std::slice::from_ref(id), &tags).await.expect("an instance is tagged, and tagged again");
    }
    eventually("the tags of an adopted instance", fixture.patience, || async {
        let ours = cloud.instances(&fixture.service).await.unwrap_or_default();
        let it = ours.get(id);
        it.is_some_and(|it| it.version == fixture.stranger_version && it.origin == Origin::Adopted)
    })
    .await;
    let after = looked_at(cloud, fixture).await;
    assert!(after.has_all_tags_of(&fixture.service), "{after:?}");
    assert!(
        before.tags.iter().all(|(key, value)| after.tags.get(key) == Some(value)),
        "others stay: {after:?}"
    );
}
