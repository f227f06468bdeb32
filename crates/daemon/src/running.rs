//! A daemon from its first line to its last: it announces itself, answers until it is told to stop, and stops
//! within a limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use segue_journal::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::server::Server;
use crate::start::StartError;

/// Answers that are under way when the daemon is told to stop.
const ANSWERS_END_WITHIN: Duration = Duration::from_secs(5);
/// Stopping as a whole, the journal's connections included: an init system that allows 20 s kills nobody.
const STOPS_WITHIN: Duration = Duration::from_secs(18);

/// The signals that stop a daemon.
pub(crate) struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Which one came.
    pub(crate) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A daemon that has begun to work, and a place where it can be asked.
pub(crate) struct Begun {
    pub(crate) server: Server,
    pub(crate) journal: Arc<dyn Store>,
    pub(crate) listener: TcpListener,
    pub(crate) bound: SocketAddr,
}

impl Begun {
    /// Runs until it is told to stop, or breaks down; `beside` is done meanwhile, if there is time for it.
    pub(crate) async fn run(
        self,
        beside: impl Future<Output = ()>,
        mut told: impl AsyncFnMut() -> &'static str,
    ) -> Result<(), StartError> {
        let Self { server, journal, listener, bound } = self;
        let mut answering = tokio::spawn(server.answer(listener));
        let announced = async {
            tokio::join!(announced(&server, bound), beside);
            std::future::pending::<()>().await;
        };
        let signal = tokio::select! {
            signal = told() => signal,
            ended = &mut answering => {
                return ended.map_err(std::io::Error::other).flatten().map_err(StartError::Ended);
            }
            () = server.broken() => return Err(StartError::BrokeDown),
            () = announced => "nothing",
        };
        tracing::info!(signal, "stopping");
        tokio::select! {
            biased;
            () = wind_down(server, answering, journal.as_ref()) => tracing::info!("stopped"),
            signal = told() => tracing::warn!(signal, "told once more: what was under way is cut off"),
        }
        Ok(())
    }
}

/// The engine and the answers are told in the same moment: nothing more is decided while somebody reads slowly.
async fn wind_down(server: Server, mut answering: JoinHandle<std::io::Result<()>>, journal: &dyn Store) {
    let ends_at = Instant::now() + STOPS_WITHIN;
    server.hush();
    let answers = async {
        if timeout(ANSWERS_END_WITHIN, &mut answering).await.is_err() {
            answering.abort();
        }
    };
    tokio::join!(answers, server.stop());
    if timeout_at(ends_at, journal.close()).await.is_err() {
        tracing::warn!("the journal's connections were not closed in time");
    }
}

async fn announced(server: &Server, bound: SocketAddr) {
    tokio::select! {
        biased;
        () = server.ready() => {
            tracing::info!(%bound, "ready");
            announce(&serde_json::json!({ "listening": format!("http://{bound}") }));
        }
        owner = server.waiting() => {
            tracing::info!(%bound, %owner, "ready to take over");
            let line = serde_json::json!({ "listening": format!("http://{bound}"), "waits_for": owner.as_str() });
            announce(&line);
            server.ready().await;
            tracing::info!(%bound, "ready: it has taken over");
        }
    }
}

#[expect(clippy::print_stdout, reason = "the one line that programs wait for")]
fn announce(line: &serde_json::Value) {
    println!("{line}");
}

#[cfg(test)]
mod tests;
