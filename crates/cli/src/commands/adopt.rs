//! `adopt`: taking in running servers that Segue did not launch. First the plan, then a person's word, then the
//! deed; what is done is what was shown, or nothing.

mod consent;

use anyhow::Result;
use segue_api::{AdoptionPlan, AdoptionQuery, AdoptionRequest};

use super::client_by;
use crate::args::{AdoptArgs, Common};
use crate::exit::Exit;
use crate::{output, text};
use consent::{Consent, NotConfirmed, says_yes};

pub(super) async fn run(common: &Common, args: AdoptArgs) -> Result<Exit> {
    let AdoptArgs { service, instances, version, yes, signed } = args;
    let consent = if yes { Consent::Given } else { Consent::without_yes(&std::io::stdin()) };
    let client = client_by(common, &signed)?;
    let instances = (!instances.is_empty()).then(|| instances.join(","));
    let query = AdoptionQuery { instances, version };
    let plan = client.plan_adoption(&service, &query).await?;
    // Where there is nothing to do nobody need be asked.
    if !plan.servers.is_empty()
        && let Some(refused) = why_not(common, &plan, consent).await?
    {
        output::say(&refused.told());
        return Ok(Exit::Refused);
    }
    let request = AdoptionRequest::of(&plan, &query, signed.reason);
    let adopted = client.adopt(&service, &request).await?;
    output::data(common.output, &adopted, |adopted| text::adopted(adopted, &plan))?;
    Ok(Exit::Done)
}

/// Shows the plan. `None` when it is to be done. Data goes to stdout only when it is all that comes of it.
async fn why_not(common: &Common, plan: &AdoptionPlan, consent: Consent) -> Result<Option<NotConfirmed>> {
    match consent {
        Consent::Given => {
            output::say(text::adoption(plan).trim_end());
            Ok(None)
        }
        Consent::Asked => {
            output::say(text::adoption(plan).trim_end());
            output::say(&format!("Take these into {}? [y/N]", plan.service));
            let answer = tokio::task::spawn_blocking(|| says_yes(std::io::stdin().lock())).await?;
            Ok((!answer?).then_some(NotConfirmed::AnsweredNo))
        }
        Consent::Nobody => {
            output::data(common.output, plan, text::adoption)?;
            Ok(Some(NotConfirmed::NobodyThere))
        }
    }
}
