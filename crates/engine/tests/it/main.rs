//! Whole releases in a small world: engine, journal and ports under a paused clock.

mod adopting;
mod answers;
mod coverage;
mod daemons;
mod endings;
mod fullness;
mod large;
mod play;
mod pool;
mod repertoire;
mod stopping;
mod stories;
mod sweep;
mod unknown;
mod yielding;
