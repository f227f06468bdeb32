//! `--wait`: stays with a release, tells each change on stderr, and turns its end into an exit code.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use segue_api::{Client, Patience, ReleaseId, ReleaseView};

use crate::args::Common;
use crate::exit::Exit;
use crate::{output, text};

/// A daemon may be restarted in the middle of a release.
const AWAY: Duration = Duration::from_mins(2);

pub(super) async fn until_it_ends(
    common: &Common,
    client: &Client,
    id: &ReleaseId,
    timeout: Option<Duration>,
) -> Result<Exit> {
    let mut told = String::new();
    let tell = |release: &ReleaseView| {
        let line = text::now(release);
        if line != told {
            output::say(&line);
            told = line;
        }
        if Exit::of(release).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let patience = Patience { total: timeout, away: AWAY };
    let ended = tokio::select! {
        ended = client.follow(id, patience, tell) => ended?,
        _ = tokio::signal::ctrl_c() => {
            output::say(&format!("{id} goes on; `segue status {id} --watch` shows it, `segue abort {id}` ends it"));
            return Ok(Exit::Interrupted);
        }
    };
    let Some(release) = ended else {
        output::say(&format!("{id} goes on; `segue status {id} --watch` shows it"));
        return Ok(Exit::TimedOut);
    };
    output::data(common.output, &release, text::release)?;
    Ok(Exit::of(&release).unwrap_or(Exit::Error))
}
