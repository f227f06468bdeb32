//! Launches: boot, tokens, and what there is room for.

use super::*;

#[test]
fn an_instance_boots_and_only_then_is_its_program_started() {
    let mut story = Story::begin();
    let id = story.launch("t", 1).expect("there is room").instances[0].clone();
    assert_eq!((story.state(&id), story.world().take_effects()), ("pending", vec![]));
    story.after_ms(299);
    assert_eq!(story.state(&id), "pending");
    story.after_ms(1);
    assert_eq!(story.state(&id), "running");
    let effects = story.world().take_effects();
    let [Effect::Start(launch)] = &effects[..] else { panic!("one start, not {effects:?}") };
    assert_eq!(launch.env["PRIVATE_IP"], "127.0.1.4");
    assert_eq!(launch.env["INSTANCE_ID"], id.to_string());
    assert_eq!(launch.env["VERSION"], "1");
}

#[test]
fn the_same_token_launches_once_and_other_parameters_are_a_mismatch() {
    let mut story = Story::begin();
    let first = story.launch("t", 3).expect("there is room");
    let again = story.launch("t", 3).expect("the same again");
    assert_eq!(again, first);
    assert_eq!(story.launch("t", 4), Err(Ec2Refusal::IdempotentParameterMismatch));
    assert_eq!(story.world().cloud.instances().count(), 3);
}

#[test]
fn a_token_whose_instance_was_terminated_is_refused_for_ever() {
    let mut story = Story::begin();
    let id = story.launch("t", 2).expect("there is room").instances[0].clone();
    story.change(Verb::Terminate, &id).expect("it may be terminated");
    assert_eq!(story.launch("t", 2), Err(Ec2Refusal::IdempotentInstanceTerminated));
    story.after_ms(4_000_000);
    assert_eq!(story.state(&id), "forgotten");
    assert_eq!(story.launch("t", 2), Err(Ec2Refusal::IdempotentInstanceTerminated));
}

#[test]
fn a_refused_launch_leaves_its_token_free() {
    let mut story = Story::begin();
    let mut request = story.request("t", 1);
    request.image = Some("ami-0000000000000dead".into());
    let now = story.now;
    assert!(matches!(story.world().launch(request, now), Err(Ec2Refusal::ImageNotFound(_))));
    assert!(story.launch("t", 1).is_ok());
}

#[test]
fn a_launch_takes_what_there_is_room_for_and_refuses_less_than_the_minimum() {
    let mut story = Story::with(|config| config.instances.max = 3);
    assert_eq!(story.launch("t", 5).expect("room for three").instances.len(), 3);
    let refused = story.launch("u", 1);
    assert_eq!(refused, Err(Ec2Refusal::InstanceLimit { wanted: 1, limit: 3 }));
}
