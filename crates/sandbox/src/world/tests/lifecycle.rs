//! From running to stopped, back, and to the end; and what the ledger keeps of it.

use super::*;

#[test]
fn an_address_is_kept_across_stop_and_start_and_given_back_at_the_end() {
    let mut story = Story::begin();
    let id = story.running();
    let address = |story: &Story| story.seeded.world.cloud.instance(&id).expect("it exists").address;
    let before = address(&story);
    story.change(Verb::Stop, &id).expect("it runs");
    assert_eq!(story.world().take_effects(), [Effect::Stop { instance: id.clone(), run: 1 }]);
    story.ended(&id, 1);
    assert_eq!(story.state(&id), "stopping", "it stops for a while at least");
    story.after_ms(100);
    assert_eq!(story.state(&id), "stopped");
    story.change(Verb::Start, &id).expect("it is stopped");
    story.after_ms(300);
    assert_eq!((story.state(&id), address(&story)), ("running", before));
    let free = |story: &Story| story.seeded.world.cloud.subnets.values().map(Subnet::free_addresses).sum();
    let free_before: usize = free(&story);
    story.change(Verb::Terminate, &id).expect("it may always be");
    story.ended(&id, 2);
    story.after_ms(100);
    assert_eq!((story.state(&id), free(&story)), ("terminated", free_before + 1));
}

#[test]
fn the_end_of_an_earlier_run_says_nothing_of_this_one() {
    let mut story = Story::begin();
    let id = story.running();
    story.change(Verb::Stop, &id).expect("it runs");
    story.ended(&id, 1);
    story.after_ms(100);
    story.change(Verb::Start, &id).expect("it is stopped");
    story.after_ms(300);
    story.ended(&id, 1);
    assert_eq!(story.state(&id), "running");
}

#[test]
fn a_program_that_ends_by_itself_leaves_a_stopped_instance_with_its_reason() {
    let mut story = Story::begin();
    let id = story.running();
    story.ended(&id, 1);
    assert_eq!(story.state(&id), "stopped");
    let instance = story.seeded.world.cloud.instance(&id).expect("it exists");
    let reason = instance.reason.as_ref().expect("there is a reason");
    assert_eq!(reason.code(), "Client.InstanceInitiatedShutdown");
}

#[test]
fn verbs_are_refused_in_states_they_do_not_fit_and_then_nothing_changes() {
    let mut story = Story::begin();
    let runs = story.running();
    let pending = story.launch("p", 1).expect("there is room").instances[0].clone();
    let (both, now) = ([runs.clone(), pending.clone()], story.now);
    let refused = story.world().change(Verb::Stop, &both, now);
    assert_eq!(refused, Err(Ec2Refusal::IncorrectInstanceState { instance: pending, verb: "stopped" }));
    assert_eq!(story.state(&runs), "running");
    let none = story.change(Verb::Start, &runs).expect("a start of what runs is no mistake");
    assert_eq!((none[0].before, none[0].after), (InstanceState::Running, InstanceState::Running));
}

#[test]
fn one_missing_id_refuses_the_whole_termination() {
    let mut story = Story::begin();
    let (runs, now) = (story.running(), story.now);
    let both = [runs.clone(), "i-00000000000000bad".into()];
    let refused = story.world().change(Verb::Terminate, &both, now);
    assert!(matches!(refused, Err(Ec2Refusal::InstanceNotFound(_))), "{refused:?}");
    assert_eq!(story.state(&runs), "running");
}

#[test]
fn the_ledger_remembers_what_ec2_has_forgotten() {
    let mut story = Story::begin();
    let id = story.running();
    story.change(Verb::Terminate, &id).expect("it may be");
    story.ended(&id, 1);
    story.after_ms(100).after_ms(3_600_000);
    assert_eq!(story.state(&id), "forgotten");
    let ledger = story.world().ledger();
    assert_eq!((ledger.launches.len(), ledger.terminated), (1, 1));
    assert_eq!(ledger.launches[0].state, "terminated");
}
