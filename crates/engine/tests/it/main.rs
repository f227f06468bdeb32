//! Whole releases in a small world: engine, journal and ports under a paused clock.

mod daemons;
mod endings;
mod play;
mod stories;
mod sweep;
