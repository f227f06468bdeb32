//! The simulation: the real engine, journal and decisions in a world of hours that is over in milliseconds, in
//! which everything goes wrong that can.
//!
//! One run is a [`plan::Plan`]: a seed, which releases are wanted, how often each kind of fault strikes a call, and
//! what happens to the world besides. It is played under a paused clock on one thread, so it goes the same way
//! each time; then the world heals, and everything must end well.
//!
//! It deliberately proves nothing about adapters: those have contract suites, and the real program is killed in
//! `tests/it`. It is never shipped.

mod budget;
pub mod bug;
pub mod chance;
pub mod commands;
mod end;
mod ground;
pub mod happening;
mod journal;
mod laws;
mod nature;
mod people;
pub mod plan;
mod pool;
pub mod run;
pub mod scale;
pub mod script;
pub mod strike;
