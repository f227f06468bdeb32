//! The daemon from outside: its routes and its start.

mod adopting;
mod answer;
mod asking;
mod following;
mod operating;
mod refusals;
mod rig;
mod starting;
mod stopping;
