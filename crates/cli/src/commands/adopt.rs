//! `adopt`: taking in running servers that Segue did not launch. First the plan, then a person's word, then the
//! deed; what is done is what was shown, or nothing.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Result;
use segue_api::{AdoptionPlan, AdoptionQuery, AdoptionRequest};

use super::client_by;
use crate::args::{AdoptArgs, Common};
use crate::exit::Exit;
use crate::{output, text};

/// Who says yes.
enum Consent {
    /// The command line did.
    Given,
    /// Whoever sits at the terminal is asked.
    Asked,
    /// Nobody can.
    Nobody,
}

pub(super) async fn run(common: &Common, args: AdoptArgs) -> Result<Exit> {
    let AdoptArgs { service, instances, version, yes, signed } = args;
    let consent = match (yes, std::io::stdin().is_terminal()) {
        (true, _) => Consent::Given,
        (false, true) => Consent::Asked,
        (false, false) => Consent::Nobody,
    };
    let client = client_by(common, &signed)?;
    let instances = (!instances.is_empty()).then(|| instances.join(","));
    let query = AdoptionQuery { instances, version };
    let plan = client.plan_adoption(&service, &query).await?;
    // Where there is nothing to do nobody need be asked.
    if !plan.servers.is_empty() && !agreed(common, &plan, consent).await? {
        return Ok(Exit::Refused);
    }
    let request = AdoptionRequest::of(&plan, &query, signed.reason);
    let adopted = client.adopt(&service, &request).await?;
    output::data(common.output, &adopted, |adopted| text::adopted(adopted, &plan))?;
    Ok(Exit::Done)
}

/// Shows the plan. Data goes to stdout only when it is all that comes of it.
async fn agreed(common: &Common, plan: &AdoptionPlan, consent: Consent) -> Result<bool> {
    match consent {
        Consent::Given => {
            output::say(text::adoption(plan).trim_end());
            Ok(true)
        }
        Consent::Asked => {
            output::say(text::adoption(plan).trim_end());
            output::say(&format!("Take these into {}? [y/N]", plan.service));
            let is_yes = says_yes().await?;
            if !is_yes {
                output::say("nothing was changed");
            }
            Ok(is_yes)
        }
        Consent::Nobody => {
            output::data(common.output, plan, text::adoption)?;
            output::say("refused: nobody is there to say yes, and nothing was changed");
            output::say("hint: --yes takes them in without asking");
            Ok(false)
        }
    }
}

/// A line from the terminal. No answer is no yes.
async fn says_yes() -> Result<bool> {
    let read = || {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_bytes| line)
    };
    let line = tokio::task::spawn_blocking(read).await??;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
