//! AWS's manners, told as stories about the world: no clock, no process, no socket.

use std::collections::BTreeMap;

use super::*;
use crate::config::SandboxConfig;
use crate::names::{GroupArn, InstanceId};
use crate::seed::{Ground, Seeded, seed};

/// A seeded world and the time in it.
struct Story {
    seeded: Seeded,
    now: At,
}

impl Story {
    fn begin() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        let mut config = SandboxConfig { seed: Some(7), ..SandboxConfig::default() };
        change(&mut config);
        let now = At::from_ms(1_700_000_000_000);
        let ground =
            Ground { config: &config, blocks: vec![1, 2, 3], lb_port: 80, env: BTreeMap::new(), now };
        Self { seeded: seed(ground), now }
    }

    fn world(&mut self) -> &mut World {
        &mut self.seeded.world
    }

    fn after_ms(&mut self, ms: u64) -> &mut Self {
        self.now = At::from_ms(self.now.ms() + ms);
        let now = self.now;
        self.world().advance(now);
        self
    }

    fn request(&self, token: &str, count: u32) -> LaunchRequest {
        LaunchRequest {
            template: None,
            image: self.seeded.images.get("1").cloned(),
            instance_type: None,
            subnet: self.seeded.subnets.first().cloned(),
            user_data: None,
            tags: BTreeMap::new(),
            min: 1,
            max: count,
            token: Some(token.into()),
        }
    }

    fn launch(&mut self, token: &str, count: u32) -> Result<Launched, Ec2Refusal> {
        let (request, now) = (self.request(token, count), self.now);
        self.world().launch(request, now)
    }

    /// One instance that runs.
    fn running(&mut self) -> InstanceId {
        let launched = self.launch(&format!("t{}", self.now.ms()), 1).expect("there is room");
        self.after_ms(300).world().take_effects();
        launched.instances[0].clone()
    }

    fn state(&self, id: &InstanceId) -> &'static str {
        self.seeded.world.cloud.instance(id).map_or("forgotten", |i| i.state().name())
    }

    fn change(&mut self, verb: Verb, id: &InstanceId) -> Result<Vec<Change>, Ec2Refusal> {
        let now = self.now;
        self.world().change(verb, std::slice::from_ref(id), now)
    }

    fn ended(&mut self, id: &InstanceId, run: u32) {
        let now = self.now;
        self.world().program_ended(id, run, "exit status: 0", now);
    }

    fn group(&self, name: &str) -> GroupArn {
        self.seeded.groups[name].clone()
    }

    fn register(&mut self, group: &str, id: &InstanceId) -> Result<(), ElbRefusal> {
        let (arn, now, targets) = (self.group(group), self.now, [(id.clone(), None)]);
        let World { cloud, balancer, .. } = self.world();
        balancer.register(cloud, &arn, &targets, now)
    }

    fn deregister(&mut self, group: &str, id: &InstanceId) {
        let (arn, now, targets) = (self.group(group), self.now, [(id.clone(), None)]);
        self.world().balancer.deregister(&arn, &targets, now).expect("the group exists");
    }

    /// One round of health checks, all ending alike; how many there were.
    fn checks(&mut self, outcome: CheckOutcome) -> usize {
        let now = self.now;
        let checks = self.world().due_checks(now);
        for check in &checks {
            self.world().balancer.checked(check, outcome);
        }
        checks.len()
    }

    fn health(&self, group: &str, id: &InstanceId) -> (&'static str, &'static str) {
        let world = &self.seeded.world;
        let key = TargetKey { instance: id.clone(), port: 8080 };
        let group = world.balancer.group(&self.group(group)).expect("the group exists");
        let report = group.report(&key, world.cloud.instance(id));
        (report.state, report.reason.unwrap_or("-"))
    }

    fn weigh(&mut self, weights: &[(&str, u32)]) {
        let weighted =
            weights.iter().map(|(name, weight)| Weighted { group: self.group(name), weight: *weight });
        let forward = Forward::new(weighted.collect()).expect("a legal action");
        let now = self.now;
        self.world().balancer.modify_default(forward, now).expect("the groups exist");
    }
}

const PASSED: CheckOutcome = CheckOutcome::Passed;
const FAILED: CheckOutcome = CheckOutcome::Failed(Failure::Code(503));

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
    assert_eq!((again.instances, again.fresh), (first.instances, false));
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
    story.world().balancer.checked(&late, PASSED);
    assert_eq!(story.health("a", &id).0, "initial");
}

#[test]
fn a_deregistered_target_drains_gets_nothing_new_and_is_cut_at_the_end() {
    let mut story = Story::begin();
    let id = story.running();
    story.register("a", &id).expect("it runs");
    story.checks(PASSED);
    assert!(story.world().route("").is_some());
    story.deregister("a", &id);
    assert_eq!(story.health("a", &id), ("draining", "Target.DeregistrationInProgress"));
    assert_eq!(story.world().route(""), None);
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
    assert_eq!(story.world().route(""), None);
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
