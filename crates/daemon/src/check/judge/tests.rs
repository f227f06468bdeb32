//! Checks in a small world: all is well, and then one thing is not.

use std::collections::BTreeMap;
use std::time::Duration;

use segue_config::{Config, Environment};
use segue_domain::ids::{GroupArn, InstanceId, TemplateId};
use segue_domain::service::Service;
use segue_domain::stranger::SCALING_GROUP_TAG;
use segue_engine::fakes::{FakeWorld, Method, Nth, What};
use segue_engine::ports::{Answer, CallError, Class};

use crate::check::finding::{Check, CheckState, names};
use crate::check::gather::{Access, Asked, Found, gather};
use crate::check::judge::all;

fn config() -> Config {
    let example = include_str!("../../../../../deploy/segue.example.toml");
    let key = ("SEGUE_HANDOVER_KEY".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    Config::parse("segue.toml", example, &Environment::given([key])).expect("the example reads")
}

async fn found(world: &FakeWorld, service: &Service) -> Found {
    // Numbers come a moment after servers do.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ports = world.ports();
    let asked = Asked {
        service,
        images: &world.images(),
        permissions: world.permissions(),
        cloud: ports.cloud,
        balancer: ports.balancer,
        metrics: ports.metrics,
        boards: ports.boards,
    };
    gather(&asked).await
}

async fn checks(world: &FakeWorld, service: &Service) -> BTreeMap<&'static str, Check> {
    let found = found(world, service).await;
    let checks = all(service, &world.images(), &config(), &found);
    checks.into_iter().map(|check| (check.name, check)).collect()
}

fn fleet() -> FakeWorld {
    let world = FakeWorld::with_fleet(2, 6);
    world.calm_users();
    world
}

#[track_caller]
fn says(checks: &BTreeMap<&'static str, Check>, name: &str, state: CheckState, words: &str) {
    let check = &checks[name];
    let hint = check.hint.as_deref().unwrap_or_default();
    assert_eq!(check.state, state, "{check:?}");
    assert!(check.sentence.contains(words) || hint.contains(words), "{words:?} is not in {check:?}");
    let advised = matches!(state, CheckState::Warn | CheckState::Fail);
    assert_eq!(check.hint.is_some(), advised, "{check:?}");
}

#[test]
fn every_name_has_its_line_in_the_documents_and_nothing_else_has() {
    let page = include_str!("../../../../../docs/check.md");
    let named: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(named, names());
}

#[tokio::test(start_paused = true)]
async fn where_all_is_well_nothing_fails_and_every_check_is_told_once() {
    let world = fleet();
    let found = found(&world, &world.service()).await;
    let checks = all(&world.service(), &world.images(), &config(), &found);
    let told: Vec<&str> = checks.iter().map(|check| check.name).collect();
    // What is looked at once for all services comes first, and the command last.
    let of_service: Vec<&str> = names()[4..names().len() - 1].to_vec();
    assert_eq!(told, of_service);
    for check in &checks {
        let well = if check.name == "may-route" { CheckState::Skip } else { CheckState::Ok };
        assert_eq!(check.state, well, "{check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_is_missing_is_named_with_the_action_to_allow() {
    let world = fleet();
    for call in ["DescribeSubnets", "StopInstances", "CreateTags", "DescribeTargetHealth"] {
        world.deny(call);
    }
    let checks = checks(&world, &world.service()).await;
    says(&checks, "may-read", CheckState::Fail, "DescribeSubnets");
    says(&checks, "may-stop", CheckState::Fail, "allow ec2:StopInstances");
    says(&checks, "may-launch", CheckState::Fail, "allow ec2:CreateTags");
    says(&checks, "may-tag", CheckState::Warn, "ec2:CreateTags");
    says(&checks, "may-terminate", CheckState::Ok, "TerminateInstances");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_names_and_is_not_there_fails() {
    let world = fleet();
    let mut service = world.service();
    service.launch.template = TemplateId::new("lt-gone");
    service.routing.first.canaries.push(GroupArn::new("no-such-group"));
    service.routing.first.slots.truncate(3);
    service.launch.size = Some(600);
    let checks = checks(&world, &service).await;
    says(&checks, "template", CheckState::Fail, "lt-gone");
    says(&checks, "may-launch", CheckState::Warn, "lt-gone");
    says(&checks, "forward", CheckState::Fail, "no-such-group");
    says(&checks, "slots", CheckState::Fail, "1 of 3");
    says(&checks, "targets", CheckState::Fail, "no-such-group");
    says(&checks, "addresses", CheckState::Fail, "300 of each subnet");
}

#[tokio::test(start_paused = true)]
async fn each_load_balancer_is_judged_by_itself_and_the_worst_is_told_by_name() {
    let world = FakeWorld::with_spread_fleet_at(2, 4, 8);
    world.calm_users();
    let told = checks(&world, &world.service()).await;
    says(
        &told,
        "forward",
        CheckState::Ok,
        "forward: it names all 5 colour and canary groups; forward-of-2: it names",
    );
    says(&told, "slots", CheckState::Ok, "forward-of-2: 10 of 12 are free");
    says(&told, "fleet", CheckState::Ok, "4 serve");

    let mut service = world.service();
    service.routing.others[0].slots.truncate(3);
    let (own, theirs) = (&mut service.routing.first.canaries, &mut service.routing.others[0].canaries);
    std::mem::swap(&mut own[0], &mut theirs[0]);
    let told = checks(&world, &service).await;
    says(&told, "slots", CheckState::Fail, "forward-of-2: 1 of 3 are free, and a full release takes 2");
    says(
        &told,
        "forward",
        CheckState::Fail,
        "forward-of-2 does: list each group under `routing` with the forward",
    );
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_at_which_nobody_serves_is_told() {
    let world = FakeWorld::with_spread_fleet_at(2, 1, 2);
    world.calm_users();
    says(
        &checks(&world, &world.service()).await,
        "fleet",
        CheckState::Warn,
        "nobody serves at the load balancer forward-of-2",
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_fleet_nobody_is_asked_about_it() {
    let world = FakeWorld::new();
    let checks = checks(&world, &world.service()).await;
    says(&checks, "fleet", CheckState::Warn, "segue adopt");
    for name in ["may-stop", "may-terminate", "samples", "vitals", "control", "formats"] {
        assert_eq!(checks[name].state, CheckState::Skip, "{:?}", checks[name]);
    }
    says(&checks, "prometheus", CheckState::Ok, "answers");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_registered_is_known_or_named() {
    let strange = FakeWorld::with_strangers(2, 6);
    strange.calm_users();
    let told = checks(&strange, &strange.service()).await;
    says(&told, "strangers", CheckState::Fail, "i-0001");
    says(&told, "strangers", CheckState::Fail, "segue adopt boards");
    strange.set_tag(&InstanceId::new("i-0001"), SCALING_GROUP_TAG, "boards-asg");
    says(
        &checks(&strange, &strange.service()).await,
        "strangers",
        CheckState::Fail,
        "detach those of the Auto Scaling group boards-asg first",
    );

    let elsewhere = FakeWorld::with_strangers(2, 6);
    elsewhere.calm_users();
    elsewhere.set_tag(&InstanceId::new("i-0002"), "segue:service", "whiteboards");
    let told = checks(&elsewhere, &elsewhere.service()).await;
    says(&told, "strangers", CheckState::Fail, "tagged segue:service=whiteboards: i-0002");
    says(&told, "strangers", CheckState::Fail, "is `name = \"boards\"` right?");

    let world = fleet();
    world.set_tag(&InstanceId::new("i-0002"), SCALING_GROUP_TAG, "boards-asg");
    let told = checks(&world, &world.service()).await;
    says(&told, "strangers", CheckState::Warn, "of the Auto Scaling group boards-asg: i-0002");
    world.register_stranger(&InstanceId::new("10.0.0.5"));
    says(
        &checks(&world, &world.service()).await,
        "strangers",
        CheckState::Fail,
        "no instance that EC2 lists: 10.0.0.5",
    );
    world.choke().add(Method::Targets, Nth::Each, What::FailBefore(Class::Retry));
    says(&checks(&world, &world.service()).await, "strangers", CheckState::Fail, "check again");
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_slots_each_new_server_is_one_target() {
    let world = fleet();
    let mut service = world.service();
    service.launch.size = Some(600);
    says(&checks(&world, &service).await, "targets", CheckState::Fail, "brings 1200");
    service.routing.first.slots.clear();
    says(&checks(&world, &service).await, "targets", CheckState::Ok, "brings 600");
}

#[tokio::test(start_paused = true)]
async fn servers_that_nobody_counts_or_that_say_nothing_fail() {
    let world = fleet();
    world.forget_series();
    world.die(&InstanceId::new("i-0002"));
    world.choke().add(Method::Status, Nth::Each, What::FailBefore(Class::Bug));
    let checks = checks(&world, &world.service()).await;
    says(&checks, "samples", CheckState::Fail, "instance_id");
    says(&checks, "vitals", CheckState::Fail, "judged");
    says(&checks, "control", CheckState::Fail, "the key under [handover]");
    says(&checks, "fleet", CheckState::Warn, "i-0002");
}

#[tokio::test(start_paused = true)]
async fn at_level_0_people_are_warned_of_reconnects() {
    let world = fleet();
    world.set_level(0);
    says(&checks(&world, &world.service()).await, "level", CheckState::Warn, "reconnect");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_taken_are_told_once_and_the_rest_is_skipped() {
    let world = fleet();
    let well = found(&world, &world.service()).await;
    let judged = |ec2: Result<Answer, CallError>, elb: Result<Answer, CallError>| {
        let found = Found { access: Access { ec2, elb }, aws: None, ..well.clone() };
        let checks = all(&world.service(), &world.images(), &config(), &found);
        let failed: Vec<&str> =
            checks.iter().filter(|it| it.state == CheckState::Fail).map(|it| it.name).collect();
        (failed.join(" "), checks.into_iter().map(|check| (check.name, check)).collect::<BTreeMap<_, _>>())
    };
    let what = || "AuthFailure".to_owned();
    let (failed, checks) = judged(Ok(Answer::NotTaken(what())), Ok(Answer::NotTaken(what())));
    assert_eq!(failed, "credentials");
    says(&checks, "credentials", CheckState::Fail, "unset AWS_SESSION_TOKEN");
    assert_eq!(checks.len(), names().len() - 5, "the rest is told as skipped");

    let (failed, checks) = judged(Ok(Answer::NotTaken(what())), Ok(Answer::ElsewhereOnly(what())));
    assert_eq!(failed, "region");
    says(&checks, "region", CheckState::Fail, "eu-west-1");

    let (failed, checks) = judged(Ok(Answer::NoCredentials(what())), Ok(Answer::NoCredentials(what())));
    assert_eq!(failed, "credentials");
    says(&checks, "credentials", CheckState::Fail, "set AWS_ACCESS_KEY_ID");

    let away = || Err(CallError::retry("nobody could be reached"));
    let (failed, checks) = judged(away(), away());
    assert_eq!(failed, "aws");
    says(&checks, "aws", CheckState::Fail, "segue sandbox");
}

#[tokio::test(start_paused = true)]
async fn where_no_dry_run_is_kept_nothing_is_asked_that_would_change_something() {
    let world = fleet();
    world.ignore_dry_run("DescribeInstances");
    let checks = checks(&world, &world.service()).await;
    says(&checks, "aws", CheckState::Fail, "aws.endpoint");
    says(&checks, "may-stop", CheckState::Warn, "was not asked about");
    for call in ["RunInstances", "StartInstances", "StopInstances", "TerminateInstances", "CreateTags"] {
        assert!(!world.questions().contains(&call), "{call} was asked: {:?}", world.questions());
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_change_that_was_made_for_real_no_other_is_asked() {
    let world = fleet();
    world.ignore_dry_run("StartInstances");
    let checks = checks(&world, &world.service()).await;
    says(&checks, "may-launch", CheckState::Ok, "RunInstances");
    says(&checks, "may-start", CheckState::Fail, "answered for real");
    says(&checks, "may-terminate", CheckState::Warn, "was not asked about");
    for call in ["StopInstances", "TerminateInstances", "CreateTags"] {
        assert!(!world.questions().contains(&call), "{call} was asked: {:?}", world.questions());
    }
}

#[tokio::test(start_paused = true)]
async fn where_another_reading_is_not_dry_nothing_is_asked_either() {
    let world = fleet();
    world.ignore_dry_run("DescribeSubnets");
    let checks = checks(&world, &world.service()).await;
    says(&checks, "may-read", CheckState::Fail, "DescribeSubnets");
    assert!(!world.questions().contains(&"RunInstances"), "{:?}", world.questions());
}
