//! Launching one batch by one call.

use aws_sdk_ec2::types::{LaunchTemplateSpecification, ResourceType, TagSpecification};
use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, InstanceId};
use segue_engine::ports::{CallError, Class};
use sha2::{Digest, Sha256};

use crate::ec2::Ec2;
use crate::errors::Failure;
use crate::tags;

/// EC2's advice for one call. Source: EC2 API, RunInstances ("five separate launch requests for 100 instances
/// each instead of one launch request for 500").
const BATCH_MAX: u32 = 100;

/// Launches what fits, at least one instance, from the template's default version.
///
/// The token makes a repeated call bring the same instances; tags are given in the same call, so that nothing
/// can exist without them. No launch fails as a bug: whoever asked would ask for its end for ever.
pub(crate) async fn batch(
    ec2: &Ec2,
    id: &EffectId,
    batch: &LaunchBatch,
) -> Result<Vec<InstanceId>, CallError> {
    if !(1..=BATCH_MAX).contains(&batch.count) {
        return Err(CallError::refused(format!(
            "a batch is 1 to {BATCH_MAX} instances, not {}",
            batch.count
        )));
    }
    let count = i32::try_from(batch.count).map_err(|error| {
        CallError::refused(format!("the count of batch {} is too large: {error}", batch.batch))
    })?;
    let template = LaunchTemplateSpecification::builder().launch_template_id(batch.template.as_str()).build();
    let launching = ec2
        .client
        .run_instances()
        .client_token(token(&ec2.origin, id))
        .launch_template(template)
        .image_id(batch.image.as_str())
        .subnet_id(batch.subnet.as_str())
        .set_instance_type(batch.instance_type.as_ref().map(|kind| kind.as_str().into()))
        .min_count(1)
        .max_count(count)
        .tag_specifications(tagged(ResourceType::Instance, batch))
        .tag_specifications(tagged(ResourceType::Volume, batch));
    // The request has a hundred fields; a future that holds it belongs on the heap.
    let launched = ec2.calls.change("RunInstances", Box::pin(launching.send())).await;
    let launched = launched.map_err(launched_nothing)?;
    let ids = launched.instances().iter().map(|instance| instance.instance_id().map(InstanceId::new));
    // Something was launched that has no name: its tags will find it.
    let ids: Option<Vec<InstanceId>> = ids.collect();
    ids.ok_or_else(|| CallError::unknown("RunInstances answered with an instance without its id"))
}

/// A request that makes no sense to AWS, or could not be built, launched nothing, whoever's mistake it was: a template
/// with its own network interfaces and our subnet, say. A token that is spent on other parameters launched nothing now;
/// what it launched then, its tags tell.
/// Source: EC2 developer guide, "Ensuring idempotency": other parameters fail without any further action.
fn launched_nothing(failure: Failure) -> Failure {
    let class = match failure.class {
        Class::Bug => Class::Refused,
        class @ (Class::Retry | Class::Refused | Class::Unknown) => class,
    };
    Failure { class, ..failure }
}

fn tagged(resource: ResourceType, batch: &LaunchBatch) -> TagSpecification {
    TagSpecification::builder().resource_type(resource).set_tags(Some(tags::of_batch(batch))).build()
}

/// A ClientToken has at most 64 ASCII characters, an effect's id may be longer.
fn token(origin: &str, id: &EffectId) -> String {
    hex::encode(Sha256::digest(format!("{origin}\n{id}")))
}

#[cfg(test)]
mod tests {
    use segue_domain::ids::{ReleaseId, ServiceName, SubnetId, TemplateId, Version};

    use super::*;
    use crate::stub::{Stub, answer, refusal};

    fn three() -> LaunchBatch {
        let service = ServiceName::new("boards");
        LaunchBatch {
            release: ReleaseId { service: service.clone(), number: 12 },
            service,
            version: Version::new("2026.11.21-3"),
            image: "ami-2".into(),
            template: TemplateId::new("lt-1"),
            subnet: SubnetId::new("subnet-a"),
            instance_type: None,
            count: 3,
            batch: 0,
            attempt: 1,
        }
    }

    fn two_instances() -> String {
        answer(
            "RunInstances",
            "<reservationId>r-1</reservationId><instancesSet>\
             <item><instanceId>i-a</instanceId></item><item><instanceId>i-b</instanceId></item></instancesSet>",
        )
    }

    #[tokio::test]
    async fn a_batch_is_one_call_with_its_token_and_its_tags() {
        let stub = Stub::start([(200, two_instances())]).await;
        let id = EffectId::new("boards-12/launch/0/1");
        let launched = stub.cloud().await.launch(&id, &three()).await.expect("instances");
        assert_eq!(launched, [InstanceId::new("i-a"), InstanceId::new("i-b")]);

        let asked = stub.asked();
        let request = &asked[0];
        let token = request.field("ClientToken").expect("a token");
        assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
        for (name, value) in [
            ("Action", "RunInstances"),
            ("LaunchTemplate.LaunchTemplateId", "lt-1"),
            ("ImageId", "ami-2"),
            ("SubnetId", "subnet-a"),
            ("MinCount", "1"),
            ("MaxCount", "3"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.2.ResourceType", "volume"),
        ] {
            assert_eq!(request.field(name), Some(value), "{name}");
        }
        for specification in ["TagSpecification.1", "TagSpecification.2"] {
            assert_eq!(
                request.pairs(&format!("{specification}.Tag"), "Key", "Value"),
                [
                    ("segue:attempt", "1"),
                    ("segue:batch", "0"),
                    ("segue:managed-by", "segue"),
                    ("segue:release", "boards-12"),
                    ("segue:service", "boards"),
                    ("segue:version", "2026.11.21-3"),
                ]
            );
        }
    }

    #[tokio::test]
    async fn a_type_is_asked_for_when_there_is_one_and_is_the_templates_otherwise() {
        let stub = Stub::start([(200, two_instances()), (200, two_instances())]).await;
        let cloud = stub.cloud().await;
        for instance_type in [Some("m7i.large".into()), None] {
            let batch = LaunchBatch { instance_type, ..three() };
            cloud.launch(&EffectId::new("e"), &batch).await.expect("instances");
        }
        let asked = stub.asked();
        let types: Vec<_> = asked.iter().map(|request| request.field("InstanceType")).collect();
        assert_eq!(types, [Some("m7i.large"), None]);
    }

    #[tokio::test]
    async fn the_same_effect_has_the_same_token_and_another_has_another() {
        let stub =
            Stub::start([(200, two_instances()), (200, two_instances()), (200, two_instances())]).await;
        let cloud = stub.cloud().await;
        for id in ["boards-12/launch/0/1", "boards-12/launch/0/1", "boards-12/launch/0/2"] {
            cloud.launch(&EffectId::new(id), &three()).await.expect("instances");
        }
        let tokens: Vec<_> =
            stub.asked().iter().map(|asked| asked.field("ClientToken").map(str::to_owned)).collect();
        assert_eq!(tokens[0], tokens[1]);
        assert_ne!(tokens[1], tokens[2]);
    }

    #[test]
    fn another_journal_has_other_tokens_for_effects_of_the_same_name() {
        let id = EffectId::new("boards-1/launch/0/1");
        assert_ne!(token("journal-1", &id), token("journal-2", &id));
    }

    #[tokio::test]
    async fn a_failed_launch_says_whether_it_may_have_happened() {
        let cases = [
            (503, refusal("RequestLimitExceeded"), Class::Retry, "too many requests"),
            (500, refusal("InsufficientInstanceCapacity"), Class::Refused, "no capacity"),
            (400, refusal("IdempotentParameterMismatch"), Class::Refused, "same token"),
            (400, refusal("InvalidParameterCombination"), Class::Refused, "no sense"),
            (400, refusal("InvalidParameterValue"), Class::Refused, "refused"),
            (400, refusal("MissingParameter"), Class::Refused, "no sense"),
            (400, refusal("ValidationError"), Class::Refused, "refused"),
            (500, "<html>gateway</html>".to_owned(), Class::Unknown, "status 500"),
            (200, "<html>no instances</html>".to_owned(), Class::Unknown, "could not be read"),
        ];
        for (status, body, class, words) in cases {
            let stub = Stub::start([(status, body)]).await;
            let failed = stub.cloud().await.launch(&EffectId::new("e"), &three()).await.expect_err(words);
            assert_eq!(failed.class, class, "{failed}");
            assert!(failed.what.contains(words) && failed.what.contains("RunInstances"), "{failed}");
            assert_eq!(failed.lack.is_some(), words == "no capacity", "{failed}");
            assert_eq!(stub.asked().len(), 1, "one try: {failed}");
        }
    }

    #[tokio::test]
    async fn a_batch_of_nothing_or_of_too_many_is_not_asked_for() {
        let stub = Stub::start([]).await;
        let cloud = stub.cloud().await;
        for count in [0, 101] {
            let batch = LaunchBatch { count, ..three() };
            let failed = cloud.launch(&EffectId::new("e"), &batch).await.expect_err("no batch");
            assert_eq!(failed.class, Class::Refused);
        }
        assert_eq!(stub.asked().len(), 0);
    }
}
