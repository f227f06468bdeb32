//! The command line, as a person and a script use it.

mod command;
mod help;
