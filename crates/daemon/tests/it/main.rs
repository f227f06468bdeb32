//! The daemon from outside: its configuration, its routes and its start.

mod adopting;
mod answer;
mod asking;
mod config;
mod following;
mod operating;
mod refusals;
mod rig;
mod starting;
