//! A few answers in full, as a client reads them.

use std::collections::BTreeMap;

use super::*;
use crate::config::SandboxConfig;
use crate::ports;
use crate::seed::{Ground, seed};
use crate::world::Cidr;

/// A seeded world, always the same.
fn world() -> (World, At) {
    let config = SandboxConfig { seed: Some(7), slots: 1, ..SandboxConfig::default() };
    let now = At::from_ms(1_700_000_000_000);
    let ground = Ground {
        config: &config,
        blocks: [1, 2, 3].map(Cidr::Small).into(),
        traffic_port: ports::TRAFFIC,
        lb_ports: vec![8000],
        env: BTreeMap::new(),
        now,
    };
    (seed(ground).world, now)
}

/// One element on a line.
fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

fn ec2(world: &mut World, now: At, form: &str) -> String {
    let mut params = Params::parse(form.as_bytes());
    let action = params.take("Action").unwrap_or_default();
    let call = Call { action: &action, request: "request-1" };
    let answered = ec2::answer(world, now, call, params);
    lines(&answered.unwrap_or_else(|no| xml::ec2_error(no.code(), &no.to_string(), "request-1")))
}

fn elb(world: &mut World, now: At, form: &str) -> String {
    let mut params = Params::parse(form.as_bytes());
    let action = params.take("Action").unwrap_or_default();
    let call = Call { action: &action, request: "request-1" };
    let answered = elb::answer(world, now, call, params);
    lines(&answered.unwrap_or_else(|no| xml::elb_error(no.code(), &no.to_string(), "request-1")))
}

#[test]
fn a_launch_is_answered_with_its_reservation() {
    let (mut world, now) = world();
    let image = world.cloud.images.keys().next().expect("there is an image").clone();
    let form = format!(
        "Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&ClientToken=t&InstanceType=c7i.large\
         &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b%26c"
    );
    insta::assert_snapshot!(ec2(&mut world, now, &form));
}

#[test]
fn an_ec2_error_has_its_own_form() {
    let (mut world, now) = world();
    insta::assert_snapshot!(ec2(&mut world, now, "Action=StopInstances&InstanceId.1=i-0dead"));
}

#[test]
fn a_listener_shows_its_weights() {
    let (mut world, now) = world();
    let arn = world.balancers.first.settings.arn.clone();
    insta::assert_snapshot!(elb(&mut world, now, &format!("Action=DescribeListeners&LoadBalancerArn={arn}")));
}

#[test]
fn rules_show_their_conditions() {
    let (mut world, now) = world();
    let arn = world.balancers.first.settings.listener_arn.clone();
    insta::assert_snapshot!(elb(&mut world, now, &format!("Action=DescribeRules&ListenerArn={arn}")));
}

#[test]
fn the_health_of_an_unknown_target_is_unused() {
    let (mut world, now) = world();
    let arn = world.balancers.first.groups.keys().next().expect("there are groups").clone();
    let form = format!("Action=DescribeTargetHealth&TargetGroupArn={arn}&Targets.member.1.Id=i-1");
    insta::assert_snapshot!(elb(&mut world, now, &form));
}

#[test]
fn an_elb_error_has_its_own_form() {
    let (mut world, now) = world();
    insta::assert_snapshot!(elb(&mut world, now, "Action=DescribeTargetHealth&TargetGroupArn=arn:x"));
}

#[test]
fn the_lists_of_actions_hold_what_is_answered() {
    let (mut world, now) = world();
    for action in ec2::ACTIONS {
        let answer = ec2(&mut world, now, &format!("Action={action}"));
        assert!(!answer.contains("InvalidAction"), "{action}: {answer}");
    }
    for action in elb::ACTIONS {
        let answer = elb(&mut world, now, &format!("Action={action}"));
        assert!(!answer.contains("InvalidAction"), "{action}: {answer}");
    }
    assert!(!knows("DescribeVolumes"));
}

#[test]
fn the_credentials_scope_tells_the_service_when_the_version_does_not() {
    let mut headers = HeaderMap::new();
    let signed = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/elasticloadbalancing/aws4_request, SignedHeaders=host, Signature=00";
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static(signed));
    assert_eq!(service_of(None, &headers), Some(Service::Elb));
    assert_eq!(service_of(Some("2016-11-15"), &headers), Some(Service::Ec2));
    assert_eq!(service_of(Some("1999-01-01"), &headers), None);
    assert_eq!(service_of(None, &HeaderMap::new()), None);
}
