//! The shell around [`segue_domain`]: it observes, lets the domain decide, appends, and acts.
//!
//! [`Engine`] is the way in. Below it: the lease's keeper, a desk for each service, a loop for each active
//! release, and the way out to the world, through [`ports`].
//!
//! Architecture invariants: only this crate appends to the journal, and only while it holds the lease; nothing
//! is done to the outside world before its intent is in the journal; retries are made in one place.

mod act;
mod ask;
mod book;
mod decider;
mod engine;
mod herald;
mod ledger;
mod observe;
pub mod outside;
mod pen;
pub mod ports;
mod retry;
mod run;
mod service;
mod wave;

#[cfg(any(test, feature = "fakes"))]
pub mod fakes;

pub use ask::AskError;
pub use decider::{ByTheDomain, Decider};
pub use engine::{Engine, Means, ServiceView, Settings};
pub use ledger::{OpenError, Watch};
pub use outside::{BALANCER_CALLS_PER_S, Call, CallStat, Limits, Pacing, Ports};
pub use pen::By;
pub use run::Rhythm;
pub use service::{Adopted, AdoptionEnd, BookError, ServiceSetup, Shown};
