//! Faults: whom they strike, how often, and how they end.

use super::*;
use crate::faults::{Fault, FaultRefused, PrometheusFault};

impl Story {
    fn fault(&mut self, fault: Fault) -> Result<(), FaultRefused> {
        let now = self.now;
        self.world().set_fault(fault, now)
    }

    fn struck(&mut self, name: &str) -> u64 {
        self.world().ledger().faults.get(name).copied().unwrap_or(0)
    }
}

fn throttle(action: Option<&str>, calls: Option<u32>, for_ms: Option<u64>) -> Fault {
    Fault::Throttle { action: action.map(str::to_owned), calls, for_ms }
}

fn no_room(zone: Option<&str>, instance_type: Option<&str>, calls: Option<u32>) -> Fault {
    let (zone, instance_type) = (zone.map(str::to_owned), instance_type.map(str::to_owned));
    Fault::RefuseCapacity { zone, instance_type, calls, for_ms: None }
}

#[test]
fn a_throttle_strikes_its_action_as_often_as_it_says_and_no_other() {
    let mut story = Story::begin();
    story.fault(throttle(Some("RunInstances"), Some(2), None)).expect("it is a legal fault");
    let now = story.now;
    let mut throttles = |action| story.world().throttles(action, now);
    assert!(!throttles("DescribeInstances"));
    assert_eq!([(); 3].map(|()| throttles("RunInstances")), [true, true, false]);
    assert_eq!(story.struck("throttle:RunInstances"), 2);
    assert_eq!(story.world().faults(now).faults, [], "it is used up");
}

#[test]
fn a_fault_for_a_time_is_over_when_the_time_is() {
    let mut story = Story::begin();
    story.fault(throttle(None, None, Some(500))).expect("it is a legal fault");
    let begun = story.now;
    assert!(story.world().throttles("ModifyRule", begun));
    let left = story.after_ms(499).now;
    let view = story.world().faults(left).faults;
    assert_eq!((view[0].struck, view[0].ms_left, view[0].calls_left), (1, Some(1), None));
    let over = story.after_ms(1).now;
    assert!(!story.world().throttles("ModifyRule", over));
}

#[test]
fn credentials_expire_for_every_call_and_are_renewed() {
    let mut story = Story::begin();
    story.fault(Fault::ExpireCredentials { calls: Some(2), for_ms: None }).expect("it is a legal fault");
    let now = story.now;
    let called = ["DescribeInstances", "RegisterTargets", "DescribeInstances"];
    assert_eq!(called.map(|action| story.world().expires(action, now)), [true, true, false]);
    assert_eq!(story.struck("expire_credentials:RegisterTargets"), 1);
}

#[test]
fn capacity_is_refused_in_its_zone_and_the_token_stays_free() {
    let mut story = Story::begin();
    let zone = Some("eu-west-1a");
    story.fault(no_room(zone, None, Some(1))).expect("there is such a zone");
    let mut elsewhere = story.request("other", 1);
    elsewhere.subnet = story.seeded.subnets.get(1).cloned();
    let now = story.now;
    story.world().launch(elsewhere, now).expect("another zone has room");
    let refused = story.launch("t", 1).expect_err("no room in this one");
    assert_eq!((refused.code(), refused.status()), ("InsufficientInstanceCapacity", 500));
    assert!(refused.to_string().ends_with("or choosing eu-west-1b, eu-west-1c."), "{refused}");
    story.launch("t", 1).expect("it was once only");
    assert_eq!(story.struck("refuse_capacity:eu-west-1a"), 1);
}

#[test]
fn capacity_of_one_type_is_refused_in_one_zone_and_is_there_for_another_type_and_in_another_zone() {
    let mut story = Story::begin();
    story.fault(no_room(Some("eu-west-1a"), Some("m7i.large"), None)).expect("there is such a zone");
    let now = story.now;
    let subnets = story.seeded.subnets.clone();
    let mut launches = |token: &str, kind: &str, subnet: usize| {
        let mut request = story.request(token, 1);
        (request.instance_type, request.subnet) = (Some(kind.to_owned()), subnets.get(subnet).cloned());
        story.world().launch(request, now).map(|_| ()).map_err(|no| no.code())
    };
    assert_eq!(launches("1", "m7i.large", 0), Err("InsufficientInstanceCapacity"));
    assert_eq!(launches("2", "m6i.large", 0), Ok(()));
    assert_eq!(launches("3", "m7i.large", 1), Ok(()));
}

#[test]
fn a_start_takes_capacity_too() {
    let mut story = Story::begin();
    let id = story.running();
    story.ended(&id, 1);
    story.fault(no_room(None, None, Some(1))).expect("a legal fault");
    let refused = story.change(Verb::Start, &id);
    assert!(matches!(refused, Err(Ec2Refusal::NoCapacity { .. })), "{refused:?}");
    assert_eq!(story.state(&id), "stopped");
    story.change(Verb::Start, &id).expect("it was once only");
}

#[test]
fn a_replayed_token_needs_no_capacity() {
    let mut story = Story::begin();
    let first = story.launch("t", 1);
    story.fault(no_room(None, None, None)).expect("a legal fault");
    assert_eq!(story.launch("t", 1), first);
}

#[test]
fn a_slow_boot_takes_as_long_as_it_says() {
    let mut story = Story::begin();
    let slow = Fault::SlowBoot { boot_ms: 60_000, calls: Some(1), for_ms: None };
    story.fault(slow).expect("it is a legal fault");
    let slow = story.launch("slow", 2).expect("there is room").instances;
    let quick = story.launch("quick", 1).expect("there is room").instances;
    story.after_ms(300);
    let states = |story: &Story| [&slow[0], &slow[1], &quick[0]].map(|id| story.state(id));
    assert_eq!(states(&story), ["pending", "pending", "running"]);
    story.after_ms(59_700);
    assert_eq!(states(&story), ["running", "running", "running"]);
}

#[test]
fn an_unhealthy_instance_fails_its_checks_until_it_is_healed() {
    let mut story = Story::begin();
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.checks(PASSED);
    story.fault(Fault::Unhealthy { instance: id.clone(), for_ms: None }).expect("it exists");
    story.after_ms(250).checks(PASSED);
    assert_eq!(story.health("a", &id), ("healthy", "-"), "one failure is not enough");
    story.after_ms(250).checks(PASSED);
    assert_eq!(story.health("a", &id), ("unhealthy", "Target.ResponseCodeMismatch"));
    assert_eq!(story.struck(&format!("unhealthy:{id}")), 2);
    story.world().heal();
    story.after_ms(250).checks(PASSED);
    story.after_ms(250).checks(PASSED);
    assert_eq!(story.health("a", &id), ("healthy", "-"));
}

#[test]
fn a_kill_is_sent_once_and_to_what_runs_only() {
    let mut story = Story::begin();
    let id = story.running();
    story.fault(Fault::Kill { instance: id.clone() }).expect("it runs");
    let kill = Effect::Signal { instance: id.clone(), run: 1, signal: ProcessSignal::Kill };
    assert_eq!(story.world().take_effects(), [kill]);
    assert_eq!(story.struck(&format!("kill:{id}")), 1);
    story.ended(&id, 1);
    let refused = story.fault(Fault::Kill { instance: id.clone() });
    assert_eq!(refused, Err(FaultRefused::NotRunning { instance: id, state: "stopped" }));
}

#[test]
fn what_is_frozen_is_thawed_when_all_is_healed_and_forgotten_when_it_ends() {
    let mut story = Story::begin();
    let (id, other) = (story.running(), story.running());
    for frozen in [&id, &id, &other] {
        story.fault(Fault::Freeze { instance: frozen.clone() }).expect("it runs");
    }
    assert_eq!(story.world().take_effects().len(), 2, "frozen is frozen");
    story.ended(&other, 1);
    let now = story.now;
    assert_eq!(story.world().faults(now).faults.len(), 1);
    story.world().heal();
    let thaw = Effect::Signal { instance: id, run: 1, signal: ProcessSignal::Thaw };
    assert_eq!(story.world().take_effects(), [thaw]);
}

#[test]
fn faults_of_what_does_not_exist_and_faults_without_end_are_refused() {
    let mut story = Story::begin();
    let nobody = story.fault(Fault::Unhealthy { instance: "i-0dead".into(), for_ms: None });
    assert_eq!(nobody, Err(FaultRefused::UnknownInstance("i-0dead".into())));
    let nowhere = no_room(Some("mars-1a"), None, None);
    let refused = story.fault(nowhere).expect_err("there is no such zone").to_string();
    assert!(refused.starts_with("the sandbox has no zone mars-1a, only eu-west-1"), "{refused}");
    for _ in 0..crate::faults::FAULTS_MAX {
        story.fault(Fault::Prometheus { is: PrometheusFault::Nan, for_ms: None }).expect("there is room");
    }
    assert_eq!(story.fault(throttle(None, None, None)), Err(FaultRefused::TooMany));
}
