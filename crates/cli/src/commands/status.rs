//! `status`: what runs, and what a release waits for.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, bail};
use console::Term;
use segue_api::{Client, HistoryQuery, Patience, ReleaseId, ReleaseView, ServiceView};

use super::client;
use crate::args::{Common, Output};
use crate::exit::Exit;
use crate::{output, text};

/// A daemon may be restarted while somebody watches.
const AWAY: Duration = Duration::from_mins(10);

pub(super) async fn run(common: &Common, what: Option<&str>, watch: bool) -> Result<Exit> {
    let client = client(common)?;
    if watch {
        let id = to_watch(&client, what).await?;
        return self::watch(common, &client, &id).await;
    }
    match what {
        None => {
            let list = client.services().await?;
            let active = active(&client, &list.services).await?;
            output::data(common.output, &list, |list| text::services(list, &active))?;
        }
        Some(what) => {
            if let Ok(id) = what.parse::<ReleaseId>() {
                output::data(common.output, &client.release(&id).await?.value, text::release)?;
            } else {
                let service = client.service(what).await?;
                let active = active(&client, std::slice::from_ref(&service)).await?;
                output::data(common.output, &service, |service| text::service(service, &active))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// What is under way there: whether it waits for a person is what one wants to see first.
async fn active(client: &Client, services: &[ServiceView]) -> Result<Vec<ReleaseView>> {
    let mut active = Vec::new();
    for id in services.iter().flat_map(|service| &service.active) {
        active.push(client.release(id).await?.value);
    }
    Ok(active)
}

/// The release that was named, or the newest of the service, or of all.
async fn to_watch(client: &Client, what: Option<&str>) -> Result<ReleaseId> {
    if let Some(Ok(id)) = what.map(str::parse) {
        return Ok(id);
    }
    let query = HistoryQuery { service: what.map(str::to_owned), limit: Some(1) };
    match client.history(&query).await?.releases.into_iter().next() {
        Some(release) => Ok(release.id),
        None => bail!(
            "there is no release to watch yet; `segue canary SERVICE` or `segue release SERVICE` begins one"
        ),
    }
}

async fn watch(common: &Common, client: &Client, id: &ReleaseId) -> Result<Exit> {
    let screen = Term::stdout();
    let mut lines = 0;
    let mut failed = None;
    let show = |release: &ReleaseView| {
        if let Err(error) = draw(common.output, &screen, &mut lines, release) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        if Exit::of(release).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let patience = Patience { total: None, away: AWAY };
    let ended = tokio::select! {
        ended = client.follow(id, patience, show) => ended?,
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
    };
    match failed {
        Some(error) => Err(error),
        None => Ok(ended.as_ref().and_then(Exit::of).unwrap_or(Exit::Error)),
    }
}

/// A terminal sees one picture that changes; a pipe gets each state after the other.
fn draw(form: Output, screen: &Term, lines: &mut usize, release: &ReleaseView) -> Result<()> {
    if form == Output::Json || !screen.is_term() {
        return output::data(form, release, text::release);
    }
    let picture = text::release(release);
    screen.clear_last_lines(*lines)?;
    screen.write_str(&picture)?;
    *lines = picture.lines().count();
    Ok(())
}
