//! Where instances can be launched: free addresses of subnets, and whether the launch template is there.

use std::collections::BTreeMap;

use segue_domain::ids::{SubnetId, TemplateId};
use segue_engine::ports::CallError;

use crate::ec2::Ec2;

/// Free addresses of every subnet that was asked for, or a failure: a subnet that EC2 left out of its answer
/// does not count as full.
pub(crate) async fn free_addresses(
    ec2: &Ec2,
    subnets: &[SubnetId],
) -> Result<BTreeMap<SubnetId, u64>, CallError> {
    if subnets.is_empty() {
        // Without ids EC2 would list the whole account.
        return Ok(BTreeMap::new());
    }
    let ids: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    let asking = ec2.client.describe_subnets().set_subnet_ids(Some(ids));
    let answer = ec2.calls.read("DescribeSubnets", asking.send()).await?;
    let mut free = BTreeMap::new();
    for subnet in answer.subnets() {
        let addresses = subnet.available_ip_address_count().and_then(|count| u64::try_from(count).ok());
        if let (Some(id), Some(addresses)) = (subnet.subnet_id(), addresses) {
            free.insert(SubnetId::new(id), addresses);
        }
    }
    match subnets.iter().find(|subnet| !free.contains_key(subnet)) {
        None => Ok(free),
        Some(silent) => {
            Err(CallError::unknown(format!("EC2 did not say how many addresses are free in {silent}")))
        }
    }
}

/// False only when EC2 says that there is no such template.
pub(crate) async fn template_exists(ec2: &Ec2, template: &TemplateId) -> Result<bool, CallError> {
    let asking = ec2.client.describe_launch_templates().launch_template_ids(template.as_str());
    match ec2.calls.read("DescribeLaunchTemplates", asking.send()).await {
        Ok(answer) => {
            Ok(answer.launch_templates().iter().any(|t| t.launch_template_id() == Some(template.as_str())))
        }
        Err(failure) if failure.is("InvalidLaunchTemplateId.NotFound") => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use segue_engine::ports::Class;

    use super::*;
    use crate::stub::{Stub, answer, refusal};

    fn subnet(id: &str, free: u32) -> String {
        format!(
            "<item><subnetId>{id}</subnetId><availableIpAddressCount>{free}</availableIpAddressCount></item>"
        )
    }

    #[tokio::test]
    async fn a_subnet_that_is_left_out_of_the_answer_is_unknown_and_not_full() {
        let both = format!("<subnetSet>{}{}</subnetSet>", subnet("subnet-a", 250), subnet("subnet-b", 0));
        let one = format!("<subnetSet>{}</subnetSet>", subnet("subnet-a", 250));
        let stub =
            Stub::start([(200, answer("DescribeSubnets", &both)), (200, answer("DescribeSubnets", &one))])
                .await;
        let cloud = stub.cloud().await;
        let asked = [SubnetId::new("subnet-a"), SubnetId::new("subnet-b")];
        let free = cloud.free_addresses(&asked).await.expect("addresses");
        assert_eq!(free.into_values().collect::<Vec<_>>(), [250, 0]);
        assert_eq!(cloud.free_addresses(&asked).await.expect_err("one is missing").class, Class::Unknown);
        assert_eq!(stub.asked()[0].field("SubnetId.2"), Some("subnet-b"));
    }

    #[tokio::test]
    async fn no_subnets_need_no_call() {
        let stub = Stub::start([]).await;
        assert!(stub.cloud().await.free_addresses(&[]).await.expect("nothing asked").is_empty());
        assert_eq!(stub.asked().len(), 0);
    }

    #[tokio::test]
    async fn only_the_word_of_ec2_makes_a_template_missing() {
        let there =
            "<launchTemplates><item><launchTemplateId>lt-1</launchTemplateId></item></launchTemplates>";
        let stub = Stub::start([
            (200, answer("DescribeLaunchTemplates", there)),
            (400, refusal("InvalidLaunchTemplateId.NotFound")),
            (403, refusal("UnauthorizedOperation")),
        ])
        .await;
        let cloud = stub.cloud().await;
        let template = TemplateId::new("lt-1");
        assert_eq!(cloud.template_exists(&template).await, Ok(true));
        assert_eq!(cloud.template_exists(&template).await, Ok(false));
        assert_eq!(cloud.template_exists(&template).await.expect_err("forbidden").class, Class::Refused);
    }
}
