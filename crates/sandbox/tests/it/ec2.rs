//! EC2's actions over HTTP.

use crate::support::{Rig, config};

#[tokio::test]
async fn a_launch_goes_through_its_states_to_its_end() {
    let sandbox = Rig::start(config(0)).await;
    let id = sandbox.launch("2", "1").await.remove(0);
    sandbox.until_state(&id, "running").await;
    let verb = async |action: &str| {
        let answer = sandbox.ec2(&[("Action", action), ("InstanceId.1", &id)]).await;
        assert_eq!(answer.status, 200, "{}", answer.xml);
        (answer.all("name")[1].clone(), answer.all("name")[0].clone())
    };
    assert_eq!(verb("StopInstances").await, ("running".into(), "stopping".into()));
    sandbox.until_state(&id, "stopped").await;
    assert_eq!(verb("StartInstances").await, ("stopped".into(), "pending".into()));
    sandbox.until_state(&id, "running").await;
    assert_eq!(verb("TerminateInstances").await, ("running".into(), "shutting-down".into()));
    sandbox.until_state(&id, "terminated").await;
    let answer = sandbox.ec2(&[("Action", "DescribeInstances"), ("InstanceId.1", &id)]).await;
    assert_eq!(answer.all("privateIpAddress"), [""; 0], "a terminated instance has left its network");
    sandbox.end().await;
}

#[tokio::test]
async fn pages_count_instances_and_not_reservations() {
    let sandbox = Rig::start(config(0)).await;
    let launched = sandbox.launch("1", "12").await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    let mut sizes = Vec::new();
    loop {
        let mut form = vec![("Action", "DescribeInstances"), ("MaxResults", "5")];
        if !token.is_empty() {
            form.push(("NextToken", &token));
        }
        let answer = sandbox.ec2(&form).await;
        sizes.push(answer.all("instanceId").len());
        seen.extend(answer.all("instanceId"));
        token = answer.one("nextToken");
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [5, 5, 2]);
    assert_eq!(seen, launched);
    sandbox.end().await;
}

#[tokio::test]
async fn filters_choose_by_tag_state_image_subnet_and_token() {
    let sandbox = Rig::start(config(0)).await;
    let image = sandbox.ready.images["1"].to_string();
    let subnet = sandbox.ready.subnets[1].to_string();
    let run = sandbox
        .ec2(&[
            ("Action", "RunInstances"),
            ("ImageId", &image),
            ("SubnetId", &subnet),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("ClientToken", "token-1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "segue:version"),
            ("TagSpecification.1.Tag.1.Value", "1"),
        ])
        .await;
    let id = run.one("instanceId");
    sandbox.launch("2", "1").await;
    for (name, value) in [
        ("tag:segue:version", "1"),
        ("tag-key", "segue:*"),
        ("image-id", &image),
        ("subnet-id", &subnet),
        ("client-token", "token-1"),
        ("reservation-id", &run.one("reservationId")),
        ("network-interface.subnet-id", &subnet),
        ("network-interface.addresses.private-ip-address", &run.one("privateIpAddress")),
    ] {
        let form = [("Action", "DescribeInstances"), ("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        assert_eq!(sandbox.ec2(&form).await.all("instanceId"), std::slice::from_ref(&id), "{name}");
    }
    for nobody in ["iam-instance-profile.arn", "key-name"] {
        let form = [("Action", "DescribeInstances"), ("Filter.1.Name", nobody), ("Filter.1.Value.1", "*")];
        assert_eq!(sandbox.ec2(&form).await.all("instanceId"), [""; 0], "{nobody}");
    }
    let form = [("Action", "DescribeInstances"), ("Filter.1.Name", "colour"), ("Filter.1.Value.1", "x")];
    assert_eq!(sandbox.ec2(&form).await.refusal(), (400, "InvalidParameterValue".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn a_token_answers_alike_until_its_instance_is_gone() {
    let sandbox = Rig::start(config(0)).await;
    let image = sandbox.ready.images["1"].to_string();
    let run = async |max: &str| {
        let form = [("Action", "RunInstances"), ("ImageId", &image), ("MinCount", "1"), ("MaxCount", max)];
        sandbox.ec2(&[&form[..], &[("ClientToken", "once")]].concat()).await
    };
    let first = run("1").await;
    let id = first.one("instanceId");
    assert_eq!(run("1").await.one("instanceId"), id);
    assert_eq!(run("2").await.refusal(), (400, "IdempotentParameterMismatch".into()));
    sandbox.ec2(&[("Action", "TerminateInstances"), ("InstanceId.1", &id)]).await;
    assert_eq!(run("1").await.refusal(), (400, "IdempotentInstanceTerminated".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_does_nothing() {
    let sandbox = Rig::start(config(0)).await;
    let image = sandbox.ready.images["1"].to_string();
    let run = async |image: &str| {
        let form = [("Action", "RunInstances"), ("ImageId", image), ("MinCount", "1"), ("MaxCount", "1")];
        sandbox.ec2(&[&form[..], &[("DryRun", "true")]].concat()).await.refusal()
    };
    assert_eq!(run(&image).await, (412, "DryRunOperation".into()));
    assert_eq!(run("ami-0000000000000dead").await, (400, "InvalidAMIID.NotFound".into()));
    let all = sandbox.ec2(&[("Action", "DescribeInstances")]).await;
    assert_eq!(all.all("instanceId"), [""; 0]);
    sandbox.end().await;
}

#[tokio::test]
async fn images_subnets_and_templates_are_found() {
    let sandbox = Rig::start(config(0)).await;
    let ready = &sandbox.ready;
    let form = [
        ("Action", "DescribeImages"),
        ("Owner.1", "self"),
        ("Filter.1.Name", "tag:releaseVersion"),
        ("Filter.1.Value.1", "2"),
        ("Filter.2.Name", "state"),
        ("Filter.2.Value.1", "available"),
    ];
    assert_eq!(sandbox.ec2(&form).await.all("imageId"), [ready.images["2"].to_string()]);
    let others = sandbox.ec2(&[("Action", "DescribeImages"), ("Owner.1", "amazon")]).await;
    assert_eq!(others.all("imageId"), [""; 0]);
    let subnets = sandbox.ec2(&[("Action", "DescribeSubnets")]).await;
    let mut zones = subnets.all("availabilityZone");
    zones.sort();
    assert_eq!(zones, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
    assert_eq!(subnets.all("availableIpAddressCount"), ["251"; 3]);
    let template = ready.launch_template.to_string();
    let form = [("Action", "DescribeLaunchTemplates"), ("LaunchTemplateId.1", &template)];
    assert_eq!(sandbox.ec2(&form).await.one("latestVersionNumber"), "1");
    let form = [
        ("Action", "DescribeLaunchTemplateVersions"),
        ("LaunchTemplateId", &template),
        ("LaunchTemplateVersion.1", "$Latest"),
    ];
    assert_eq!(sandbox.ec2(&form).await.one("instanceType"), "m7i.large");
    sandbox.end().await;
}

#[tokio::test]
async fn tags_given_later_are_seen_and_bad_ones_are_refused() {
    let sandbox = Rig::start(config(0)).await;
    let id = sandbox.launch("1", "1").await.remove(0);
    let tag = async |key: &str, value: &str| {
        let form =
            [("Action", "CreateTags"), ("ResourceId.1", &id), ("Tag.1.Key", key), ("Tag.1.Value", value)];
        sandbox.ec2(&form).await
    };
    assert_eq!(tag("owner", "me & you").await.one("return"), "true");
    let form = [("Action", "DescribeInstances"), ("Filter.1.Name", "tag:owner"), ("Filter.1.Value.1", "me*")];
    assert!(sandbox.ec2(&form).await.xml.contains("<value>me &amp; you</value>"));
    assert_eq!(tag("aws:mine", "x").await.refusal(), (400, "InvalidParameterValue".into()));
    let unknown = [("Action", "CreateTags"), ("ResourceId.1", "i-0dead"), ("Tag.1.Key", "a")];
    assert_eq!(sandbox.ec2(&unknown).await.refusal(), (400, "InvalidInstanceID.NotFound".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn calls_that_make_no_sense_are_refused_in_awss_form_and_counted() {
    let sandbox = Rig::start(config(0)).await;
    for (form, status, code) in [
        (&[("Action", "DescribeVolumes")][..], 400, "InvalidAction"),
        (&[("Colour", "red")], 400, "MissingParameter"),
        (&[("Action", "DescribeInstances"), ("Colour", "red")], 400, "UnknownParameter"),
        (&[("Action", "DescribeInstances"), ("InstanceId.1", "i-0dead")], 400, "InvalidInstanceID.NotFound"),
        (&[("Action", "DescribeInstances"), ("InstanceId.1", "box")], 400, "InvalidInstanceID.Malformed"),
        (&[("Action", "DescribeInstances"), ("MaxResults", "many")], 400, "InvalidParameterValue"),
        (&[("Action", "StopInstances")], 400, "MissingParameter"),
        (&[("Action", "RunInstances"), ("MinCount", "1")], 400, "MissingParameter"),
    ] {
        assert_eq!(sandbox.ec2(form).await.refusal(), (status, code.to_owned()), "{form:?}");
    }
    let id = sandbox.launch("1", "1").await.remove(0);
    let both = [("Action", "DescribeInstances"), ("InstanceId.1", &id), ("MaxResults", "5")];
    assert_eq!(sandbox.ec2(&both).await.refusal(), (400, "InvalidParameterCombination".into()));
    let ledger = sandbox.admin("ledger").await;
    assert_eq!(ledger["unknown"]["DescribeVolumes"], 1);
    assert_eq!(ledger["refused"]["DescribeInstances:InvalidInstanceID.NotFound"], 1);
    assert_eq!(ledger["calls"]["DescribeInstances"], 5);
    sandbox.end().await;
}

#[tokio::test]
async fn a_crashed_program_shows_as_a_stopped_instance() {
    let sandbox = Rig::start(config(0)).await;
    let id = sandbox.launch("1", "1").await.remove(0);
    sandbox.until_state(&id, "running").await;
    crate::support::until("a program to crash", || async { sandbox.tasks.runs(&id) }).await;
    sandbox.tasks.crash(&id);
    sandbox.until_state(&id, "stopped").await;
    let answer = sandbox.ec2(&[("Action", "DescribeInstances"), ("InstanceId.1", &id)]).await;
    assert_eq!(answer.one("code"), "80");
    assert!(
        answer.xml.contains("<stateReason><code>Client.InstanceInitiatedShutdown</code>"),
        "{}",
        answer.xml
    );
    let status = sandbox.ec2(&[("Action", "DescribeInstanceStatus")]).await;
    assert_eq!(status.all("instanceId"), [""; 0], "only what runs has a status");
    sandbox.end().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_run_ends_terminated() {
    let mut with_missing = config(0);
    with_missing.images[0].command = vec!["missing".to_owned()];
    let sandbox = Rig::start(with_missing).await;
    let id = sandbox.launch("1", "1").await.remove(0);
    sandbox.until_state(&id, "terminated").await;
    let answer = sandbox.ec2(&[("Action", "DescribeInstances"), ("InstanceId.1", &id)]).await;
    assert!(answer.xml.contains("Server.InternalError"), "{}", answer.xml);
    sandbox.end().await;
}
