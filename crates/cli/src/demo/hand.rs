//! What is done to the daemon on purpose needs: which release is on, what the daemon tells of it, and a way to kill
//! the daemon and to see it back.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use segue_api::{Client, Fresh, ReleaseId, ReleaseKind, ReleaseState, ReleaseView};
use tokio::sync::watch;
use tokio::time::Instant;

use super::daemon::Seen;
use crate::children::signal;
use crate::output::say;

/// Between two looks at the daemon's API.
pub(super) const LOOK: Duration = Duration::from_millis(25);
/// Between two looks where the time itself is the figure.
const CLOSE_LOOK: Duration = Duration::from_millis(5);
/// A daemon that was killed is back within this.
const BACK: Duration = Duration::from_secs(30);

/// The release that is on: the journey tells it when it was accepted.
pub(super) type Asked = watch::Receiver<Option<(ReleaseKind, ReleaseId)>>;

pub(super) struct Hand {
    pub(super) client: Client,
    pub(super) daemon: Arc<Seen>,
    pub(super) asked: Asked,
}

impl Hand {
    /// Waits until this kind of release was accepted.
    pub(super) async fn accepted(&mut self, kind: ReleaseKind) -> Result<ReleaseId> {
        let is_it = |asked: &Option<(ReleaseKind, ReleaseId)>| matches!(asked, Some((of, _)) if *of == kind);
        let asked = self.asked.wait_for(is_it).await.context("the demo has ended")?.clone();
        asked.map(|(_, id)| id).context("nothing was asked for")
    }

    /// As the daemon tells it, as soon as there is one that does.
    pub(super) async fn view(&self, id: &ReleaseId) -> Result<ReleaseView> {
        Ok(self.fresh(id, LOOK).await?.value)
    }

    /// Sends SIGKILL, and waits until another process has taken its place. Tells when that was started.
    pub(super) async fn kill_daemon(&self, told: &str) -> Result<Instant> {
        let (pid, killed) = (self.daemon.pid(), self.daemon.killed_at_ms().len());
        signal(pid, Signal::KILL).context("the daemon could not be killed")?;
        say(told);
        let by = Instant::now() + BACK;
        while self.daemon.killed_at_ms().len() == killed || self.daemon.pid() == pid {
            if Instant::now() > by {
                bail!("the daemon is not started again");
            }
            tokio::time::sleep(CLOSE_LOOK).await;
        }
        self.daemon.started().context("the daemon was never started")
    }

    /// How long after its start the daemon had decided something of this release: it waits for something, or the
    /// release has gone on. Only a process that has looked at the world can tell either.
    pub(super) async fn first_decision(&self, id: &ReleaseId, started: Instant) -> Result<Duration> {
        let first = self.fresh(id, CLOSE_LOOK).await?;
        let mut now = first.clone();
        while !has_decided(&now.value) && now.etag == first.etag {
            if started.elapsed() > BACK {
                bail!("the daemon is back and decides nothing");
            }
            tokio::time::sleep(CLOSE_LOOK).await;
            now = self.fresh(id, CLOSE_LOOK).await?;
        }
        Ok(started.elapsed())
    }

    async fn fresh(&self, id: &ReleaseId, look: Duration) -> Result<Fresh<ReleaseView>> {
        let by = Instant::now() + BACK;
        loop {
            match self.client.release(id).await {
                Ok(fresh) => return Ok(fresh),
                Err(_) if Instant::now() < by => tokio::time::sleep(look).await,
                Err(error) => return Err(error).context("the daemon stays away"),
            }
        }
    }
}

/// What a release waits for is kept in memory only.
fn has_decided(view: &ReleaseView) -> bool {
    let mut steps = view.steps.iter().chain(&view.way_back);
    is_over(view) || view.waiting.is_some() || steps.any(|step| step.waiting.is_some())
}

pub(super) fn is_over(view: &ReleaseView) -> bool {
    match view.state {
        ReleaseState::Closed | ReleaseState::Held | ReleaseState::Asking => true,
        ReleaseState::Running | ReleaseState::Paused => false,
    }
}
