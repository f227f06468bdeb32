//! How an instance's program is run: the seam between the sandbox and the machine.
//!
//! The sandbox runs real processes (`process`); its tests run servers in their own process instead.

use std::fmt;

use async_trait::async_trait;

use crate::world::Launch;

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the program {program} could not be started")]
pub struct StartFailed {
    /// What was to be run.
    pub program: String,
    /// What the operating system said.
    #[source]
    pub source: std::io::Error,
}

/// Starts programs.
#[async_trait]
pub trait Runner: fmt::Debug + Send + Sync {
    /// Starts an instance's program. It has its address's ports ([`crate::ports`]) to itself.
    async fn start(&self, launch: Launch) -> Result<Box<dyn Running>, StartFailed>;
}

/// A program that was started.
#[async_trait]
pub trait Running: Send {
    /// Its process, when it is one.
    fn pid(&self) -> Option<u32>;

    /// Waits until it has ended and says how, in a few words. May be dropped and called again.
    async fn ended(&mut self) -> String;

    /// Asks it to end.
    fn ask_to_end(&mut self);

    /// Ends it.
    fn kill(&mut self);

    /// Stops it where it is, until it is thawed. What is no process of its own cannot be stopped.
    fn freeze(&mut self) {}

    /// Lets it go on.
    fn thaw(&mut self) {}
}
