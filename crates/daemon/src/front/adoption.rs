//! Running servers that are taken in: the plan, and what is done once somebody has seen it.

use std::collections::BTreeSet;

use segue_api::{Adoption, AdoptionOutcome, AdoptionPlan, AdoptionQuery, AdoptionRequest};
use segue_domain::adoption;
use segue_domain::ids::{InstanceId, Version};
use segue_domain::refusal::Refusal;
use segue_engine::{AdoptionEnd, Shown};

use super::{Front, Who, ask, plans};
use crate::problem::{Fault, Refused};
use crate::views;

/// More servers than one load balancer has targets are no service's.
const INSTANCES_MAX: usize = 1_000;

impl Front {
    /// What would be done; nothing is.
    pub(crate) async fn plan_adoption(
        &self,
        service: &str,
        query: &AdoptionQuery,
    ) -> Result<AdoptionPlan, Refused> {
        let refused = |refusal: Refusal| Refused::of(&refusal);
        let service = self.configured(service).map_err(refused)?;
        let request = read(query.named(), query.version.as_deref()).map_err(refused)?;
        let plan = self.engine.plan_adoption(&service.name, &request).await.map_err(refused)?;
        Ok(views::plan_of_adoption(plans::given_out(plan.basis()), &plan))
    }

    /// Does it, if it is still what was shown.
    pub(crate) async fn adopt(
        &self,
        service: &str,
        request: &AdoptionRequest,
        who: &Who,
    ) -> Result<Adoption, Refused> {
        let refused = |refusal: Refusal| Refused::of(&refusal);
        let service = self.configured(service).map_err(refused)?;
        let AdoptionRequest { plan, instances, version, reason } = request;
        let asked = read(instances.iter().map(String::as_str), version.as_deref()).map_err(refused)?;
        ask::bounded("reason", reason.as_deref()).map_err(refused)?;
        let shown =
            Shown { basis: plans::basis_of_adoption(plan).map_err(refused)?, digest: plan.digest.clone() };
        let by = who.with(reason.as_deref());
        let adopted = self.engine.adopt(&service.name, asked, shown, by).await;
        let adopted = adopted.map_err(|error| Refused::of_asked(&error))?;
        let outcome = match adopted.end {
            AdoptionEnd::FoundDone => AdoptionOutcome::FoundDone,
            AdoptionEnd::Did => AdoptionOutcome::Did,
            AdoptionEnd::Unknown(why) => return Err(Fault::AdoptionUnfinished { why }.into()),
        };
        Ok(views::adopted(&service.name, outcome, &adopted.servers))
    }
}

/// Reads what was asked for.
fn read<'a>(
    named: impl Iterator<Item = &'a str>,
    version: Option<&str>,
) -> Result<adoption::AdoptionRequest, Refusal> {
    ask::bounded("version", version)?;
    let named: BTreeSet<InstanceId> = named.map(InstanceId::new).collect();
    if named.len() > INSTANCES_MAX {
        let what = format!("there are more than {INSTANCES_MAX} instances");
        return Err(Refusal::RequestInvalid { what });
    }
    match named.iter().find(|id| !is_instance(id.as_str())) {
        Some(other) => {
            let what =
                format!("{:?} is no instance: one is named i- and up to 17 hexadecimal digits", said(other));
            Err(Refusal::RequestInvalid { what })
        }
        None => Ok(adoption::AdoptionRequest { instances: named, version: version.map(Version::new) }),
    }
}

fn said(id: &InstanceId) -> String {
    crate::problem::said(id.as_str())
}

/// What could be one: EC2 says whether it is.
fn is_instance(id: &str) -> bool {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    (1..=17).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read_by_their_names() {
        let named = ["i-0001", "i-0a2b3c4d5e6f70819"];
        let request = read(named.into_iter(), Some("3")).expect("both are instances");
        assert_eq!(request.instances.len(), 2);
        assert_eq!(request.version, Some(Version::new("3")));
        assert_eq!(
            read(std::iter::empty(), None).expect("nothing is asked"),
            adoption::AdoptionRequest::default()
        );
    }

    #[test]
    fn what_can_be_no_instance_is_refused() {
        for name in ["", "boards-1", "i-", "i-0a2b3c4d5e6f708190", "i-1;i-2", "i-1,i-2"] {
            let refused = read(["i-1", name].into_iter(), None).expect_err(name);
            assert_eq!(refused.code(), "request-invalid");
            let said = refused.to_string();
            assert!(said.contains("up to 17 hexadecimal digits"), "{said}");
        }
    }
}
