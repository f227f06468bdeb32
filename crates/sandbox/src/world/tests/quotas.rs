//! What there is room for: a zone, the account's vCPUs, a load balancer's targets. And sockets by the switch.

use super::*;

#[test]
fn a_full_zone_gives_what_it_has_and_then_nothing() {
    let mut story = Story::with(|config| config.instances.zone_max = Some(3));
    assert_eq!(story.launch("t", 5).expect("room for three").instances.len(), 3);
    let refused = story.launch("u", 1).expect_err("the zone is full");
    assert_eq!((refused.code(), refused.status()), ("InsufficientInstanceCapacity", 500));
    let mut elsewhere = story.request("v", 1);
    elsewhere.subnet = story.seeded.subnets.get(1).cloned();
    let now = story.now;
    assert!(story.world().launch(elsewhere, now).is_ok());
}

#[test]
fn what_is_stopped_takes_no_room_and_needs_some_to_start() {
    let mut story = Story::with(|config| config.instances.zone_max = Some(1));
    let stopped = story.running();
    story.ended(&stopped, 1);
    let next = story.launch("next", 1).expect("the room is free").instances.remove(0);
    let refused = story.change(Verb::Start, &stopped).expect_err("it is taken");
    assert_eq!(refused.code(), "InsufficientInstanceCapacity");
    story.change(Verb::Terminate, &next).expect("it may be");
    story.after_ms(100);
    story.change(Verb::Start, &stopped).expect("it is free again");
}

#[test]
fn the_quota_of_vcpus_counts_by_size_and_for_starts_too() {
    let mut story = Story::with(|config| config.instances.vcpus_max = Some(9));
    let mut large = story.request("t", 3);
    large.instance_type = Some("m7i.xlarge".to_owned());
    let now = story.now;
    let launched = story.world().launch(large.clone(), now).expect("eight of nine").instances;
    assert_eq!(launched.len(), 2);
    large.token = Some("u".into());
    let refused = story.world().launch(large, now).expect_err("one is left");
    assert_eq!((refused.code(), refused.status()), ("VcpuLimitExceeded", 400));
    assert!(refused.to_string().contains("vCPU limit of 9 allows"), "{refused}");
    story.after_ms(300).ended(&launched[0], 1);
    assert!(story.launch("w", 1).is_ok(), "m1.small has two, and four are free again");
    assert_eq!(
        story.change(Verb::Start, &launched[0]).expect_err("three are left").code(),
        "VcpuLimitExceeded"
    );
}

#[test]
fn a_load_balancer_has_a_thousand_targets_whatever_the_group() {
    let mut story = Story::begin();
    let id = story.running();
    let targets = |from: u16, count: u16| -> Vec<_> {
        (from..from + count).map(|port| (id.clone(), Some(port))).collect()
    };
    let register = |story: &mut Story, group: &str, targets: &[(InstanceId, Option<u16>)]| {
        let (arn, now) = (story.group(group), story.now);
        let World { cloud, balancers, .. } = story.world();
        balancers.register(cloud, &arn, targets, now)
    };
    let too_many = |per| Err(ElbRefusal::TooManyTargets { per, max: 1_000 });
    assert_eq!(register(&mut story, "a", &targets(1, 1_001)), too_many("target group"));
    assert_eq!(register(&mut story, "a", &targets(1, 600)), Ok(()));
    assert_eq!(register(&mut story, "b", &targets(1, 401)), too_many("load balancer"));
    assert_eq!(register(&mut story, "b", &targets(1, 400)), Ok(()));
    assert_eq!(register(&mut story, "b", &targets(1, 400)), Ok(()), "they are registered already");
}

#[test]
fn sockets_of_a_target_that_turns_unhealthy_live_unless_the_switch_says_otherwise() {
    for (switch, cuts) in [(WhenUnhealthy::Keep, 0), (WhenUnhealthy::Close, 1)] {
        let mut story = Story::with(|config| config.load_balancer.when_unhealthy = switch);
        let id = story.running();
        story.register("a", &id).expect("it runs");
        story.checks(PASSED);
        for _ in 0..4 {
            story.after_ms(250).checks(FAILED);
        }
        let target = TargetKey { instance: id, port: 8080 };
        let cut = Effect::Cut { group: story.group("a"), target };
        assert_eq!(story.world().take_effects(), vec![cut; cuts], "{switch:?}: once, when it falls");
    }
}
