//! The client against a server that says what it is told to: nothing of the daemon is used here.

mod client;
mod events;
mod follow;
mod server;
