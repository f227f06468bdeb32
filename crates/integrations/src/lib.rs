//! One module for each outside system but AWS, behind the engine's ports.
//!
//! A method is one try with a limit of time and of size; what a failure means is told in the engine's terms.
//! Nothing here retries, decides or remembers anything about a release.

pub mod boards;
#[cfg(test)]
mod contracts;
pub mod hooks;
pub mod http;
pub mod log;
pub mod prometheus;
#[cfg(test)]
mod stub;
pub mod system;
