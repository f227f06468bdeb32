//! What the laws of the journal must see of the world, whichever world it is.

use std::collections::BTreeSet;

use segue_domain::ids::{GroupArn, InstanceId, Version};
use segue_engine::fakes::FakeWorld;

/// A world as the court sees it.
pub(crate) trait Eyes: Send + Sync {
    /// Milliseconds since it began.
    fn elapsed_ms(&self) -> u64;

    /// Servers that died.
    fn deaths(&self) -> u64;

    /// A moment ago somebody died: whoever looked before may not know it.
    fn died_lately(&self) -> bool;

    /// A process answers there, and had a board once.
    fn has_served(&self, id: &InstanceId) -> bool;

    /// It takes new clients.
    fn serves(&self, id: &InstanceId) -> bool;

    /// Somebody who serves what these serve, could be found for long enough in another group than these, and is none
    /// of them.
    fn stays_behind(
        &self,
        leaving: &BTreeSet<InstanceId>,
        to: &Version,
        others: &BTreeSet<GroupArn>,
    ) -> Option<InstanceId>;
}

impl Eyes for FakeWorld {
    fn elapsed_ms(&self) -> u64 {
        Self::elapsed_ms(self)
    }

    fn deaths(&self) -> u64 {
        Self::deaths(self)
    }

    fn died_lately(&self) -> bool {
        Self::died_lately(self)
    }

    fn has_served(&self, id: &InstanceId) -> bool {
        Self::has_served(self, id)
    }

    fn serves(&self, id: &InstanceId) -> bool {
        Self::serves(self, id)
    }

    fn stays_behind(
        &self,
        leaving: &BTreeSet<InstanceId>,
        to: &Version,
        others: &BTreeSet<GroupArn>,
    ) -> Option<InstanceId> {
        Self::stays_behind(self, leaving, to, others)
    }
}
