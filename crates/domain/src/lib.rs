//! What Segue knows and how it decides; nothing else.
//!
//! Everything here is a value or a function from values to values: ids and units, what was planned
//! ([`plan`]), what has happened ([`event`], [`mod@fold`]), what the world looks like now ([`world`]) and
//! what to do next ([`mod@decide`]).
//!
//! Architecture invariant: this crate has no I/O, async, clock, randomness, logging or serialization.
//! It cannot fail except by returning a value.

pub mod adoption;
pub mod app;
pub mod basis;
pub mod board_list;
pub mod caution;
pub mod decide;
pub mod decision;
pub mod effect;
pub mod event;
mod fingerprint;
pub mod fold;
pub mod ids;
pub mod instance;
pub mod judge;
pub mod laws;
pub mod moves;
pub mod outline;
pub mod pace;
pub mod plan;
pub mod planner;
pub mod reading;
pub mod refusal;
pub mod request;
pub mod service;
pub mod service_state;
pub mod state;
pub mod step;
pub mod stranger;
pub mod target;
pub mod time;
pub mod world;

pub use decide::{decide, decide_after, needs, needs_after, needs_no_look, preflight};
pub use fold::fold;
