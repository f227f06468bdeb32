//! `promote`, `pause`, `resume`, `abort`, `retry`: a word to a release.

use anyhow::Result;
use segue_api::{Verb, VerbRequest};

use super::{client_by, wait};
use crate::args::{Common, VerbArgs};
use crate::exit::Exit;
use crate::{output, text};

pub(super) async fn say(common: &Common, verb: Verb, args: VerbArgs) -> Result<Exit> {
    let VerbArgs { release, signed, wait } = args;
    let client = client_by(common, &signed)?;
    let view = client.say(&release, verb, &VerbRequest { reason: signed.reason }).await?;
    if wait.wait {
        return wait::until_it_ends(common, &client, &release, wait.timeout).await;
    }
    output::data(common.output, &view, text::headline)?;
    Ok(Exit::Done)
}
