//! The contracts of the ports, kept by these adapters on a sandbox, and on moto as far as it goes.

mod moto;

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{Action, ForwardActionConfig, Rule, TargetDescription};
use segue_domain::ids::{
    ForwardArn, GroupArn, ImageId, InstanceId, ServiceName, SubnetId, TemplateId, Version,
};
use segue_engine::ports::contract::{
    CloudFixture, LoadBalancerFixture, PermissionsFixture, cloud, load_balancer, permissions,
};
use segue_engine::ports::{Class, ImageQuery};
use segue_sandbox::{InProcess, Ready, SandboxConfig};
use tempfile::TempDir;

use crate::stub::Stub;

/// For a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything is quick, so that only the order of things is tried.
const CONFIG: &str = r#"
    # The pair that the stub's clients sign with.
    [credentials]
    access_key_id = "AKIDTEST"
    secret_access_key = "secret"
    [instances]
    boot_ms = 50
    stop_ms = 50
    [health]
    interval_ms = 50
    [load_balancer]
    deregistration_delay_s = 1
    [fleet]
    version = "1"
    count = 1
    launched_by = "others"
"#;

async fn sandbox() -> (InProcess, TempDir) {
    sandbox_of(toml::from_str(CONFIG).expect("a legal configuration")).await
}

async fn sandbox_of(config: SandboxConfig) -> (InProcess, TempDir) {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    (InProcess::start(config, folder.path()).await.expect("a sandbox"), folder)
}

fn group(ready: &Ready, name: &str) -> GroupArn {
    GroupArn::new(ready.target_groups[name].to_string())
}

#[tokio::test]
async fn ec2_on_a_sandbox_keeps_the_contract_of_the_cloud() {
    let (sandbox, _folder) = sandbox().await;
    let ready = sandbox.ready();
    let fixture = CloudFixture {
        service: ServiceName::new(ready.service.clone()),
        images: ImageQuery {
            owner: "self".to_owned(),
            tags: [("service".to_owned(), ready.service.clone())].into(),
        },
        version: Version::new("2"),
        template: TemplateId::new(ready.launch_template.to_string()),
        subnet: SubnetId::new(ready.subnets[0].to_string()),
        stranger: InstanceId::new(ready.blue[0].to_string()),
        stranger_version: Version::new("1"),
        run: 1,
        patience: PATIENCE,
    };
    cloud(Stub::elsewhere(&ready.aws).cloud().await, fixture).await;
    sandbox.shutdown().await;
}

#[tokio::test]
async fn elbv2_on_a_sandbox_keeps_the_contract_of_the_load_balancer() {
    let (sandbox, _folder) = sandbox().await;
    let ready = sandbox.ready();
    let stub = Stub::elsewhere(&ready.aws);
    let listener = LoadBalancerFixture {
        forward: ForwardArn::new(ready.listener_arn.clone()),
        group: group(ready, "b"),
        no_group: nowhere(&group(ready, "b")),
        instance: InstanceId::new(ready.blue[0].to_string()),
        patience: PATIENCE,
    };
    // A forward may also be a rule's: here the one of the last slot, whose group is empty.
    let slot = ready.slots.last().expect("a slot").target_group.to_string();
    let rule = rule_of(&stub, &ready.listener_arn, &slot).await;
    let rule = LoadBalancerFixture { forward: rule, group: GroupArn::new(slot), ..listener.clone() };
    for fixture in [listener, rule] {
        load_balancer(stub.balancer().await, fixture).await;
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn questions_to_a_sandbox_keep_the_contract_of_permissions() {
    for (denied, policy) in [
        ("TerminateInstances", "ec2:TerminateInstances"),
        // Without it nothing can be launched, for every launch is tagged.
        ("CreateTags", "ec2:CreateTags"),
        ("DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth"),
    ] {
        let mut config: SandboxConfig = toml::from_str(CONFIG).expect("a legal configuration");
        config.credentials.deny = vec![policy.to_owned()];
        let (sandbox, _folder) = sandbox_of(config).await;
        let ready = sandbox.ready();
        let fixture = PermissionsFixture {
            service: ServiceName::new(ready.service.clone()),
            denied,
            instance: InstanceId::new(ready.blue[0].to_string()),
            template: TemplateId::new(ready.launch_template.to_string()),
            image: ImageId::new(ready.images["2"].to_string()),
            subnet: SubnetId::new(ready.subnets[0].to_string()),
            forward: ForwardArn::new(ready.listener_arn.clone()),
            group: group(ready, "b"),
        };
        let stub = Stub::elsewhere(&ready.aws);
        permissions(stub.permissions().await, stub.cloud().await, fixture).await;
        sandbox.shutdown().await;
    }
}

/// Whoever registered the servers of today may have given a port of their own.
#[tokio::test]
async fn a_target_on_other_ports_than_its_groups_is_out_when_it_was_taken_out() {
    let (sandbox, _folder) = sandbox().await;
    let ready = sandbox.ready();
    let stub = Stub::elsewhere(&ready.aws);
    let (balancer, group) = (stub.balancer().await, group(ready, "b"));
    let id = InstanceId::new(ready.blue[0].to_string());
    let on = |port| TargetDescription::builder().id(id.as_str()).port(port).build();
    let asking = stub.elbv2().await.register_targets().target_group_arn(group.as_str());
    asking.targets(on(9_090)).targets(on(9_091)).send().await.expect("it is registered");
    assert!(balancer.targets(&group).await.expect("targets").contains_key(&id));

    balancer.deregister(&group, std::slice::from_ref(&id)).await.expect("it is taken out");
    let out = async {
        // It drains for a second.
        while !balancer.targets(&group).await.is_ok_and(|targets| targets.is_empty()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, out).await.expect("it leaves every port");
    sandbox.shutdown().await;
}

#[tokio::test]
async fn what_expired_credentials_are_told_is_asked_again_and_changed_nothing() {
    let config = format!("{CONFIG}\n[[fault]]\nfault = \"expire_credentials\"\ncalls = 2\n");
    let (sandbox, _folder) = sandbox_of(toml::from_str(&config).expect("a legal configuration")).await;
    let ready = sandbox.ready();
    let stub = Stub::elsewhere(&ready.aws);
    let (service, group) = (ServiceName::new(ready.service.clone()), group(ready, "a"));
    let (cloud, balancer) = (stub.cloud().await, stub.balancer().await);

    let of_ec2 = cloud.instances(&service).await.expect_err("they have expired");
    let of_elb = balancer.targets(&group).await.expect_err("they still have");
    for error in [of_ec2, of_elb] {
        assert_eq!(error.class, Class::Retry, "{error}");
        assert!(error.what.contains("its credentials are too old"), "{error}");
    }
    cloud.instances(&service).await.expect("they were renewed");
    assert_eq!(balancer.targets(&group).await.expect("they were renewed").len(), 1);
    sandbox.shutdown().await;
}

/// A group that is not there, named like one that is.
fn nowhere(group: &GroupArn) -> GroupArn {
    let (rest, _id) = group.as_str().rsplit_once('/').expect("an ARN ends with an id");
    GroupArn::new(format!("{rest}/ffffffffffffffff"))
}

/// The rule that forwards to a group alone.
async fn rule_of(stub: &Stub, listener: &str, group: &str) -> ForwardArn {
    let asking = stub.elbv2().await.describe_rules().listener_arn(listener);
    let rules = asking.send().await.expect("rules are listed").rules.unwrap_or_default();
    let forwards = |action: &Action| {
        let groups = action.forward_config().map(ForwardActionConfig::target_groups).unwrap_or_default();
        matches!(groups, [only] if only.target_group_arn() == Some(group))
    };
    let rule = rules.iter().find(|rule| rule.actions().iter().any(forwards));
    ForwardArn::new(rule.and_then(Rule::rule_arn).expect("a rule of the group"))
}
