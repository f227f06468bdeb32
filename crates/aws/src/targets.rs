//! Which instances a target group has, and how they are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    TargetDescription, TargetHealth as SdkHealth, TargetHealthDescription, TargetHealthReasonEnum,
    TargetHealthStateEnum,
};
use segue_domain::ids::{GroupArn, InstanceId};
use segue_domain::target::{TargetHealth, Targets};
use segue_engine::ports::{CallError, Class};

use crate::balancer::Balancer;
use crate::errors::Failure;
use crate::lifecycle::Batches;

/// Every target of a group. The call has no pages: a group has at most a thousand targets.
pub(crate) async fn of_group(balancer: &Balancer, group: &GroupArn) -> Result<Targets, CallError> {
    let asking = balancer.client.describe_target_health().target_group_arn(group.as_str());
    let answer = balancer.calls.read("DescribeTargetHealth", asking.send()).await;
    let answer = answer.map_err(|failure| failure.about(group))?;
    let mut targets = Targets::new();
    for described in answer.target_health_descriptions() {
        let Some((id, health)) = read(described)? else { continue };
        // One instance can be registered with several ports; it is as healthy as the worst of them.
        let worst = targets.get(&id).map_or(health, |other| worse(*other, health));
        targets.insert(id, worst);
    }
    Ok(targets)
}

/// On the port that the group names. A target that is already in is success, and stays in on other ports.
pub(crate) async fn register(
    balancer: &Balancer,
    group: &GroupArn,
    instances: &[InstanceId],
) -> Result<(), CallError> {
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let asking = balancer.client.register_targets().target_group_arn(group.as_str());
        let asking = asking.set_targets(Some(described(ids)));
        let result = balancer.calls.change("RegisterTargets", asking.send()).await;
        batches.end(result.map(drop))?;
    }
    Ok(())
}

/// From every port on which it is registered: one that is registered on another port than the group's stays in unless
/// that port is named, and ELB calls it success. A target that is not in is success.
/// Source: ELBv2 API, DeregisterTargets.
pub(crate) async fn deregister(
    balancer: &Balancer,
    group: &GroupArn,
    instances: &[InstanceId],
) -> Result<(), CallError> {
    if instances.is_empty() {
        return Ok(());
    }
    let asking = balancer.client.describe_target_health().target_group_arn(group.as_str());
    let answer = balancer.calls.read_to_change("DescribeTargetHealth", asking.send()).await;
    let answer = answer.map_err(|failure| changed_nothing(failure.about(group)))?;
    let ports = ports(answer.target_health_descriptions());
    let mut batches = Batches::of(instances);
    while let Some(ids) = batches.take() {
        let targets: Vec<TargetDescription> = ids.into_iter().flat_map(|id| on_each(&ports, id)).collect();
        let asking = balancer.client.deregister_targets().target_group_arn(group.as_str());
        let asking = asking.set_targets(Some(targets));
        let result = balancer.calls.change("DeregisterTargets", asking.send()).await;
        batches.end(result.map(drop))?;
    }
    Ok(())
}

/// It was only read: whatever became of that, nobody is out for it.
fn changed_nothing(failure: Failure) -> Failure {
    let class = match failure.class {
        Class::Unknown => Class::Retry,
        class @ (Class::Retry | Class::Refused | Class::Bug) => class,
    };
    Failure { class, ..failure }
}

/// On which ports each is registered.
fn ports(described: &[TargetHealthDescription]) -> BTreeMap<&str, BTreeSet<i32>> {
    let mut ports: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for target in described.iter().filter_map(TargetHealthDescription::target) {
        if let (Some(id), Some(port)) = (target.id(), target.port()) {
            ports.entry(id).or_default().insert(port);
        }
    }
    ports
}

/// One that does not show may show yet: it is meant on the group's port.
fn on_each(ports: &BTreeMap<&str, BTreeSet<i32>>, id: String) -> Vec<TargetDescription> {
    match ports.get(id.as_str()) {
        Some(ports) => {
            let on = |port: &i32| TargetDescription::builder().id(&id).port(*port).build();
            ports.iter().map(on).collect()
        }
        None => described(vec![id]),
    }
}

fn described(ids: Vec<String>) -> Vec<TargetDescription> {
    ids.into_iter().map(|id| TargetDescription::builder().id(id).build()).collect()
}

/// None for a target that the group names only to say that it is not registered.
fn read(described: &TargetHealthDescription) -> Result<Option<(InstanceId, TargetHealth)>, CallError> {
    let id = described.target().and_then(|target| target.id());
    let id = id.ok_or_else(|| CallError::bug("ELB described a target without its id"))?;
    let health = described.target_health();
    if health.and_then(SdkHealth::reason) == Some(&TargetHealthReasonEnum::NotRegistered) {
        return Ok(None);
    }
    Ok(Some((InstanceId::new(id), health_of(health.and_then(SdkHealth::state)))))
}

/// A state that nobody here knows is no word at all: never healthy, and never out of the group.
fn health_of(state: Option<&TargetHealthStateEnum>) -> TargetHealth {
    match state {
        Some(TargetHealthStateEnum::Initial) => TargetHealth::Initial,
        Some(TargetHealthStateEnum::Healthy) => TargetHealth::Healthy,
        // Unhealthy, and its connections are being drained for it; still registered.
        Some(TargetHealthStateEnum::Unhealthy | TargetHealthStateEnum::UnhealthyDraining) => {
            TargetHealth::Unhealthy
        }
        Some(TargetHealthStateEnum::Unused) => TargetHealth::Unused,
        Some(TargetHealthStateEnum::Draining) => TargetHealth::Draining,
        _ => TargetHealth::Unavailable,
    }
}

fn worse(one: TargetHealth, other: TargetHealth) -> TargetHealth {
    let badness = |health| match health {
        TargetHealth::Healthy => 0,
        TargetHealth::Initial => 1,
        TargetHealth::Unavailable => 2,
        TargetHealth::Unused => 3,
        TargetHealth::Draining => 4,
        TargetHealth::Unhealthy => 5,
    };
    if badness(other) > badness(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{Stub, elb_answer, elb_refusal};

    fn target(id: &str, port: u16, state: &str, reason: &str) -> String {
        format!(
            "<member><Target><Id>{id}</Id><Port>{port}</Port></Target>\
             <TargetHealth><State>{state}</State><Reason>{reason}</Reason></TargetHealth></member>"
        )
    }

    fn group() -> GroupArn {
        GroupArn::new("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/1")
    }

    #[tokio::test]
    async fn a_group_tells_the_health_of_every_target() {
        let members = [
            target("i-a", 8080, "healthy", ""),
            target("i-b", 8080, "initial", "Elb.RegistrationInProgress"),
            target("i-c", 8080, "draining", "Target.DeregistrationInProgress"),
            target("i-d", 8080, "unused", "Target.NotInUse"),
            target("i-e", 8080, "unused", "Target.NotRegistered"),
            target("i-f", 8080, "healthy", ""),
            target("i-f", 8081, "unhealthy", "Target.Timeout"),
            target("i-g", 8080, "unhealthy.draining", ""),
            target("i-h", 8080, "levitating", ""),
        ];
        let body = format!("<TargetHealthDescriptions>{}</TargetHealthDescriptions>", members.concat());
        let stub = Stub::start([(200, elb_answer("DescribeTargetHealth", &body))]).await;
        let targets = stub.balancer().await.targets(&group()).await.expect("targets");
        let read: Vec<_> = targets.iter().map(|(id, health)| (id.as_str(), *health)).collect();
        assert_eq!(
            read,
            [
                ("i-a", TargetHealth::Healthy),
                ("i-b", TargetHealth::Initial),
                ("i-c", TargetHealth::Draining),
                ("i-d", TargetHealth::Unused),
                ("i-f", TargetHealth::Unhealthy),
                ("i-g", TargetHealth::Unhealthy),
                ("i-h", TargetHealth::Unavailable),
            ]
        );
        assert_eq!(stub.asked()[0].field("TargetGroupArn"), Some(group().as_str()));
        assert_eq!(stub.asked()[0].field("Targets.member.1.Id"), None);
    }

    #[tokio::test]
    async fn targets_are_put_in_and_taken_out_by_id() {
        let stub = Stub::start([
            (200, elb_answer("RegisterTargets", "")),
            (200, elb_answer("DescribeTargetHealth", "")),
            (200, elb_answer("DeregisterTargets", "")),
        ])
        .await;
        let balancer = stub.balancer().await;
        let ids = [InstanceId::new("i-a"), InstanceId::new("i-b")];
        balancer.register(&group(), &ids).await.expect("registered");
        balancer.deregister(&group(), &ids).await.expect("deregistered");
        let asked = stub.asked();
        for (request, action) in [(&asked[0], "RegisterTargets"), (&asked[2], "DeregisterTargets")] {
            assert_eq!(request.field("Action"), Some(action));
            assert_eq!(request.field("Targets.member.1.Id"), Some("i-a"));
            assert_eq!(request.field("Targets.member.2.Id"), Some("i-b"));
            assert_eq!(request.field("Targets.member.1.Port"), None);
        }
    }

    #[tokio::test]
    async fn a_target_is_taken_out_on_every_port_on_which_it_is_in() {
        let members = [
            target("i-a", 8080, "healthy", ""),
            target("i-a", 9090, "unhealthy", "Target.Timeout"),
            target("i-c", 8080, "healthy", ""),
        ];
        let body = format!("<TargetHealthDescriptions>{}</TargetHealthDescriptions>", members.concat());
        let stub = Stub::start([
            (200, elb_answer("DescribeTargetHealth", &body)),
            (200, elb_answer("DeregisterTargets", "")),
        ])
        .await;
        let ids = [InstanceId::new("i-a"), InstanceId::new("i-b")];
        stub.balancer().await.deregister(&group(), &ids).await.expect("deregistered");
        let asked = &stub.asked()[1];
        let named = |n: u32| {
            let field = |name| asked.field(&format!("Targets.member.{n}.{name}"));
            (field("Id"), field("Port"))
        };
        let expected =
            [(Some("i-a"), Some("8080")), (Some("i-a"), Some("9090")), (Some("i-b"), None), (None, None)];
        assert_eq!([1, 2, 3, 4].map(named), expected);
    }

    #[tokio::test]
    async fn where_the_ports_cannot_be_read_nothing_was_done() {
        let stub = Stub::start([(500, elb_refusal("InternalFailure"))]).await;
        let failed = stub.balancer().await.deregister(&group(), &[InstanceId::new("i-a")]).await;
        assert_eq!(failed.expect_err("nothing was read").class, Class::Retry);
    }

    #[tokio::test]
    async fn a_throttled_call_is_to_be_repeated_and_a_missing_group_is_not() {
        let stub =
            Stub::start([(400, elb_refusal("Throttling")), (400, elb_refusal("TargetGroupNotFound"))]).await;
        let balancer = stub.balancer().await;
        let ids = [InstanceId::new("i-a")];
        assert_eq!(balancer.register(&group(), &ids).await.expect_err("throttled").class, Class::Retry);
        assert_eq!(balancer.register(&group(), &ids).await.expect_err("missing").class, Class::Refused);
    }
}
