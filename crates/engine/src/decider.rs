//! Who decides. In the product that is the domain and nobody else ([`ByTheDomain`]); a simulation puts somebody in
//! its place who makes a known mistake, to see whether it is found.

use std::collections::BTreeSet;
use std::fmt;

use segue_domain::decide::{decide, decide_after};
use segue_domain::decision::Decision;
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::laws::{Broken, broken};
use segue_domain::service::Routing;
use segue_domain::state::ReleaseState;
use segue_domain::world::World;

/// Decides what a release does next.
pub trait Decider: fmt::Debug + Send + Sync {
    /// For one that is on.
    fn decide(&self, state: &ReleaseState, world: &World) -> Decision;

    /// For one that is over; `claimed` are instances that a later release has plans for, `configured` is how clients
    /// reach the service today.
    fn decide_after(
        &self,
        state: &ReleaseState,
        world: &World,
        claimed: &BTreeSet<InstanceId>,
        configured: &Routing,
    ) -> Decision;

    /// Whether an event that was decided on would break a law: then it is not written, and the release holds.
    fn breaks(&self, before: &ReleaseState, event: &Event) -> Option<Broken> {
        broken(before, event).next()
    }
}

/// The domain's own decisions.
#[derive(Debug, Clone, Copy)]
pub struct ByTheDomain;

impl Decider for ByTheDomain {
    fn decide(&self, state: &ReleaseState, world: &World) -> Decision {
        decide(state, world)
    }

    fn decide_after(
        &self,
        state: &ReleaseState,
        world: &World,
        claimed: &BTreeSet<InstanceId>,
        configured: &Routing,
    ) -> Decision {
        decide_after(state, world, claimed, configured)
    }
}
