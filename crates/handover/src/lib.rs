//! The handover contract, version 1, in Rust: how a live board goes from one server to another while
//! people work on it.
//!
//! An application embeds the server library and keeps its own data behind a trait; a daemon speaks to it
//! through the control client; the Rust client is for tools, load and tests. Nothing in here knows about
//! clouds, load balancers or releases.

pub mod auth;
mod board;
pub mod client;
pub mod clock;
pub mod control;
pub mod document;
pub mod server;
pub mod store;
pub mod wire;
