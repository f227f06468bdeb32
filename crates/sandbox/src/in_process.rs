//! A whole sandbox inside of one process, for the tests of those who speak to one: instances and the boards'
//! database are tasks.
//!
//! It deliberately shows less than [`crate::run`]: a task has no memory of its own to measure and cannot be
//! stopped with a signal, and every image runs the demo application, whatever its command says.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use segue_handover::wire::{Level, Route, ServerId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{self, AppArgs};
use crate::config::SandboxConfig;
use crate::ports;
use crate::ready::Ready;
use crate::runner::{Runner, Running, StartFailed};
use crate::sabotage::Sabotage;
use crate::sandbox::{Sandbox, Start};
use crate::store::{Store, StoreArgs, StoreStopped};
use crate::world::Launch;

/// What instances share with whoever controls them, when the configuration names no key.
const HANDOVER_KEY: &str = "a key for a sandbox in one process";

/// A running sandbox and its store. Call [`InProcess::shutdown`] at the end.
#[derive(Debug)]
pub struct InProcess {
    sandbox: Sandbox,
    _store: AbortOnDropHandle<Result<(), StoreStopped>>,
}

impl InProcess {
    /// Starts everything, with the store's file in `folder`, and waits until the seeded fleet is healthy. The
    /// process's TLS provider must have been installed before.
    pub async fn start(config: SandboxConfig, folder: &Path) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let store = Store::open(&StoreArgs {
            listen: any,
            file: folder.join("boards.jsonl"),
            latency_ms: config.store.latency_ms,
            liveness_ms: config.store.liveness_ms,
            abandoned_ms: config.store.abandoned_ms,
            fsync: false,
            sabotage: config.sabotage,
        })
        .await?;
        let start = Start {
            listen: any,
            handover_key: config.handover_key.clone().unwrap_or_else(|| HANDOVER_KEY.to_owned()),
            config,
            data_dir: folder.to_owned(),
            runner: Arc::new(Tasks),
            store: Some(store.address()),
            now: jiff::Timestamp::now(),
        };
        let store = AbortOnDropHandle::new(tokio::spawn(store.serve()));
        Ok(Self { sandbox: Sandbox::start(start).await?, _store: store })
    }

    /// Where everything is.
    pub fn ready(&self) -> &Ready {
        self.sandbox.ready()
    }

    /// Ends the instances, then everything else.
    pub async fn shutdown(self) {
        self.sandbox.shutdown().await;
    }
}

/// Runs the demo application as a task.
#[derive(Debug)]
struct Tasks;

/// One instance's program, with a runtime of its own: whatever it has begun ends with it.
struct Task {
    runtime: Option<Runtime>,
    serving: JoinHandle<anyhow::Result<()>>,
}

#[async_trait]
impl Runner for Tasks {
    async fn start(&self, launch: Launch) -> Result<Box<dyn Running>, StartFailed> {
        let failed = |source| StartFailed { program: "the demo application".to_owned(), source };
        let args = app_args(&launch).map_err(|error| failed(std::io::Error::other(error)))?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
        let serving = runtime.spawn(app::run(args));
        Ok(Box::new(Task { runtime: Some(runtime), serving }))
    }
}

/// What the environment says to a process, as arguments.
fn app_args(launch: &Launch) -> anyhow::Result<AppArgs> {
    let var = |name: &str| launch.env.get(name).with_context(|| format!("the launch does not say {name}"));
    Ok(AppArgs {
        instance_id: ServerId::parse(launch.instance.as_str())?,
        private_ip: launch.address.into(),
        traffic_port: ports::TRAFFIC,
        control_port: ports::PRIVATE,
        route: launch.env.get("ROUTE").map(|route| Route::parse(route)).transpose()?,
        handover_key: var("HANDOVER_KEY")?.clone(),
        store_addr: var("STORE_ADDR")?.parse()?,
        lb_url: var("LB_URL")?.parse()?,
        lb_urls_by_route: lbs_of_routes(launch)?,
        app_version: var("VERSION")?.clone(),
        app_level: Level::Warm,
        attach_rate_per_s: app::ATTACH_RATE_PER_S,
        linger_ms: app::LINGER_MS,
        sabotage: launch.env.get("SABOTAGE").and_then(|name| Sabotage::named(name)),
    })
}

fn lbs_of_routes(launch: &Launch) -> anyhow::Result<Vec<(String, url::Url)>> {
    let said = launch.env.get("LB_URLS_BY_ROUTE").map_or("", String::as_str);
    let each = said.split(',').filter(|it| !it.is_empty()).map(app::parse_lb_of_routes);
    each.collect::<Result<_, _>>().map_err(anyhow::Error::msg)
}

#[async_trait]
impl Running for Task {
    fn pid(&self) -> Option<u32> {
        None
    }

    async fn ended(&mut self) -> String {
        match (&mut self.serving).await {
            Ok(Ok(())) => "ended".to_owned(),
            Ok(Err(error)) => format!("{error:#}"),
            Err(ended) => ended.to_string(),
        }
    }

    fn ask_to_end(&mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        // Without waiting: this may run on a task, which must not block.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.kill();
    }
}
