//! Which target a request goes to.

use super::*;

#[test]
fn healthy_targets_take_turns_and_all_unhealthy_ones_do_when_none_is_healthy() {
    let mut story = Story::begin();
    let (one, two) = (story.running(), story.running());
    story.register("a", &one).expect("it runs");
    story.checks(FAILED);
    story.register("a", &two).expect("it runs");
    assert_eq!(story.world().route(0, ""), None, "nobody is healthy, nobody known to be unhealthy");
    story.after_ms(250).checks(FAILED);
    let turns = |story: &mut Story| -> std::collections::BTreeSet<_> {
        (0..4).filter_map(|_| story.world().route(0, "")).map(|route| route.target.instance).collect()
    };
    assert_eq!(turns(&mut story), [one.clone()].into(), "one is unhealthy, two still initial: fail open");
    story.after_ms(250).checks(PASSED);
    assert_eq!(turns(&mut story), [two.clone()].into(), "two passed its one check");
    story.after_ms(250).checks(PASSED);
    assert_eq!(turns(&mut story), [one, two].into());
}

#[test]
fn a_slot_leads_to_its_instance_and_weights_share_the_rest() {
    let mut story = Story::begin();
    let (blue, green) = (story.running(), story.running());
    story.register("a", &blue).expect("it runs");
    story.register("b", &green).expect("it runs");
    let (slot, now) = (story.seeded.slots[6].target_group.clone(), story.now);
    let World { cloud, balancers, .. } = story.world();
    balancers.register(cloud, &slot, &[(green.clone(), None)], now).expect("it runs");
    story.weigh(&[("a", 100), ("b", 0)]);
    assert_eq!(story.checks(PASSED), 3);
    let to =
        |story: &mut Story, query: &str| story.world().route(0, query).map(|route| route.target.instance);
    assert_eq!(to(&mut story, "board=b1&srv=s07"), Some(green.clone()));
    assert_eq!(to(&mut story, "srv=s08"), None, "a slot without an instance is nobody else's");
    assert!((0..50).all(|_| to(&mut story, "board=b1") == Some(blue.clone())));
    story.weigh(&[("a", 50), ("b", 50)]);
    let greens = (0..1000).filter(|_| to(&mut story, "") == Some(green.clone())).count();
    assert!((400..600).contains(&greens), "{greens} of 1000");
    story.weigh(&[("a", 0), ("b", 0)]);
    assert_eq!(to(&mut story, ""), None);
}

#[test]
fn each_load_balancer_sends_requests_to_its_own_targets_and_has_its_own_shares() {
    let mut story = Story::with(|config| config.load_balancers = 2);
    let (one, two) = (story.running(), story.running());
    story.register("a", &one).expect("it runs");
    let second = &story.seeded.others[0];
    let (blue, green) = (second.groups["a"].clone(), second.groups["b"].clone());
    let (slot, listener) = (second.slots[0].clone(), second.listener_arn.clone());
    assert_eq!(slot.value, "s01-2");
    let now = story.now;
    let World { cloud, balancers, .. } = story.world();
    for group in [&blue, &slot.target_group] {
        balancers.register(cloud, group, &[(two.clone(), None)], now).expect("it runs");
    }
    assert_eq!(story.checks(PASSED), 3);
    let to = |story: &mut Story, place: usize, query: &str| {
        story.world().route(place, query).map(|route| route.target.instance)
    };
    assert_eq!((to(&mut story, 0, ""), to(&mut story, 1, "")), (Some(one.clone()), Some(two.clone())));
    assert_eq!(to(&mut story, 1, "srv=s01-2"), Some(two));
    assert_eq!(to(&mut story, 0, "srv=s01-2"), Some(one.clone()), "the first has no such rule");

    let forward = |groups: &[&GroupArn]| {
        Forward::new(groups.iter().map(|it| Weighted { group: (*it).clone(), weight: 1 }).collect())
    };
    let first = story.group("a");
    let mixed = forward(&[&blue, &first]).expect("a legal action");
    let refused = story.world().balancers.modify_default(&listener, mixed, now).map(|_| ());
    assert_eq!(refused, Err(ElbRefusal::GroupElsewhere(first)));
    let changed = forward(&[&green]).expect("a legal action");
    story.world().balancers.modify_default(&listener, changed, now).expect("it is its own");
    assert_eq!((to(&mut story, 0, ""), to(&mut story, 1, "")), (Some(one), None));
}
