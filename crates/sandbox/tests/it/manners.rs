//! AWS's manners over HTTP, as a configuration switches them on.

use segue_sandbox::{TokenBuckets, WhenUnhealthy};

use crate::support::{Answer, Rig, config, until};

/// Calls until one is refused with this code; at most a thousand. How many a bucket holds and how fast it fills is
/// in the world's own tests, where time is an argument.
async fn is_refused(code: &str, call: impl AsyncFn() -> Answer) -> bool {
    for _ in 0..1_000 {
        if call().await.one("Code") == code {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn with_awss_buckets_calls_are_refused_when_they_are_empty() {
    let mut counted = config(1);
    counted.token_buckets = TokenBuckets::Aws;
    let sandbox = Rig::start(counted).await;
    let launch = [("Action", "RunInstances"), ("ImageId", "ami-0dead"), ("MinCount", "1"), ("MaxCount", "1")];
    assert!(is_refused("RequestLimitExceeded", async || sandbox.ec2(&launch).await).await);
    assert_eq!(sandbox.ec2(&[("Action", "DescribeInstances")]).await.status, 200, "another bucket");
    let look = [("Action", "DescribeLoadBalancers")];
    assert!(is_refused("Throttling", async || sandbox.elb(&look).await).await);
    sandbox.end().await;
}

#[tokio::test]
async fn a_late_launch_is_not_found_and_then_it_is() {
    let mut late = config(1);
    // Long enough for three calls on a busy machine.
    late.consistency.launch_ms = 5_000;
    let sandbox = Rig::start(late).await;
    let id = sandbox.launch("1", "1").await.remove(0);
    let by_id = [("Action", "DescribeInstances"), ("InstanceId.1", id.as_str())];
    let hidden = sandbox.ec2(&by_id).await;
    assert_eq!(hidden.refusal(), (400, "InvalidInstanceID.NotFound".into()));
    assert_eq!(
        hidden.one("Message").replace("&apos;", "'"),
        format!("The instance ID '{id}' does not exist")
    );
    let listed = sandbox.ec2(&[("Action", "DescribeInstances")]).await.all("instanceId");
    assert_eq!(listed, [sandbox.ready.blue[0].to_string()]);
    until("the launch to show", || async { sandbox.ec2(&by_id).await.status == 200 }).await;
    sandbox.end().await;
}

#[tokio::test]
async fn a_protected_instance_is_terminated_only_after_it_was_freed() {
    let sandbox = Rig::start(config(1)).await;
    let id = sandbox.ready.blue[0].to_string();
    let protect = async |value: &str| {
        let form = [
            ("Action", "ModifyInstanceAttribute"),
            ("InstanceId", id.as_str()),
            ("DisableApiTermination.Value", value),
        ];
        assert_eq!(sandbox.ec2(&form).await.one("return"), "true");
        let form = [
            ("Action", "DescribeInstanceAttribute"),
            ("InstanceId", id.as_str()),
            ("Attribute", "disableApiTermination"),
        ];
        assert_eq!(sandbox.ec2(&form).await.one("value"), value);
    };
    let terminate = [("Action", "TerminateInstances"), ("InstanceId.1", id.as_str())];
    protect("true").await;
    let refused = sandbox.ec2(&terminate).await;
    assert_eq!(refused.refusal(), (400, "OperationNotPermitted".into()));
    let words = format!(
        "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
    );
    assert_eq!(refused.one("Message").replace("&apos;", "'"), words);
    protect("false").await;
    assert_eq!(sandbox.ec2(&terminate).await.status, 200);
    sandbox.end().await;
}

#[tokio::test]
async fn versions_of_a_template_come_in_pages() {
    let sandbox = Rig::start(config(0)).await;
    let template = sandbox.ready.launch_template.to_string();
    let form = [
        ("Action", "DescribeLaunchTemplateVersions"),
        ("LaunchTemplateId", template.as_str()),
        ("MaxResults", "1"),
    ];
    let versions = sandbox.ec2(&form).await;
    assert_eq!((versions.one("versionNumber"), versions.one("nextToken")), ("1".into(), String::new()));
    let all = [("Action", "DescribeLaunchTemplates"), ("MaxResults", "201")];
    assert_eq!(sandbox.ec2(&all).await.refusal(), (400, "InvalidParameterValue".into()));
    sandbox.end().await;
}

#[tokio::test]
async fn sockets_are_closed_when_their_target_turns_unhealthy_if_the_switch_says_so() {
    let mut strict = config(1);
    strict.load_balancer.when_unhealthy = WhenUnhealthy::Close;
    let sandbox = Rig::start(strict).await;
    let (mut socket, id) = crate::data_plane::open(&sandbox, "").await;
    assert_eq!(sandbox.fault(&serde_json::json!({"fault": "unhealthy", "instance": id})).await.0, 204);
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), crate::data_plane::next(&mut socket));
    assert_eq!(end.await.expect("it is closed"), None);
    sandbox.end().await;
}
