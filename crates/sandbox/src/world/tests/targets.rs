//! Targets: registered, checked, drained, and what their health is called.

use super::*;

#[test]
fn a_target_is_checked_only_where_a_rule_names_its_group_and_weight_0_counts() {
    let mut story = Story::begin();
    let id = story.running();
    story.weigh(&[("a", 1)]);
    story.register("b", &id).expect("it runs");
    assert_eq!(story.checks(PASSED), 0);
    assert_eq!(story.health("b", &id), ("unused", "Target.NotInUse"));
    story.weigh(&[("a", 1), ("b", 0)]);
    assert_eq!(story.health("b", &id), ("initial", "Elb.RegistrationInProgress"));
    assert_eq!(story.checks(PASSED), 1);
    assert_eq!(story.health("b", &id), ("healthy", "-"));
}

#[test]
fn a_targets_health_goes_down_and_up_by_its_thresholds() {
    let mut story = Story::begin();
    let id = story.running();
    story.register("a", &id).expect("it runs");
    assert_eq!(story.checks(PASSED), 1);
    assert_eq!(story.checks(PASSED), 0, "the next check is due in an interval");
    story.after_ms(250).checks(FAILED);
    assert_eq!(story.health("a", &id), ("healthy", "-"));
    story.after_ms(250).checks(FAILED);
    assert_eq!(story.health("a", &id), ("unhealthy", "Target.ResponseCodeMismatch"));
    story.after_ms(250).checks(PASSED);
    assert_eq!(story.health("a", &id).0, "unhealthy");
    story.after_ms(250).checks(PASSED);
    assert_eq!(story.health("a", &id).0, "healthy");
}

#[test]
fn a_check_that_was_under_way_before_a_new_registration_is_ignored() {
    let mut story = Story::with(|config| config.load_balancer.deregistration_delay_s = 0);
    let id = story.running();
    story.register("a", &id).expect("it runs");
    let now = story.now;
    let late = story.world().due_checks(now).remove(0);
    story.deregister("a", &id);
    story.after_ms(1).register("a", &id).expect("it runs");
    let now = story.now;
    story.world().checked(&late, PASSED, now);
    assert_eq!(story.health("a", &id).0, "initial");
}

#[test]
fn a_deregistered_target_drains_gets_nothing_new_and_is_cut_at_the_end() {
    let mut story = Story::with(|config| config.load_balancer.deregistration_delay_s = 300);
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.checks(PASSED);
    assert!(story.world().route(0, "").is_some());
    story.deregister("a", &id);
    assert_eq!(story.health("a", &id), ("draining", "Target.DeregistrationInProgress"));
    assert_eq!(story.world().route(0, ""), None);
    story.after_ms(299_999);
    assert_eq!(story.health("a", &id).0, "draining");
    story.world().take_effects();
    story.after_ms(1);
    assert_eq!(story.health("a", &id), ("unused", "Target.NotRegistered"));
    let target = TargetKey { instance: id, port: 8080 };
    let group = story.group("a");
    assert_eq!(story.world().take_effects(), [Effect::Cut { group, target }]);
}

#[test]
fn a_target_on_a_port_of_its_own_goes_only_when_that_is_named() {
    let mut story = Story::begin();
    let id = story.running();
    let (arn, now) = (story.group("a"), story.now);
    let World { cloud, balancers, .. } = story.world();
    let both = [(id.clone(), None), (id.clone(), Some(9090))];
    balancers.register(cloud, &arn, &both, now).expect("it runs");
    let staying = |story: &Story| {
        let World { cloud, balancers, .. } = &story.seeded.world;
        let group = balancers.group(&arn).expect("the group exists");
        let stays = |key: &&TargetKey| group.report(key, cloud.instance(&key.instance)).state != "draining";
        group.targets().map(|(key, _)| key).filter(stays).map(|key| key.port).collect::<Vec<_>>()
    };
    story.deregister("a", &id);
    assert_eq!(staying(&story), [9090]);
    let named = [(id, Some(9090))];
    story.world().balancers.deregister(&arn, &named, now).expect("the group exists");
    assert_eq!(staying(&story), Vec::<u16>::new());
}

#[test]
fn sockets_outlive_the_delay_when_the_switch_says_so() {
    let mut story = Story::with(|config| config.load_balancer.at_delay_end = AtDelayEnd::Keep);
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.deregister("a", &id);
    story.after_ms(300_000);
    assert_eq!(story.world().take_effects(), []);
}

#[test]
fn a_stopped_instance_is_unused_and_begins_anew_when_it_runs_again() {
    let mut story = Story::begin();
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.checks(PASSED);
    story.ended(&id, 1);
    assert_eq!(story.health("a", &id), ("unused", "Target.InvalidState"));
    assert_eq!(story.world().route(0, ""), None);
    story.change(Verb::Start, &id).expect("it is stopped");
    story.after_ms(300);
    assert_eq!(story.health("a", &id).0, "initial");
    story.checks(PASSED);
    assert_eq!(story.health("a", &id).0, "healthy");
}

#[test]
fn a_terminated_instance_leaves_its_groups() {
    let mut story = Story::begin();
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.change(Verb::Terminate, &id).expect("it may be");
    story.ended(&id, 1);
    story.after_ms(100);
    assert_eq!(story.health("a", &id), ("unused", "Target.NotRegistered"));
}

#[test]
fn only_running_instances_can_be_registered() {
    let mut story = Story::begin();
    let pending = story.launch("p", 1).expect("there is room").instances[0].clone();
    assert!(matches!(story.register("a", &pending), Err(ElbRefusal::InvalidTarget(_))));
    assert!(matches!(story.register("a", &"i-0dead".into()), Err(ElbRefusal::InvalidTarget(_))));
}
