//! The same contracts on moto's server, which knows nothing of Segue or of its sandbox.
//!
//! What moto cannot keep is named case by case, with the words in which it breaks and with why. A case of the list
//! that holds on moto after all fails the test, so that the list stays true. docs/moto.md says which of the two is
//! like AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use segue_engine::ports::contract::{CLOUD, Case, LOAD_BALANCER};
use segue_tests::clients::Moto;
use serde::Deserialize;

use super::*;

/// Whatever moto shows, it shows at once.
const MOTO_PATIENCE: Duration = Duration::from_secs(3);

/// Case, the words of its panic, and why moto cannot keep it.
const CANNOT: [(&str, &str, &str); 6] = [
    (
        "a_launch_brings_as_many_as_were_asked_for",
        "as many as were asked for",
        "it launches MinCount, not MaxCount",
    ),
    ("the_same_id_brings_the_same_instances", "the same id brings the same", "it does not read ClientToken"),
    ("the_same_id_with_other_parameters_is_refused", "launches nothing", "it does not read ClientToken"),
    ("the_id_of_instances_that_ended_is_spent", "is refused for ever", "it does not read ClientToken"),
    ("what_cannot_be_tagged_is_refused", "AWS's own tags are AWS's", "it takes the prefix aws: from anybody"),
    ("one_that_is_not_in_can_be_taken_out", "that is not in is success", "it answers InvalidTarget"),
];

/// What was created in it, by the names of a sandbox's ready line.
#[derive(Deserialize)]
struct Created {
    aws: String,
    service: String,
    launch_template: String,
    subnets: Vec<String>,
    listener_arn: String,
    target_groups: BTreeMap<String, String>,
    slots: Vec<Slot>,
    blue: Vec<String>,
    stranger: String,
}

#[derive(Deserialize)]
struct Slot {
    target_group: String,
}

/// Why a case did not hold.
async fn broken<P: ?Sized, F>(case: &Case<P, F>, port: Arc<P>, fixture: F) -> Option<String> {
    let panic = AssertUnwindSafe((case.holds)(port, fixture)).catch_unwind().await.err()?;
    let words = panic.downcast_ref::<String>().cloned();
    Some(words.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap_or(&"")).to_owned()))
}

/// A case holds, or it is in the list and breaks in the list's words.
fn check(name: &str, broken: Option<&str>) {
    let listed = CANNOT.iter().find(|(case, _, _)| *case == name);
    match (listed, broken) {
        (None, None) => {}
        (None, Some(words)) => panic!("moto breaks {name}: {words}"),
        (Some((_, _, why)), None) => panic!("moto keeps {name} now: take it out of the list ({why})"),
        (Some((_, expected, _)), Some(words)) => {
            assert!(words.contains(expected), "moto breaks {name} in other words: {words}");
        }
    }
}

#[tokio::test]
async fn moto_keeps_the_contracts_but_for_the_cases_that_are_named() {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let (_moto, created) = Moto::start();
    let created: Created = serde_json::from_slice(&created).expect("the script says what it created");
    let stub = Stub::elsewhere(&created.aws);
    let cloud = CloudFixture {
        service: ServiceName::new(created.service.clone()),
        images: ImageQuery {
            owner: "self".to_owned(),
            tags: [("service".to_owned(), created.service)].into(),
        },
        version: Version::new("2"),
        template: TemplateId::new(created.launch_template),
        subnet: SubnetId::new(created.subnets[0].clone()),
        stranger: InstanceId::new(created.stranger),
        stranger_version: Version::new("1"),
        run: 1,
        patience: MOTO_PATIENCE,
    };
    let group = GroupArn::new(created.target_groups["b"].clone());
    let listener = LoadBalancerFixture {
        forward: ForwardArn::new(created.listener_arn.clone()),
        no_group: nowhere(&group),
        group,
        instance: InstanceId::new(created.blue[0].clone()),
        patience: MOTO_PATIENCE,
    };
    let slot = &created.slots[0].target_group;
    let rule = rule_of(&stub, &created.listener_arn, slot).await;
    let rule = LoadBalancerFixture { forward: rule, group: GroupArn::new(slot.clone()), ..listener.clone() };

    for case in CLOUD {
        check(case.name, broken(case, stub.cloud().await, cloud.clone()).await.as_deref());
    }
    for fixture in [listener, rule] {
        for case in LOAD_BALANCER {
            check(case.name, broken(case, stub.balancer().await, fixture.clone()).await.as_deref());
        }
    }
    let cases: BTreeSet<_> =
        CLOUD.iter().map(|case| case.name).chain(LOAD_BALANCER.iter().map(|case| case.name)).collect();
    assert!(CANNOT.iter().all(|(case, _, _)| cases.contains(case)), "the list names only cases");
}
