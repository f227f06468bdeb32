//! Which target a request goes to.

use super::*;

#[test]
fn healthy_targets_take_turns_and_all_unhealthy_ones_do_when_none_is_healthy() {
    let mut story = Story::begin();
    let (one, two) = (story.running(), story.running());
    story.register("a", &one).expect("it runs");
    story.checks(FAILED);
    story.register("a", &two).expect("it runs");
    assert_eq!(story.world().route(""), None, "nobody is healthy, nobody known to be unhealthy");
    story.after_ms(250).checks(FAILED);
    let turns = |story: &mut Story| -> std::collections::BTreeSet<_> {
        (0..4).filter_map(|_| story.world().route("")).map(|route| route.target.instance).collect()
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
    let World { cloud, balancer, .. } = story.world();
    balancer.register(cloud, &slot, &[(green.clone(), None)], now).expect("it runs");
    story.weigh(&[("a", 100), ("b", 0)]);
    assert_eq!(story.checks(PASSED), 3);
    let to = |story: &mut Story, query: &str| story.world().route(query).map(|route| route.target.instance);
    assert_eq!(to(&mut story, "board=b1&srv=s07"), Some(green.clone()));
    assert_eq!(to(&mut story, "srv=s08"), None, "a slot without an instance is nobody else's");
    assert!((0..50).all(|_| to(&mut story, "board=b1") == Some(blue.clone())));
    story.weigh(&[("a", 50), ("b", 50)]);
    let greens = (0..1000).filter(|_| to(&mut story, "") == Some(green.clone())).count();
    assert!((400..600).contains(&greens), "{greens} of 1000");
    story.weigh(&[("a", 0), ("b", 0)]);
    assert_eq!(to(&mut story, ""), None);
}
