//! The ports of an instance, the same on every address.

use segue_handover::wire::CONTROL_PORT;

/// Users' requests, through the load balancer.
pub(crate) const TRAFFIC: u16 = 8080;
/// Control calls and metrics; the contract names it.
pub(crate) const PRIVATE: u16 = CONTROL_PORT;
