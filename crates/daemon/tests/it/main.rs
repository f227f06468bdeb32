//! The daemon from outside: its configuration, its routes and its start.

mod config;
