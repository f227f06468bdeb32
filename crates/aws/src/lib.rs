//! EC2 and ELBv2 behind the engine's ports: the only crate that names the AWS SDK.
//!
//! A method here is one try. The SDK's own retries are off, because they would hide throttling from the
//! engine, repeat capacity errors blindly and answer late; its timeouts are set, because it has none by
//! default. What a failure means is decided in one pure function ([`Class`](segue_engine::ports::Class) of an
//! error code) with a table of tests.
//!
//! Nothing here decides anything about a release, and nothing creates load balancers, groups or rules.

mod balancer;
mod calls;
mod client;
#[cfg(test)]
mod contracts;
mod credentials;
mod ec2;
mod errors;
mod images;
mod instances;
mod launch;
mod lifecycle;
mod permissions;
mod places;
mod strangers;
#[cfg(test)]
mod stub;
mod tags;
mod targets;
mod weights;

pub use calls::{CallCounts, Tally};
pub use client::{connect, permissions};
