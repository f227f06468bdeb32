//! Faults as they are set over HTTP and in the configuration, and as their victims see them.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use segue_sandbox::faults::{Fault, Faults, PrometheusFault};
use serde_json::{Value, json};

use crate::signer::Signer;
use crate::support::{Rig, config, until};

#[tokio::test]
async fn a_lost_response_is_one_to_a_call_that_was_done() {
    let sandbox = Rig::start(config(0)).await;
    let fault = json!({"fault": "lose_response", "action": "RunInstances", "calls": 1});
    assert_eq!(sandbox.fault(&fault).await.0, 204);
    let image = &sandbox.ready.images["1"];
    let form =
        format!("Version=2016-11-15&Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&ClientToken=t");
    let signer = Signer::of(&sandbox.ready);
    let refused = sandbox.post(&signer, "ec2", &form.replace("MinCount=1", "MinCount=0")).await;
    assert_eq!(refused.status, 400, "a refusal is not lost");
    let lost = sandbox.try_post(&signer, "ec2", &form).await;
    assert!(lost.is_err(), "{lost:?}");
    let launched = sandbox.ec2(&[("Action", "DescribeInstances")]).await.all("instanceId");
    assert_eq!(launched.len(), 1, "it was done");
    let again = sandbox.post(&signer, "ec2", &form).await;
    assert_eq!(again.all("instanceId"), launched, "the token finds what was launched");
    assert_eq!(sandbox.struck("lose_response:RunInstances").await, 1);
    sandbox.end().await;
}

#[tokio::test]
async fn a_throttled_call_is_refused_in_its_services_words() {
    let sandbox = Rig::start(config(0)).await;
    assert_eq!(sandbox.fault(&json!({"fault": "throttle", "calls": 2})).await.0, 204);
    let ec2 = sandbox.ec2(&[("Action", "DescribeInstances")]).await;
    assert_eq!(ec2.refusal(), (503, "RequestLimitExceeded".into()));
    assert_eq!(ec2.one("Message"), "Request limit exceeded.");
    let elb = sandbox.elb(&[("Action", "DescribeLoadBalancers")]).await;
    assert_eq!(elb.refusal(), (400, "Throttling".into()));
    assert_eq!(elb.one("Message"), "Rate exceeded");
    assert_eq!(sandbox.ec2(&[("Action", "DescribeInstances")]).await.status, 200);
    assert_eq!(sandbox.admin("ledger").await["refused"]["DescribeInstances:RequestLimitExceeded"], 1);
    sandbox.end().await;
}

#[tokio::test]
async fn a_zone_without_room_is_an_error_of_awss_own_and_names_the_others() {
    let sandbox = Rig::start(config(0)).await;
    let fault = json!({"fault": "refuse_capacity", "zone": "eu-west-1b", "calls": 1});
    assert_eq!(sandbox.fault(&fault).await.0, 204);
    let (image, subnet) = (sandbox.ready.images["1"].to_string(), sandbox.ready.subnets[1].to_string());
    let launch = [
        ("Action", "RunInstances"),
        ("ImageId", image.as_str()),
        ("InstanceType", "m7i.large"),
        ("SubnetId", subnet.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let refused = sandbox.ec2(&launch).await;
    assert_eq!(refused.refusal(), (500, "InsufficientInstanceCapacity".into()));
    let words = "sufficient m7i.large capacity in the Availability Zone you requested (eu-west-1b)";
    assert!(refused.one("Message").contains(words), "{}", refused.xml);
    assert_eq!(sandbox.ec2(&launch).await.status, 200);
    let fault = json!({"fault": "refuse_capacity", "instance_type": "m7i.large"});
    assert_eq!(sandbox.fault(&fault).await.0, 204);
    assert_eq!(sandbox.ec2(&launch).await.refusal(), (500, "InsufficientInstanceCapacity".into()));
    let other = launch.map(|(name, value)| (name, if name == "InstanceType" { "m6i.large" } else { value }));
    assert_eq!(sandbox.ec2(&other).await.one("instanceType"), "m6i.large");
    sandbox.end().await;
}

#[tokio::test]
async fn faults_are_listed_with_their_strikes_and_healed_together() {
    let sandbox = Rig::start(config(0)).await;
    let throttle = json!({"fault": "throttle", "action": "DescribeSubnets", "calls": 5});
    assert_eq!(sandbox.fault(&throttle).await.0, 204);
    assert_eq!(sandbox.fault(&json!({"fault": "slow_boot", "boot_ms": 50, "for_ms": 60000})).await.0, 204);
    assert_eq!(sandbox.ec2(&[("Action", "DescribeSubnets")]).await.status, 503);
    let listed: Faults = serde_json::from_value(sandbox.admin("faults").await).expect("its own type");
    let seen: Vec<_> = listed.faults.iter().map(|set| (set.struck, set.calls_left)).collect();
    assert_eq!(seen, [(1, Some(4)), (0, None)]);
    assert!(listed.faults[1].ms_left.is_some_and(|ms| ms <= 60_000));
    sandbox.heal().await;
    assert_eq!(sandbox.admin("faults").await, json!({"faults": []}));
    assert_eq!(sandbox.ec2(&[("Action", "DescribeSubnets")]).await.status, 200);
    sandbox.end().await;
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_a_problem_that_says_why() {
    let sandbox = Rig::start(config(1)).await;
    let blue = sandbox.ready.blue[0].to_string();
    for (fault, status, why) in [
        (json!({"fault": "flood"}), 400, "unknown variant `flood`"),
        (json!({"fault": "kill", "instance": "i-1", "twice": true}), 400, "unknown field `twice`"),
        (json!({"fault": "throttle", "action": "Launch"}), 422, "the sandbox has no action Launch"),
        (json!({"fault": "kill", "instance": "i-0dead"}), 422, "there is no instance i-0dead"),
        (json!({"fault": "freeze", "instance": blue}), 422, "has no process that could be stopped"),
        (json!({"fault": "throttle", "calls": 0}), 422, "calls must be from 1 to 100000, not 0"),
    ] {
        let (got, detail) = sandbox.fault(&fault).await;
        assert_eq!(got, status, "{fault}: {detail}");
        assert!(detail.contains(why), "{fault}: {detail}");
    }
    sandbox.end().await;
}

#[tokio::test]
async fn a_killed_instance_is_stopped_with_awss_reason() {
    let sandbox = Rig::start(config(1)).await;
    let id = sandbox.ready.blue[0].to_string();
    assert_eq!(sandbox.fault(&json!({"fault": "kill", "instance": id})).await.0, 204);
    sandbox.until_state(&id, "stopped").await;
    assert_eq!(sandbox.struck(&format!("kill:{id}")).await, 1);
    sandbox.end().await;
}

#[tokio::test]
async fn an_unhealthy_instance_is_told_so_while_its_fault_lasts() {
    let sandbox = Rig::start(config(1)).await;
    let (id, group) = (sandbox.ready.blue[0].to_string(), sandbox.group("a"));
    assert_eq!(sandbox.fault(&json!({"fault": "unhealthy", "instance": id})).await.0, 204);
    sandbox.until_health(&group, &id, "unhealthy").await;
    sandbox.heal().await;
    sandbox.until_health(&group, &id, "healthy").await;
    sandbox.end().await;
}

async fn ask(sandbox: &Rig) -> Result<(u16, Value), reqwest::Error> {
    let id = &sandbox.ready.blue[0];
    let query = format!("rtb_spaces_count{{instance_id=~\"{id}\"}}");
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", &query).finish();
    let sent =
        sandbox.http.post(format!("{}/api/v1/query", sandbox.ready.prometheus)).body(form).send().await?;
    let status = sent.status().as_u16();
    Ok((status, serde_json::from_str(&sent.text().await?).unwrap_or_default()))
}

async fn first_sample(sandbox: &Rig) {
    until("a first scrape", || async {
        ask(sandbox).await.is_ok_and(|(_, answer)| answer["data"]["result"][0]["value"][1] == "3")
    })
    .await;
}

#[tokio::test]
async fn the_monitoring_server_is_down_or_failing_and_back_again() {
    let sandbox = Rig::start(config(1)).await;
    first_sample(&sandbox).await;
    assert_eq!(sandbox.fault(&json!({"fault": "prometheus", "is": "down"})).await.0, 204);
    assert!(ask(&sandbox).await.is_err());
    sandbox.heal().await;
    assert_eq!(sandbox.fault(&json!({"fault": "prometheus", "is": "failing"})).await.0, 204);
    assert_eq!(ask(&sandbox).await.expect("it answers").0, 503);
    sandbox.heal().await;
    assert_eq!(ask(&sandbox).await.expect("it answers").0, 200);
    assert_eq!(sandbox.struck("prometheus:down").await, 1);
    sandbox.end().await;
}

#[tokio::test]
async fn answers_are_empty_or_no_numbers_or_doubled_or_warned_of() {
    let sandbox = Rig::start(config(1)).await;
    first_sample(&sandbox).await;
    let answer_when = async |is: &str| {
        sandbox.heal().await;
        assert_eq!(sandbox.fault(&json!({"fault": "prometheus", "is": is})).await.0, 204);
        let (status, answer) = ask(&sandbox).await.expect("it answers");
        assert_eq!((status, &answer["status"]), (200, &json!("success")), "{is}");
        answer
    };
    assert_eq!(answer_when("empty").await["data"]["result"], json!([]));
    assert_eq!(answer_when("nan").await["data"]["result"][0]["value"][1], "NaN");
    let twins = answer_when("duplicate").await["data"]["result"].clone();
    assert_eq!((&twins[0]["value"][1], &twins[1]["value"][1]), (&json!("3"), &json!("0")));
    assert!(answer_when("warning").await["warnings"][0].is_string());
    sandbox.end().await;
}

#[tokio::test]
async fn stale_samples_are_those_of_before() {
    let sandbox = Rig::start(config(1)).await;
    first_sample(&sandbox).await;
    assert_eq!(sandbox.fault(&json!({"fault": "prometheus", "is": "stale"})).await.0, 204);
    until("scrapes that are left out", || async { sandbox.struck("prometheus:stale").await >= 2 }).await;
    // A scrape would find nobody now, and mark the samples as gone.
    sandbox.tasks.crash(sandbox.ready.blue[0].as_str());
    let struck = sandbox.struck("prometheus:stale").await;
    until("more of them", || async { sandbox.struck("prometheus:stale").await >= struck + 2 }).await;
    assert_eq!(ask(&sandbox).await.expect("it answers").1["data"]["result"][0]["value"][1], "3");
    sandbox.heal().await;
    until("staleness", || async {
        ask(&sandbox).await.is_ok_and(|(_, answer)| answer["data"]["result"] == json!([]))
    })
    .await;
    sandbox.end().await;
}

#[tokio::test]
async fn configured_faults_are_set_when_the_fleet_runs() {
    let mut troubled = config(1);
    troubled.faults = vec![
        Fault::SlowBoot { boot_ms: 3_600_000, calls: None, for_ms: None },
        Fault::Prometheus { is: PrometheusFault::Down, for_ms: None },
    ];
    let sandbox = Rig::start(troubled).await;
    assert_eq!(sandbox.ready.blue.len(), 1, "the fleet itself was launched in peace");
    assert!(ask(&sandbox).await.is_err());
    assert_eq!(sandbox.admin("faults").await["faults"][0]["fault"]["fault"], "slow_boot");
    sandbox.end().await;
}
