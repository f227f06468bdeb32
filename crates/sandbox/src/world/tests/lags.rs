//! Eventual consistency: what was done shows later.

use super::*;

fn late(launch_ms: u64, tags_ms: u64, targets_ms: u64) -> Story {
    let mut story = Story::begin();
    let [launch, tags, targets] = [launch_ms, tags_ms, targets_ms].map(std::time::Duration::from_millis);
    story.world().keep_manners(Lags { launch, tags, targets }, TokenBuckets::Off);
    story
}

impl Story {
    fn sees(&self, id: &InstanceId) -> bool {
        self.seeded.world.cloud.require(std::slice::from_ref(id)).is_ok()
    }

    fn tag(&mut self, id: &InstanceId, value: &str) -> Result<(), Ec2Refusal> {
        let (tags, now) = ([("role".to_owned(), value.to_owned())].into(), self.now);
        self.world().cloud.create_tags(&[id.to_string()], &tags, now)
    }

    fn role(&self, id: &InstanceId) -> Option<&str> {
        self.seeded.world.cloud.instance(id)?.tags.get("role").map(String::as_str)
    }
}

#[test]
fn a_launch_is_not_found_until_its_lag_is_over_but_its_token_finds_it() {
    let mut story = late(5_000, 0, 0);
    let launched = story.launch("t", 1).expect("there is room");
    let id = launched.instances[0].clone();
    story.after_ms(4_999);
    assert!(!story.sees(&id));
    assert_eq!(story.seeded.world.cloud.seen_instances().count(), 0);
    let unknown = Err(Ec2Refusal::InstanceNotFound(vec![id.clone()]));
    assert_eq!(story.change(Verb::Terminate, &id), unknown);
    assert_eq!(story.tag(&id, "x"), Err(Ec2Refusal::InstanceNotFound(vec![id.clone()])));
    assert_eq!(story.launch("t", 1), Ok(launched));
    story.after_ms(1);
    assert!(story.sees(&id));
    assert_eq!(story.state(&id), "running", "it booted all the while");
}

#[test]
fn tags_show_after_their_lag_and_in_the_order_in_which_they_were_written() {
    let mut story = late(0, 1_000, 0);
    let id = story.running();
    story.tag(&id, "first").expect("it exists");
    story.after_ms(500).tag(&id, "second").expect("it exists");
    assert_eq!(story.role(&id), None);
    story.after_ms(500);
    assert_eq!(story.role(&id), Some("first"));
    story.after_ms(500);
    assert_eq!(story.role(&id), Some("second"));
}

#[test]
fn a_registered_target_is_not_registered_yet_and_nobody_checks_it() {
    let mut story = late(0, 0, 2_000);
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.after_ms(1_999);
    assert_eq!(story.health("a", &id), ("unused", "Target.NotRegistered"));
    assert_eq!((story.checks(PASSED), story.world().route(0, "")), (0, None));
    story.after_ms(1);
    assert_eq!(story.health("a", &id), ("initial", "Elb.RegistrationInProgress"));
    assert_eq!(story.checks(PASSED), 1);
    assert_eq!(story.health("a", &id), ("healthy", "-"));
}

#[test]
fn a_second_registration_does_not_begin_the_lag_anew() {
    let mut story = late(0, 0, 2_000);
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.after_ms(1_000).register("a", &id).expect("it runs");
    story.after_ms(1_000);
    assert_eq!(story.health("a", &id).0, "initial");
}
