//! What an operator attached to a release: a command for each new instance, and warm-up requests.

mod command;
mod warm;

use std::time::Duration;

use async_trait::async_trait;
use segue_domain::service::WarmSpec;
use segue_engine::ports::{CallError, Hooks, Target};

/// The port on which instances take traffic.
pub const TRAFFIC_PORT: u16 = 8080;

/// Runs commands on the daemon's machine and sends requests to instances.
#[derive(Debug, Clone)]
pub struct SystemHooks {
    http: reqwest::Client,
    port: u16,
    limits: HookLimits,
    hidden: Vec<String>,
}

/// How long hooks may take. All of them end before the engine gives them up and their reasons are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookLimits {
    /// One run of a command.
    pub command: Duration,
    /// All warm-up requests of one instance: none is begun later.
    pub warm: Duration,
    /// One warm-up request.
    pub request: Duration,
    /// The pause after a warm-up request that failed.
    pub pause: Duration,
}

impl Default for HookLimits {
    fn default() -> Self {
        Self {
            command: Duration::from_mins(9),
            warm: Duration::from_mins(9),
            request: Duration::from_secs(5),
            pause: Duration::from_millis(200),
        }
    }
}

impl SystemHooks {
    /// Instances are warmed up on [`TRAFFIC_PORT`].
    pub fn new(http: reqwest::Client) -> Self {
        Self { http, port: TRAFFIC_PORT, limits: HookLimits::default(), hidden: Vec::new() }
    }

    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Variables that no command is given: they hold secrets of the daemon's own, and what a command says when
    /// it fails is kept for ever.
    #[must_use]
    pub fn without_variables(self, hidden: Vec<String>) -> Self {
        Self { hidden, ..self }
    }

    #[must_use]
    pub fn with_limits(self, limits: HookLimits) -> Self {
        Self { limits, ..self }
    }
}

#[async_trait]
impl Hooks for SystemHooks {
    async fn configure(&self, at: &Target, command: &[String]) -> Result<(), CallError> {
        command::run(at, command, &self.hidden, self.limits.command).await
    }

    async fn warm_up(&self, at: &Target, spec: &WarmSpec) -> Result<(), CallError> {
        self.warm(at, spec).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_ends_by_itself_before_the_engine_gives_it_up() {
        let engine = segue_engine::Limits::default();
        let HookLimits { command, warm, request, pause } = HookLimits::default();
        assert!(command < engine.hook_timeout);
        assert!(warm + request + pause < engine.hook_timeout);
    }
}
