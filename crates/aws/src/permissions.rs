//! Asking AWS what these credentials may do, without doing it.
//!
//! EC2 answers `DryRun` by an error either way: `DryRunOperation` is yes, `UnauthorizedOperation` is no.
//! Elastic Load Balancing has no dry run, so only its readings can be tried.
//! Source: EC2 API, common query parameters, `DryRun`.

use std::error::Error;

use async_trait::async_trait;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{LaunchTemplateSpecification, ResourceType, Tag, TagSpecification};
use segue_domain::ids::{ForwardArn, GroupArn, ImageId, InstanceType, SubnetId, TemplateId};
use segue_engine::ports::{Answer, CallError, Class, Described, Permissions, Question};

use crate::balancer::Balancer;
use crate::ec2::Ec2;
use crate::errors::Failure;
use crate::tags;

/// Asks one region's EC2 and ELBv2.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) ec2: Ec2,
    pub(crate) balancer: Balancer,
}

#[async_trait]
impl Permissions for Asker {
    async fn ask(&self, question: &Question) -> Result<Answer, CallError> {
        let call = question.call();
        let client = &self.ec2.client;
        match question {
            Question::Describe(Described::Images) => {
                self.dry(call, client.describe_images().dry_run(true).send()).await
            }
            Question::Describe(Described::Instances) => {
                self.dry(call, client.describe_instances().dry_run(true).send()).await
            }
            Question::Describe(Described::Templates) => {
                self.dry(call, client.describe_launch_templates().dry_run(true).send()).await
            }
            Question::Describe(Described::Subnets) => {
                self.dry(call, client.describe_subnets().dry_run(true).send()).await
            }
            Question::Launch { template, image, subnet, instance_type } => {
                self.launch(template, image, subnet, instance_type.as_ref()).await
            }
            Question::Start(id) => {
                self.dry(call, client.start_instances().dry_run(true).instance_ids(id.as_str()).send()).await
            }
            Question::Stop(id) => {
                self.dry(call, client.stop_instances().dry_run(true).instance_ids(id.as_str()).send()).await
            }
            Question::Terminate(id) => {
                self.dry(call, client.terminate_instances().dry_run(true).instance_ids(id.as_str()).send())
                    .await
            }
            Question::Tag(id) => {
                let asking = client.create_tags().dry_run(true).resources(id.as_str());
                self.dry(call, asking.tags(managed()).send()).await
            }
            Question::Forward(forward) => self.forward(call, forward).await,
            Question::Targets(group) => self.targets(call, group).await,
        }
    }
}

impl Asker {
    async fn dry<T, E>(
        &self,
        call: &'static str,
        sending: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Answer, CallError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self.ec2.calls.read(call, Box::pin(sending)).await {
            Ok(_) => Ok(Answer::Real(format!("{call} was asked as a dry run and answered for real"))),
            Err(failure) => judged(failure),
        }
    }

    /// As a launch of a release asks for it, one instance of it.
    async fn launch(
        &self,
        template: &TemplateId,
        image: &ImageId,
        subnet: &SubnetId,
        instance_type: Option<&InstanceType>,
    ) -> Result<Answer, CallError> {
        let template = LaunchTemplateSpecification::builder().launch_template_id(template.as_str()).build();
        let tagged = |resource| TagSpecification::builder().resource_type(resource).tags(managed()).build();
        let asking = self.ec2.client.run_instances().dry_run(true).launch_template(template);
        let asking = asking.image_id(image.as_str()).subnet_id(subnet.as_str()).min_count(1).max_count(1);
        let asking = asking
            .set_instance_type(instance_type.map(|kind| kind.as_str().into()))
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume));
        self.dry("RunInstances", asking.send()).await
    }

    async fn forward(&self, call: &'static str, forward: &ForwardArn) -> Result<Answer, CallError> {
        let Balancer { client, calls } = &self.balancer;
        let read = if call == "DescribeRules" {
            calls.read(call, client.describe_rules().rule_arns(forward.as_str()).send()).await.map(drop)
        } else {
            let asking = client.describe_listeners().listener_arns(forward.as_str());
            calls.read(call, asking.send()).await.map(drop)
        };
        answered(read.map_err(|failure| failure.about(forward)))
    }

    async fn targets(&self, call: &'static str, group: &GroupArn) -> Result<Answer, CallError> {
        let asking = self.balancer.client.describe_target_health().target_group_arn(group.as_str());
        let read = self.balancer.calls.read(call, asking.send()).await.map(drop);
        answered(read.map_err(|failure| failure.about(group)))
    }
}

fn answered(read: Result<(), Failure>) -> Result<Answer, CallError> {
    match read {
        Ok(()) => Ok(Answer::Allowed),
        Err(failure) => judged(failure),
    }
}

fn managed() -> Tag {
    Tag::builder().key(tags::MANAGED_BY).value("segue").build()
}

/// What a failure says about permissions. One that says nothing stays a failure.
fn judged(failure: Failure) -> Result<Answer, CallError> {
    let Failure { class, code, what, unsigned } = failure;
    if unsigned {
        return Ok(Answer::NoCredentials(what));
    }
    match code.as_deref() {
        Some("DryRunOperation") => Ok(Answer::Allowed),
        Some("UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException") => Ok(Answer::Denied(what)),
        // ELBv2 says for which region a signature would have to be; EC2 never tells.
        Some("SignatureDoesNotMatch") if what.contains("valid region") => Ok(Answer::ElsewhereOnly(what)),
        Some(
            "AuthFailure"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "OptInRequired",
        ) => Ok(Answer::NotTaken(what)),
        // An instance that is in another state, or gone since it was listed.
        Some("InvalidInstanceID.NotFound" | "IncorrectInstanceState" | "IncorrectState") => {
            Ok(Answer::Unsaid(what))
        }
        Some(_) => match class {
            Class::Refused => Ok(Answer::Unsaid(what)),
            Class::Retry | Class::Unknown | Class::Bug => Err(CallError::of(class, what)),
        },
        None => Err(CallError::of(class, what)),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;
    use segue_domain::ids::InstanceId;

    use super::*;
    use crate::stub::{Stub, elb_refusal, refusal};

    fn launch() -> Question {
        let subnet = "subnet-a".into();
        Question::Launch { template: "lt-1".into(), image: "ami-1".into(), subnet, instance_type: None }
    }

    fn every_change() -> [Question; 5] {
        let id = || InstanceId::new("i-a");
        [
            launch(),
            Question::Start(id()),
            Question::Stop(id()),
            Question::Terminate(id()),
            Question::Tag(id()),
        ]
    }

    #[tokio::test]
    async fn every_call_that_would_change_something_says_that_it_is_dry() {
        let stub = Stub::start((0..5).map(|_| (412, refusal("DryRunOperation")))).await;
        let asker = stub.permissions().await;
        for question in every_change() {
            assert_eq!(asker.ask(&question).await, Ok(Answer::Allowed), "{question:?}");
        }
        let asked = stub.asked();
        assert_eq!(asked.len(), 5);
        for (request, question) in asked.iter().zip(every_change()) {
            assert_eq!(request.field("Action"), Some(question.call()));
            assert_eq!(request.field("DryRun"), Some("true"), "{question:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_for_real_to_a_dry_run_is_told_as_such() {
        let stub = Stub::start([(200, crate::stub::answer("StopInstances", ""))]).await;
        let answer = stub.permissions().await.ask(&Question::Stop("i-a".into())).await.expect("it answered");
        assert!(matches!(answer, Answer::Real(_)), "{answer:?}");
    }

    #[tokio::test]
    async fn what_aws_says_is_told_apart() {
        let is = |answer: &Answer| match answer {
            Answer::Allowed => "allowed",
            Answer::Denied(_) => "denied",
            Answer::NotTaken(_) => "not taken",
            Answer::ElsewhereOnly(_) => "elsewhere",
            Answer::NoCredentials(_) => "none",
            Answer::Unsaid(_) => "unsaid",
            Answer::Real(_) => "real",
        };
        let table = [
            (412, "DryRunOperation", "allowed"),
            (403, "UnauthorizedOperation", "denied"),
            (401, "AuthFailure", "not taken"),
            (400, "RequestExpired", "not taken"),
            (400, "InvalidSubnetID.NotFound", "unsaid"),
            (400, "IncorrectInstanceState", "unsaid"),
            (400, "InstanceLimitExceeded", "unsaid"),
        ];
        let stub = Stub::start(table.map(|(status, code, _)| (status, refusal(code)))).await;
        let asker = stub.permissions().await;
        for (_, code, meaning) in table {
            let answer = asker.ask(&launch()).await.expect("AWS answered");
            assert_eq!(is(&answer), meaning, "{code}");
        }
        let throttled = Stub::start([(503, refusal("RequestLimitExceeded"))]).await;
        assert_eq!(
            throttled.permissions().await.ask(&launch()).await.expect_err("no answer").class,
            Class::Retry
        );
        for error in [CredentialsError::not_loaded("none"), CredentialsError::provider_error("status 403")] {
            let asker = throttled.permissions_without_credentials(error).await;
            let answer = asker.ask(&launch()).await.expect("nothing was sent");
            assert_eq!(is(&answer), "none");
        }
        let region = elb_refusal("SignatureDoesNotMatch")
            .replace("recorded", "Credential should be scoped to a valid region.");
        let stub = Stub::start([(403, region), (403, elb_refusal("AccessDenied"))]).await;
        let asker = stub.permissions().await;
        let forward = Question::Forward("arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/b/5/6".into());
        for meaning in ["elsewhere", "denied"] {
            assert_eq!(is(&asker.ask(&forward).await.expect("AWS answered")), meaning);
        }
    }
}
