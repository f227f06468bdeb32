//! `promote`, `pause`, `resume`, `abort`, `retry`: a word to a release.

use anyhow::Result;
use segue_api::{Verb, VerbRequest};

use super::{client, wait};
use crate::args::{Common, VerbArgs};
use crate::exit::Exit;
use crate::{output, text};

pub(super) async fn say(common: &Common, verb: Verb, args: VerbArgs) -> Result<Exit> {
    let client = client(common)?;
    let VerbArgs { release, reason, wait } = args;
    let view = client.say(&release, verb, &VerbRequest { reason }).await?;
    if wait.wait {
        return wait::until_it_ends(common, &client, &release, wait.timeout).await;
    }
    output::data(common.output, &view, text::headline)?;
    Ok(Exit::Done)
}
