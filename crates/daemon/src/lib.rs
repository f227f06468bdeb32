//! The daemon: the HTTP API, `check`, and the wiring of engine, journal and adapters.
//!
//! [`serve`] is the whole of it. Nothing here decides anything about a release: requests become calls of the
//! engine, and what the engine and the journal know becomes views.

mod check;
mod front;
mod logging;
mod metrics;
mod problem;
mod routes;
mod running;
mod serve;
mod server;
mod start;
mod views;
mod words;

pub use check::{Check, CheckState, check};
pub use routes::openapi;
pub use serve::serve;
pub use server::{Parts, Server};
pub use start::StartError;
