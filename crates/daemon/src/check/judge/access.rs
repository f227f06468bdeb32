//! Whether AWS is there, takes the credentials, and lets them do what a release does.

use segue_domain::service::Service;
use segue_engine::ports::{Answer, CallError, Question};

use crate::check::finding::{Check, few};
use crate::check::gather::{Access, Said};

const NO_CREDENTIALS: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run it where an instance role is";
const NOT_TAKEN: &str = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a session token that belongs to other keys makes every pair wrong: `unset AWS_SESSION_TOKEN`; and see that the clock is right";

const NOT_AWS: &str = "whoever answers here does what it is only asked about, as neither EC2 nor `segue sandbox` does: see what `aws.endpoint` names, and look what was done. Nothing more was asked";

/// `aws`, `credentials` and `region`.
pub(in crate::check) fn credentials(service: &Service, asked: &Access) -> Vec<Check> {
    let region = &service.region;
    let said = [&asked.ec2, &asked.elb];
    let skip = |name| Check::skip(name, "AWS did not say");
    let none = said.iter().find_map(|said| match said {
        Ok(Answer::NoCredentials(what)) => Some(what),
        Ok(_) | Err(_) => None,
    });
    if let Some(what) = none {
        let sentence = format!("there are none that could be used: {what}");
        return vec![skip("aws"), Check::fail("credentials", sentence, NO_CREDENTIALS), skip("region")];
    }
    if let Some(error) = said.iter().find_map(|said| said.as_ref().err()) {
        return vec![unreachable(service, error), skip("credentials"), skip("region")];
    }
    let real = said.iter().find_map(|said| match said {
        Ok(Answer::Real(what)) => Some(what),
        Ok(_) | Err(_) => None,
    });
    if let Some(what) = real {
        return vec![Check::fail("aws", what.clone(), NOT_AWS), skip("credentials"), skip("region")];
    }
    let answers = Check::ok("aws", "EC2 and Elastic Load Balancing answer");
    let elsewhere = said.iter().find_map(|said| match said {
        Ok(Answer::ElsewhereOnly(what)) => Some(what),
        Ok(_) | Err(_) => None,
    });
    if let Some(what) = elsewhere {
        let hint =
            "write the region that answers at this address as `region` of the service, and in its ARNs";
        let sentence = format!("this is not {region}: {what}");
        return vec![answers, skip("credentials"), Check::fail("region", sentence, hint)];
    }
    let wrong = said.iter().find_map(|said| match said {
        Ok(Answer::NotTaken(what)) => Some(what),
        Ok(_) | Err(_) => None,
    });
    match wrong {
        Some(what) => {
            vec![answers, Check::fail("credentials", what.clone(), NOT_TAKEN), skip("region")]
        }
        None => vec![
            answers,
            Check::ok("credentials", "AWS takes them"),
            Check::ok("region", format!("they are good for {region}")),
        ],
    }
}

fn unreachable(service: &Service, error: &CallError) -> Check {
    let hint = format!(
        "can this machine reach AWS, and is {} a region? For a sandbox, `aws.endpoint` must name the address that \
         `segue sandbox` told when it started. Where an instance role is looked for in vain it can take this long, too: \
         {NO_CREDENTIALS}",
        service.region
    );
    Check::fail("aws", error.what.clone(), hint)
}

/// Everything that the role must allow.
pub(super) fn permissions(asked: &[(Question, Said)]) -> Vec<Check> {
    let of = |calls: &[&str]| -> Vec<(&Question, &Said)> {
        let named = asked.iter().filter(|(question, _)| calls.contains(&question.call()));
        named.map(|(question, said)| (question, said)).collect()
    };
    let reads = [
        "DescribeImages",
        "DescribeInstances",
        "DescribeLaunchTemplates",
        "DescribeSubnets",
        "DescribeListeners",
        "DescribeRules",
        "DescribeTargetHealth",
    ];
    vec![
        one("may-read", &of(&reads), ""),
        one("may-launch", &of(&["RunInstances"]), "no AMI of the service can be asked about"),
        one("may-start", &of(&["StartInstances"]), NO_SERVER),
        one("may-stop", &of(&["StopInstances"]), NO_SERVER),
        one("may-terminate", &of(&["TerminateInstances"]), NO_SERVER),
        tag(&of(&["CreateTags"])),
        Check::skip(
            "may-route",
            "AWS offers no dry run for RegisterTargets, DeregisterTargets, ModifyListener and ModifyRule; that \
             these may be read is all that can be shown",
        ),
    ]
}

const NO_SERVER: &str = "no server is known to be the service's and to run, and a dry run must name one";

fn one(name: &'static str, said: &[(&Question, &Said)], of_none: &str) -> Check {
    let mut denied = Vec::new();
    let mut unclear = Vec::new();
    let mut allowed: Vec<&str> = Vec::new();
    let mut real = None;
    for (question, said) in said {
        match said {
            Ok(Answer::Allowed) => allowed.push(question.call()),
            Ok(Answer::Denied(what)) => denied.push((*question, what.as_str())),
            Ok(Answer::Real(what)) => real = Some(what),
            Ok(
                Answer::Unsaid(what)
                | Answer::NotTaken(what)
                | Answer::ElsewhereOnly(what)
                | Answer::NoCredentials(what),
            )
            | Err(CallError { what, .. }) => unclear.push((*question, what.as_str())),
        }
    }
    if let Some(what) = real {
        return Check::fail(name, what.clone(), NOT_AWS);
    }
    allowed.dedup();
    if let Some((question, what)) = denied.first() {
        let calls = few(denied.iter().map(|(question, _)| shown(question)));
        let hint = format!("allow {} in the policy of the daemon's role", action(question, what));
        return Check::fail(name, format!("not allowed: {calls} ({what})"), hint);
    }
    if let Some((question, what)) = unclear.first() {
        let sentence = format!("whether {} may be called is not known: {what}", shown(question));
        return Check::warn(name, sentence, "mend what it names, then check again");
    }
    match allowed.is_empty() {
        true => Check::skip(name, of_none),
        false => Check::ok(name, format!("{} would be done", allowed.join(", "))),
    }
}

/// A role need not be able to tag what runs: a launch brings its tags along.
fn tag(said: &[(&Question, &Said)]) -> Check {
    let check = one("may-tag", said, NO_SERVER);
    match said.first() {
        Some((_, Ok(Answer::Denied(what)))) => Check::warn(
            "may-tag",
            format!("servers that run already cannot be tagged: {what}"),
            "a release tags what it launches and needs no more; allow ec2:CreateTags where running servers are to be taken in",
        ),
        Some(_) | None => check,
    }
}

fn shown(question: &Question) -> String {
    match question {
        Question::Launch { subnet, instance_type: None, .. } => format!("RunInstances in {subnet}"),
        Question::Launch { subnet, instance_type: Some(kind), .. } => {
            format!("RunInstances of {kind} in {subnet}")
        }
        Question::Describe(_)
        | Question::Start(_)
        | Question::Stop(_)
        | Question::Terminate(_)
        | Question::Tag(_)
        | Question::Forward(_)
        | Question::Targets(_) => question.call().to_owned(),
    }
}

/// The action as policies write it. A launch can lack another one than its own: that to tag, or to pass a role.
fn action(question: &Question, what: &str) -> String {
    for other in ["ec2:CreateTags", "iam:PassRole"] {
        if what.contains(other) {
            return other.to_owned();
        }
    }
    let service = match question {
        Question::Forward(_) | Question::Targets(_) => "elasticloadbalancing",
        Question::Describe(_)
        | Question::Launch { .. }
        | Question::Start(_)
        | Question::Stop(_)
        | Question::Terminate(_)
        | Question::Tag(_) => "ec2",
    };
    format!("{service}:{}", question.call())
}
