//! Starting a simulated instance: a row in a table, not a process.

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use segue_handover::wire::{Route, ServerId};
use tokio_util::sync::CancellationToken;

use super::Simulated;
use super::fleet::ServerNo;
use crate::runner::{Runner, Running, StartFailed};
use crate::world::Launch;

/// Runs instances by simulating them.
#[derive(Debug)]
pub(crate) struct Simulation(pub(crate) Arc<Simulated>);

struct Simulating {
    simulated: Arc<Simulated>,
    server: ServerNo,
    ended: CancellationToken,
}

#[async_trait]
impl Runner for Simulation {
    async fn start(&self, launch: Launch) -> Result<Box<dyn Running>, StartFailed> {
        let (server, version, route) = who(&launch).map_err(|error| StartFailed {
            program: "a simulated server".to_owned(),
            source: std::io::Error::other(format!("{error:#}")),
        })?;
        let server = self.0.begin(server, version, route, launch.address);
        let simulated = Arc::clone(&self.0);
        Ok(Box::new(Simulating { simulated, server, ended: CancellationToken::new() }))
    }
}

/// Id, version and route, as a process would be told them.
fn who(launch: &Launch) -> anyhow::Result<(ServerId, String, Option<Route>)> {
    let version = launch.env.get("VERSION").context("the image's env does not say VERSION")?;
    let route = launch.env.get("ROUTE").map(|route| Route::parse(route)).transpose()?;
    Ok((ServerId::parse(launch.instance.as_str())?, version.clone(), route))
}

#[async_trait]
impl Running for Simulating {
    fn pid(&self) -> Option<u32> {
        None
    }

    async fn ended(&mut self) -> String {
        self.ended.cancelled().await;
        "ended".to_owned()
    }

    fn ask_to_end(&mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        if !self.ended.is_cancelled() {
            self.simulated.end(self.server);
            self.ended.cancel();
        }
    }
}

impl Drop for Simulating {
    fn drop(&mut self) {
        self.kill();
    }
}
