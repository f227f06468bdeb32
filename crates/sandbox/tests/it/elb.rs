//! Elastic Load Balancing's actions over HTTP.

use crate::support::{Rig, config, until};

#[tokio::test]
async fn a_target_becomes_healthy_drains_and_is_gone() {
    let mut short = config(0);
    short.load_balancer.deregistration_delay_s = 1;
    let sandbox = Rig::start(short).await;
    let (id, group) = (sandbox.launch("1", "1").await.remove(0), sandbox.group("b"));
    sandbox.until_state(&id, "running").await;
    assert_eq!(sandbox.health_of(&group, &id).await.one("Reason"), "Target.NotRegistered");
    assert_eq!(sandbox.register(&group, &id).await.status, 200);
    sandbox.until_health(&group, &id, "healthy").await;
    let form = [("Action", "DeregisterTargets"), ("TargetGroupArn", &group), ("Targets.member.1.Id", &id)];
    assert_eq!(sandbox.elb(&form).await.status, 200);
    assert_eq!(sandbox.health_of(&group, &id).await.one("State"), "draining");
    until("the end of the delay", || async {
        sandbox
            .elb(&[("Action", "DescribeTargetHealth"), ("TargetGroupArn", &group)])
            .await
            .all("Id")
            .is_empty()
    })
    .await;
    sandbox.end().await;
}

#[tokio::test]
async fn a_sick_target_is_told_with_its_status() {
    let sandbox = Rig::start(config(1)).await;
    let (id, group) = (sandbox.ready.blue[0].to_string(), sandbox.group("a"));
    let url = format!("{}/health/503", sandbox.ready.load_balancer);
    assert!(sandbox.http.post(url).send().await.expect("it answers").status().is_success());
    sandbox.until_health(&group, &id, "unhealthy").await;
    let health = sandbox.health_of(&group, &id).await;
    assert_eq!(health.one("Reason"), "Target.ResponseCodeMismatch");
    assert_eq!(health.one("Description"), "Health checks failed with these codes: [503]");
    sandbox.end().await;
}

#[tokio::test]
async fn weights_are_read_back_as_they_were_written() {
    let sandbox = Rig::start(config(0)).await;
    let written = sandbox.weigh(&[("a", 70), ("b", 30), ("canary-1", 0)]).await;
    assert_eq!(written.all("Weight"), ["70", "30", "0"]);
    let listener = sandbox.ready.listener_arn.clone();
    let form = [("Action", "DescribeListeners"), ("ListenerArns.member.1", listener.as_str())];
    let read = sandbox.elb(&form).await;
    assert_eq!(read.all("Weight"), ["70", "30", "0"]);
    assert_eq!(read.all("TargetGroupArn"), ["a", "b", "canary-1"].map(|name| sandbox.group(name)));
    assert_eq!(sandbox.weigh(&[("a", 1000)]).await.refusal(), (400, "ValidationError".into()));
    assert_eq!(sandbox.weigh(&[("a", 1), ("a", 2)]).await.refusal(), (400, "ValidationError".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn rules_come_in_order_with_the_default_last() {
    let sandbox = Rig::start(config(0)).await;
    let listener = sandbox.ready.listener_arn.clone();
    let form = [("Action", "DescribeRules"), ("ListenerArn", listener.as_str()), ("PageSize", "39")];
    let first = sandbox.elb(&form).await;
    assert_eq!(first.all("Priority").len(), 39);
    let marker = first.one("NextMarker");
    let rest = sandbox.elb(&[&form[..], &[("Marker", marker.as_str())]].concat()).await;
    assert_eq!(rest.all("Priority"), ["40", "default"]);
    assert_eq!(rest.all("Key"), ["srv"]);
    assert_eq!(rest.one("Value"), "s40");
    let (rule, group) = (first.one("RuleArn"), sandbox.group("b"));
    let form = [
        ("Action", "ModifyRule"),
        ("RuleArn", rule.as_str()),
        ("Actions.member.1.Type", "forward"),
        ("Actions.member.1.TargetGroupArn", group.as_str()),
    ];
    let modified = sandbox.elb(&form).await;
    assert_eq!((modified.one("TargetGroupArn"), modified.one("Value")), (group, "s01".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn groups_are_found_by_name_and_show_their_attributes() {
    let sandbox = Rig::start(config(0)).await;
    let group = sandbox.group("canary-2");
    let form = [("Action", "DescribeTargetGroups"), ("Names.member.1", "boards-canary-2")];
    assert_eq!(sandbox.elb(&form).await.all("TargetGroupArn"), std::slice::from_ref(&group));
    let balancer = sandbox.ready.load_balancer_arn.clone();
    let form = [("Action", "DescribeTargetGroups"), ("LoadBalancerArn", balancer.as_str())];
    assert_eq!(sandbox.elb(&form).await.all("TargetGroupArn").len(), 45);
    let form = [("Action", "DescribeTargetGroupAttributes"), ("TargetGroupArn", group.as_str())];
    let attributes = sandbox.elb(&form).await;
    assert!(attributes.xml.contains("<Key>deregistration_delay.timeout_seconds</Key><Value>1</Value>"));
    let balancers = sandbox.elb(&[("Action", "DescribeLoadBalancers")]).await;
    assert_eq!(balancers.one("LoadBalancerArn"), balancer);
    let form = [("Action", "DescribeTags"), ("ResourceArns.member.1", group.as_str())];
    assert_eq!(sandbox.elb(&form).await.one("ResourceArn"), group);
    sandbox.end().await;
}

#[tokio::test]
async fn calls_that_make_no_sense_are_refused_in_the_other_services_form() {
    let sandbox = Rig::start(config(0)).await;
    let group = sandbox.group("a");
    for (form, code) in [
        (&[("Action", "CreateLoadBalancer")][..], "InvalidAction"),
        (&[("Action", "DescribeTargetHealth")], "ValidationError"),
        (&[("Action", "DescribeTargetHealth"), ("TargetGroupArn", "arn:x")], "TargetGroupNotFound"),
        (&[("Action", "DescribeListeners"), ("ListenerArns.member.1", "arn:x")], "ListenerNotFound"),
        (&[("Action", "DescribeRules"), ("RuleArns.member.1", "arn:x")], "RuleNotFound"),
        (&[("Action", "DescribeLoadBalancers"), ("Names.member.1", "x")], "LoadBalancerNotFound"),
        (
            &[("Action", "RegisterTargets"), ("TargetGroupArn", &group), ("Targets.member.1.Id", "i-0dead")],
            "InvalidTarget",
        ),
    ] {
        let answer = sandbox.elb(form).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{form:?}");
        assert!(answer.xml.starts_with("<ErrorResponse"), "{}", answer.xml);
    }
    sandbox.end().await;
}
