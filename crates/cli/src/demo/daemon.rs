//! The daemon as a process of its own, as an init system would keep it: started again when it dies.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use segue_sandbox::Ready;
use tokio::process::Child;
use tokio::time::Instant;
use url::Url;

use super::DemoArgs;
use crate::children::{Serve, settled_address, terminate};
use crate::daemon_config::DaemonConfig;
use crate::output::say;
use crate::place::Place;

const END: Duration = Duration::from_secs(10);
/// How often its memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOG: &str = "daemon.log";
const SIGKILL: i32 = 9;
/// One that dies this often will not live.
const RESTARTS_MAX: u32 = 100;

/// A daemon that is kept alive.
#[derive(Debug)]
pub(super) struct Daemon {
    url: Url,
    seen: Arc<Seen>,
    stop: tokio::sync::watch::Sender<Stop>,
    keeper: tokio::task::JoinHandle<()>,
}

/// What was seen of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pid: AtomicU32,
    restarts: AtomicU32,
    /// When it ended by SIGKILL, in milliseconds since the Unix epoch, each time.
    killed_at_ms: Mutex<Vec<u64>>,
    rss_kib_max: AtomicU64,
    /// When the process that runs was started.
    started: Mutex<Option<Instant>>,
}

impl Seen {
    pub(super) fn started(&self) -> Option<Instant> {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starts(&self) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Of the one that runs, or ran last.
    pub(super) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    pub(super) fn killed_at_ms(&self) -> Vec<u64> {
        self.killed_at_ms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ended(&self, ended: &std::io::Result<std::process::ExitStatus>) {
        if ended.as_ref().is_ok_and(|status| status.signal() == Some(SIGKILL)) {
            let at_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
            self.killed_at_ms.lock().unwrap_or_else(PoisonError::into_inner).push(at_ms);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Now,
}

impl Daemon {
    pub(super) async fn start(place: &Place, ready: &Ready, args: &DemoArgs) -> Result<Self> {
        let config = DaemonConfig {
            ready,
            listen: settled_address(args.listen).await?,
            journal: &place.path("journal.db"),
            key_file: &place.write("handover.key", &ready.handover_key)?,
            canary_bake: args.bake,
            canary_min_boards: super::canary_min_boards(args.boards, args.servers.into()),
            patience: args.patience(),
        };
        let config = place.write("segue.toml", &config.text())?;
        let start = Serve { config, log: place.path(LOG), credentials: ready.credentials.clone() };
        let (child, url) = match start.once().await {
            Ok(started) => started,
            Err(error) => bail!("{error:#}:\n{}", place.tail(LOG)),
        };
        let seen = Arc::new(Seen::default());
        seen.pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        let (stop, stopped) = tokio::sync::watch::channel(Stop::No);
        let keeper = tokio::spawn(keep(child, start, Arc::clone(&seen), stopped));
        Ok(Self { url, seen, stop, keeper })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn pid(&self) -> u32 {
        self.seen.pid()
    }

    pub(super) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen)
    }

    /// When it was ended by SIGKILL, as its keeper saw it.
    pub(super) fn killed_at_ms(&self) -> Vec<u64> {
        self.seen.killed_at_ms()
    }

    pub(super) fn restarts(&self) -> u32 {
        self.seen.restarts.load(Ordering::Relaxed)
    }

    /// The most memory that it held at one time.
    pub(super) fn rss_mb_max(&self) -> f64 {
        let kib = u32::try_from(self.seen.rss_kib_max.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        f64::from(kib) / 1024.0
    }

    pub(super) async fn end(self) {
        self.stop.send_replace(Stop::Now);
        if self.keeper.await.is_err() {
            say("demo: the daemon's keeper failed");
        }
    }
}

/// Watches it, and starts it again when it dies.
async fn keep(mut child: Child, start: Serve, seen: Arc<Seen>, mut stop: tokio::sync::watch::Receiver<Stop>) {
    loop {
        seen.pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        let ended = tokio::select! {
            ended = child.wait() => ended,
            () = asked_to_stop(&mut stop) => {
                terminate(&mut child, END).await;
                return;
            }
            () = weigh(&seen) => continue,
        };
        seen.ended(&ended);
        say(&format!("demo: the daemon ended ({}); it is started again", how(&ended)));
        if seen.restarts.fetch_add(1, Ordering::Relaxed) >= RESTARTS_MAX {
            say("demo: the daemon does not stay alive; giving up on it");
            return;
        }
        seen.starts();
        match start.once().await {
            Ok((next, _)) => {
                child = next;
                say(&format!("demo: the daemon is process {}", child.id().unwrap_or(0)));
            }
            Err(error) => {
                say(&format!("demo: the daemon could not be started again: {error:#}"));
                return;
            }
        }
    }
}

async fn asked_to_stop(stop: &mut tokio::sync::watch::Receiver<Stop>) {
    // A sender that is gone wants it to end as well.
    drop(stop.wait_for(|stop| *stop == Stop::Now).await);
}

fn how(ended: &std::io::Result<std::process::ExitStatus>) -> String {
    match ended {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Looks at the daemon's memory now and then.
async fn weigh(seen: &Seen) {
    tokio::time::sleep(LOOK_EVERY).await;
    let pid = seen.pid.load(Ordering::Relaxed);
    let Ok(status) = tokio::fs::read_to_string(format!("/proc/{pid}/status")).await else { return };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok());
    if let Some(kib) = kib {
        seen.rss_kib_max.fetch_max(kib, Ordering::Relaxed);
    }
}
