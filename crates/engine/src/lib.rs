//! The shell around [`segue_domain`]: observe, decide, append, act.

pub mod ports;
