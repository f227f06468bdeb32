//! How acts end.

use std::time::Duration;

use segue_domain::effect::{Lack, LaunchBatch};
use segue_domain::ids::{EffectId, GroupArn, ImageId, InstanceId, ReleaseId, SubnetId, Version};

use super::*;
use crate::fakes::{FakeWorld, Method, Nth, What};
use crate::outside::Limits;

async fn outcome(world: &FakeWorld, lease: Duration, effect: Effect) -> Acted {
    let outside = world.outside(Limits::default(), lease).await;
    let book = AddressBook::new(Some(&world.instances()), 1);
    act(&outside, &book, &Intent { id: EffectId::new("boards-1/launch/0"), attempt: 1, effect }).await
}

const LEASE: Duration = Duration::from_mins(1);

fn launch(world: &FakeWorld) -> Effect {
    let service = world.service();
    Effect::Launch(LaunchBatch {
        release: ReleaseId { service: service.name.clone(), number: 1 },
        service: service.name,
        version: Version::new("2"),
        image: ImageId::new("ami-2"),
        template: service.launch.template,
        subnet: SubnetId::new("subnet-1"),
        instance_type: None,
        count: 2,
        batch: 0,
        attempt: 1,
    })
}

fn stop(id: &str) -> Effect {
    Effect::Stop { instances: vec![InstanceId::new(id)] }
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_answer_was_lost_is_asked_again_and_launches_once() {
    let world = FakeWorld::new();
    world.choke().add(Method::Launch, Nth::Only(1), What::FailAfter);
    let acted = outcome(&world, LEASE, launch(&world)).await;
    let Outcome::Done(Done::Launched(ids)) = acted.outcome else { panic!("{acted:?}") };
    assert_eq!(ids.len(), 2);
    assert_eq!((world.choke().calls(Method::Launch), world.instances().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_whose_answer_was_lost_is_unknown_and_not_repeated() {
    let world = FakeWorld::with_fleet(1, 0);
    world.choke().add(Method::Stop, Nth::Only(1), What::FailAfter);
    let acted = outcome(&world, LEASE, stop("i-0001")).await;
    assert_eq!(acted.outcome, Outcome::Unknown("the answer of Cloud::stop was lost".to_owned()));
    assert_eq!(world.choke().calls(Method::Stop), 1);
}

/// It was decided on by a look that is old when a try has timed out.
#[tokio::test(start_paused = true)]
async fn a_close_whose_answer_was_lost_is_unknown_and_not_repeated() {
    let world = FakeWorld::with_fleet(1, 0);
    world.choke().add(Method::Close, Nth::Only(1), What::FailAfter);
    let acted = outcome(&world, LEASE, Effect::CloseToNew { instance: InstanceId::new("i-0001") }).await;
    assert!(matches!(acted.outcome, Outcome::Unknown(_)), "{acted:?}");
    assert_eq!(world.choke().calls(Method::Close), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_for_too_long_is_unknown_not_refused() {
    let world = FakeWorld::with_fleet(1, 0);
    world.choke().add(Method::Stop, Nth::Each, What::FailBefore(Class::Retry));
    let acted = outcome(&world, LEASE, stop("i-0001")).await;
    assert!(matches!(acted.outcome, Outcome::Unknown(_)), "{acted:?}");
    assert_eq!(world.choke().calls(Method::Stop), 4);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_refusal() {
    let world = FakeWorld::with_fleet(1, 0);
    let nowhere =
        Effect::Register { group: GroupArn::new("nowhere"), instances: vec![InstanceId::new("i-0001")] };
    let acted = outcome(&world, LEASE, nowhere).await;
    let outcome = Outcome::refused("the target group nowhere does not exist");
    assert_eq!(acted, Acted { outcome, bug: None });
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_finds_no_room_is_refused_for_want_of_it() {
    let world = FakeWorld::new();
    world.fill("subnet-1");
    let acted = outcome(&world, LEASE, launch(&world)).await;
    let why = "there is no capacity for the template's type in subnet-1".to_owned();
    assert_eq!(acted, Acted { outcome: Outcome::Refused { why, lack: Some(Lack::Room) }, bug: None });
}

#[tokio::test(start_paused = true)]
async fn a_broken_contract_is_unknown_and_says_whose_promise_it_was() {
    let world = FakeWorld::with_fleet(1, 0);
    world.choke().add(Method::Close, Nth::Only(1), What::FailBefore(Class::Bug));
    let acted = outcome(&world, LEASE, Effect::CloseToNew { instance: InstanceId::new("i-0001") }).await;
    assert!(matches!(acted.outcome, Outcome::Unknown(_)));
    assert_eq!(acted.bug.as_deref(), Some("Boards::close was made to fail"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_when_the_lease_is_nearly_over() {
    let world = FakeWorld::with_fleet(1, 0);
    let acted = outcome(&world, Duration::from_secs(6), stop("i-0001")).await;
    assert!(matches!(acted.outcome, Outcome::Unknown(_)), "{acted:?}");
    assert_eq!(world.choke().calls(Method::Stop), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_an_address_is_looked_for_again() {
    let world = FakeWorld::new();
    let acted = outcome(&world, LEASE, Effect::CloseToNew { instance: InstanceId::new("i-9") }).await;
    assert!(matches!(acted.outcome, Outcome::Unknown(_)), "{acted:?}");
}
