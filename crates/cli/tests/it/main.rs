//! The command line, as a person and a script use it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod command;
mod help;
mod journal;
