//! What a release would do, before anybody asks for it; and the facts on which a plan stands, of a release or of
//! an adoption: given out, and handed in again.

use segue_api::{PLAN_FORMAT, PlanBasis, PlanView, ReleaseRequest};
use segue_domain::basis::Basis;
use segue_domain::refusal::Refusal;
use segue_domain::state::ReleaseState;
use sha2::{Digest, Sha256};

use super::{Front, ask};
use crate::problem::{Refused, said};
use crate::views;

/// More facts than any plan has: an adoption's has one for each server. Each is bounded by the size of the body.
const FACTS_MAX: usize = 2_000;

/// A fact that every release's plan has, and no adoption's.
const KIND: &str = "kind";

impl Front {
    /// The plan that such a request would be carried out by. Nothing is done, and nothing is kept.
    pub(crate) async fn plan(&self, request: &ReleaseRequest) -> Result<PlanView, Refused> {
        let refused = |refusal: Refusal| Refused::of_body(&refusal);
        let service = self.configured(&request.service).map_err(refused)?;
        let (asked, _no_key) = ask::read(request, None).map_err(refused)?;
        let handed_in = request.plan.as_ref().map(basis_of_release).transpose().map_err(refused)?;
        let (plan, world) = self.engine.foresee(&service.name, &asked).await.map_err(refused)?;
        let facts = plan.basis();
        let differences = handed_in.map(|it| it.differences(&facts)).unwrap_or_default();
        if !differences.is_empty() {
            return Err(refused(Refusal::PlanStale { differences }));
        }
        let basis = given_out(facts);
        let state = ReleaseState::planned(plan, self.now());
        let invalid =
            || Refusal::PlanInvalid { what: "the release would have a name that is none".to_owned() };
        views::plan(basis, &state, &world).ok_or_else(|| refused(invalid()))
    }
}

/// The facts as they are given out.
pub(super) fn given_out(facts: Basis) -> PlanBasis {
    PlanBasis { format: PLAN_FORMAT, digest: digest(&facts), facts: facts.0 }
}

/// The facts of a release's plan.
pub(super) fn basis_of_release(handed_in: &PlanBasis) -> Result<Basis, Refusal> {
    let basis = basis(handed_in)?;
    match basis.0.contains_key(KIND) {
        true => Ok(basis),
        false => Err(Refusal::PlanInvalid { what: "it is not the plan of a release".to_owned() }),
    }
}

/// The facts of an adoption's plan.
pub(super) fn basis_of_adoption(handed_in: &PlanBasis) -> Result<Basis, Refusal> {
    let basis = basis(handed_in)?;
    match basis.0.get(KIND) {
        Some(kind) => {
            Err(Refusal::PlanInvalid { what: format!("it is the plan of a {} release", said(kind)) })
        }
        None => Ok(basis),
    }
}

/// The facts that were handed in, if they are as this version wrote them.
fn basis(handed_in: &PlanBasis) -> Result<Basis, Refusal> {
    let invalid = |what: String| Err(Refusal::PlanInvalid { what });
    if handed_in.format != PLAN_FORMAT {
        let found = handed_in.format;
        return invalid(format!("the plan has format {found}, and this version takes {PLAN_FORMAT}"));
    }
    if handed_in.facts.len() > FACTS_MAX {
        return invalid(format!("the plan has more than {FACTS_MAX} facts"));
    }
    let basis = Basis(handed_in.facts.clone());
    if digest(&basis) != handed_in.digest {
        return invalid("the plan was changed since it was made: its digest is another one".to_owned());
    }
    Ok(basis)
}

/// The facts come in the order of their names, so that the same ones are the same text.
fn digest(basis: &Basis) -> String {
    let canonical = serde_json::to_vec(&basis.0).unwrap_or_default();
    hex::encode(Sha256::digest(&canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_changed_or_is_of_another_format_is_refused() {
        let facts = Basis([("image".to_owned(), "ami-1".to_owned())].into());
        let good = given_out(facts.clone());
        assert_eq!(basis(&good), Ok(facts));
        let mut changed = good.clone();
        changed.facts.insert("image".to_owned(), "ami-2".to_owned());
        let newer = PlanBasis { format: PLAN_FORMAT + 1, ..good };
        for bad in [changed, newer] {
            assert_eq!(basis(&bad).expect_err("no plan").code(), "plan-invalid");
        }
    }
}
