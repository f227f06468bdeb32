//! One release, asked for as anybody would, and followed to its end.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use segue_api::{Client, Patience, ReleaseId, ReleaseKind, ReleaseRequest, ReleaseView};
use segue_sandbox::users::{Crowd, Phase};
use tokio::sync::watch;
use tokio::time::Instant;

use super::screen::Screen;
use crate::exit::Exit;
use crate::output::say;

/// A daemon that was killed comes back within this.
const AWAY: Duration = Duration::from_secs(30);
/// A release of a demo that takes longer will not end.
const LONGEST: Duration = Duration::from_mins(15);
/// Between two looks at the users while nothing changes at the daemon.
const PICTURE_EVERY: Duration = Duration::from_millis(500);

/// A release that ended, or needs a person.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) release: ReleaseView,
    pub(super) exit: Exit,
    /// From the request to the verdict.
    pub(super) seconds: f64,
}

/// Asks for one release after the other.
#[derive(Debug)]
pub(super) struct Journey {
    client: Client,
    screen: Screen,
    asked: watch::Sender<Option<(ReleaseKind, ReleaseId)>>,
}

impl Journey {
    pub(super) fn new(client: Client) -> Self {
        Self { client, screen: Screen::new(), asked: watch::Sender::new(None) }
    }

    /// Tells which release is on.
    pub(super) fn asked(&self) -> watch::Receiver<Option<(ReleaseKind, ReleaseId)>> {
        self.asked.subscribe()
    }

    pub(super) async fn go(
        &mut self,
        crowd: &mut Crowd,
        kind: ReleaseKind,
        version: Option<&str>,
    ) -> Result<Outcome> {
        crowd.mark(match kind {
            ReleaseKind::Canary => Phase::Canary,
            ReleaseKind::Full => Phase::Release,
            ReleaseKind::Rollback => Phase::Rollback,
        });
        let began = Instant::now();
        let asked = self.ask(kind, version).await?;
        self.asked.send_replace(Some((kind, asked.id.clone())));
        let release = self.follow(crowd, &asked).await?;
        self.screen.leave();
        let Some(exit) = Exit::of(&release) else { bail!("{} did not end within {LONGEST:?}", release.id) };
        Ok(Outcome { release, exit, seconds: began.elapsed().as_secs_f64() })
    }

    /// The same key again and again: a daemon that dies before it answers makes no second release.
    async fn ask(&self, kind: ReleaseKind, version: Option<&str>) -> Result<ReleaseView> {
        let request = ReleaseRequest {
            service: super::SERVICE.to_owned(),
            kind,
            version: version.map(str::to_owned),
            to: None,
            overrides: Vec::new(),
            reason: Some("segue demo".to_owned()),
            plan: None,
        };
        let key = format!("demo-{kind}").parse()?;
        let by = Instant::now() + AWAY;
        loop {
            match self.client.create(&request, &key).await {
                Ok(release) => return Ok(release),
                Err(error) if error.may_pass() && Instant::now() < by => {
                    tokio::time::sleep(PICTURE_EVERY).await;
                }
                Err(error) => return Err(error).context(format!("the {kind} release was not accepted")),
            }
        }
    }

    async fn follow(&mut self, crowd: &Crowd, asked: &ReleaseView) -> Result<ReleaseView> {
        say(&format!("demo: {} {} {} was accepted", asked.id, asked.kind, asked.version));
        let mut seen = asked.clone();
        let deadline = Instant::now() + LONGEST;
        // The long poll tells changes; between them the users' figures go on.
        while Exit::of(&seen).is_none() && Instant::now() < deadline {
            self.screen.draw(&seen, &crowd.live());
            let patience = Patience { total: Some(PICTURE_EVERY), away: AWAY };
            let known = seen.clone();
            let changed = |view: &ReleaseView| match *view == known {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            };
            if let Some(next) = self.client.follow(&asked.id, patience, changed).await? {
                seen = next;
            }
        }
        self.screen.draw(&seen, &crowd.live());
        Ok(seen)
    }
}
