//! Whose calls the AWS endpoint takes, and how each service refuses the others.

use jiff::SignedDuration;
use segue_sandbox::Credentials;

use crate::signer::Signer;
use crate::support::{Answer, Rig, config};

/// A call that each service answers when it is signed.
const EC2: &str = "Version=2016-11-15&Action=DescribeInstances";
const ELB: &str = "Version=2015-12-01&Action=DescribeLoadBalancers";

/// The same mistake in a call to each service: status and code of both refusals.
async fn refusals(sandbox: &Rig, change: impl Fn(&mut Signer)) -> [(u16, String); 2] {
    let mut signer = Signer::of(&sandbox.ready);
    change(&mut signer);
    let ec2 = sandbox.post(&signer, "ec2", EC2).await;
    let elb = sandbox.post(&signer, "elasticloadbalancing", ELB).await;
    // An answer may have a `Code` of its own.
    [ec2, elb].map(|answer| if answer.status == 200 { (200, String::new()) } else { answer.refusal() })
}

async fn unsigned(sandbox: &Rig, form: &'static str) -> Answer {
    let sent = sandbox.http.post(&sandbox.ready.aws).body(form).send().await.expect("it answers");
    Answer { status: sent.status().as_u16(), xml: sent.text().await.expect("an answer is text") }
}

fn codes(ec2: (u16, &str), elb: (u16, &str)) -> [(u16, String); 2] {
    [ec2, elb].map(|(status, code)| (status, code.to_owned()))
}

#[tokio::test]
async fn a_call_that_is_not_signed_does_nothing_and_is_counted_as_refused() {
    let sandbox = Rig::start(config(0)).await;
    let launch = "Version=2016-11-15&Action=RunInstances&MinCount=1&MaxCount=1&ImageId=ami-1";
    assert_eq!(unsigned(&sandbox, launch).await.refusal(), (400, "MissingParameter".into()));
    assert_eq!(unsigned(&sandbox, ELB).await.refusal(), (403, "MissingAuthenticationToken".into()));
    let ledger = sandbox.admin("ledger").await;
    assert_eq!(ledger["calls"]["RunInstances"], 1);
    assert_eq!(ledger["refused"]["RunInstances:MissingParameter"], 1);
    assert_eq!(ledger["refused"]["DescribeLoadBalancers:MissingAuthenticationToken"], 1);
    assert_eq!(ledger["launches"].as_array().map(Vec::len), Some(0));
    sandbox.end().await;
}

#[tokio::test]
async fn only_the_configured_pair_is_taken_and_ready_tells_it() {
    let mut own = config(0);
    own.credentials = Credentials {
        access_key_id: "AKIDOWN".into(),
        secret_access_key: "own+/secret".into(),
        ..Credentials::default()
    };
    let sandbox = Rig::start(own.clone()).await;
    assert_eq!(sandbox.ready.credentials, own.credentials);
    assert_eq!(refusals(&sandbox, |_| ()).await, codes((200, ""), (200, "")));
    let other_secret = refusals(&sandbox, |signer| signer.credentials.secret_access_key.push('x')).await;
    assert_eq!(other_secret, codes((401, "AuthFailure"), (403, "SignatureDoesNotMatch")));
    let default_pair = refusals(&sandbox, |signer| signer.credentials = Credentials::default()).await;
    assert_eq!(default_pair, codes((401, "AuthFailure"), (403, "InvalidClientTokenId")));
    let ledger = sandbox.admin("ledger").await;
    assert_eq!(ledger["refused"]["DescribeInstances:AuthFailure"], 2);
    assert_eq!(ledger["calls"]["DescribeInstances"], 3);
    sandbox.end().await;
}

#[tokio::test]
async fn a_signature_is_good_for_its_region_and_its_service_alone() {
    let sandbox = Rig::start(config(0)).await;
    let elsewhere = refusals(&sandbox, |signer| signer.region = "eu-west-2".to_owned()).await;
    assert_eq!(elsewhere, codes((401, "AuthFailure"), (403, "SignatureDoesNotMatch")));
    let for_the_other = sandbox.post(&Signer::of(&sandbox.ready), "ec2", ELB).await;
    assert_eq!(for_the_other.refusal(), (403, "SignatureDoesNotMatch".into()));
    assert!(for_the_other.one("Message").contains("correct service: &apos;elasticloadbalancing&apos;"));
    sandbox.end().await;
}

#[tokio::test]
async fn a_date_that_is_minutes_off_is_refused_either_way() {
    let sandbox = Rig::start(config(0)).await;
    for skew in [SignedDuration::from_mins(-6), SignedDuration::from_mins(6)] {
        let skewed = refusals(&sandbox, |signer| signer.at += skew).await;
        assert_eq!(skewed, codes((400, "RequestExpired"), (403, "SignatureDoesNotMatch")), "{skew:?}");
    }
    let nearly = refusals(&sandbox, |signer| signer.at -= SignedDuration::from_mins(4)).await;
    assert_eq!(nearly, codes((200, ""), (200, "")));
    sandbox.end().await;
}

#[tokio::test]
async fn an_action_that_is_denied_is_refused_dry_or_not_and_the_others_are_not() {
    let mut poor = config(1);
    poor.credentials.deny =
        vec!["ec2:StopInstances".to_owned(), "elasticloadbalancing:DescribeLoadBalancers".to_owned()];
    let sandbox = Rig::start(poor).await;
    let signer = Signer::of(&sandbox.ready);
    let change = |verb: &str| {
        format!(
            "Version=2016-11-15&Action={verb}Instances&DryRun=true&InstanceId.1={}",
            sandbox.ready.blue[0]
        )
    };
    let stop = sandbox.post(&signer, "ec2", &change("Stop")).await;
    assert_eq!(stop.refusal(), (403, "UnauthorizedOperation".into()));
    let terminate = sandbox.post(&signer, "ec2", &change("Terminate")).await;
    assert_eq!(terminate.refusal(), (412, "DryRunOperation".into()));
    assert_eq!(
        sandbox.post(&signer, "elasticloadbalancing", ELB).await.refusal(),
        (403, "AccessDenied".into())
    );
    sandbox.end().await;
}
