//! Whoever decides wrongly: it sees what is not there, remembers what is not so any more, or asks for something else
//! than the domain would.

mod deeds;
mod sights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use segue_domain::decision::Decision;
use segue_domain::effect::Effect;
use segue_domain::event::Event;
use segue_domain::ids::InstanceId;
use segue_domain::laws::Broken;
use segue_domain::service::Routing;
use segue_domain::state::ReleaseState;
use segue_domain::world::World;
use segue_engine::{ByTheDomain, Decider, Ports};

use super::{Bug, Bugs};

/// The domain, with a mistake.
pub(crate) struct Misguided {
    bugs: Bugs,
    /// It heeds the product's laws all the same.
    asserts: bool,
    ports: Ports,
    /// What was seen once, for who remembers it: of each release and step the first sight of a healthy server.
    remembered: Mutex<BTreeMap<String, World>>,
}

impl std::fmt::Debug for Misguided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Misguided").field("bugs", &self.bugs).finish_non_exhaustive()
    }
}

impl Misguided {
    pub(crate) fn new(bugs: &Bugs, asserts: bool, ports: Ports) -> Self {
        Self { bugs: bugs.clone(), asserts, ports, remembered: Mutex::default() }
    }

    fn remember(&self, state: &ReleaseState, world: &mut World) {
        if !self.bugs.has(Bug::HealthRemembered) {
            return;
        }
        let key = state.plan.release.to_string();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        sights::remember(state, world, &mut remembered, key);
    }

    /// What is begun before it is written down.
    fn begin_early(&self, decision: &Decision) {
        let Decision::Do(intents) = decision else { return };
        for intent in intents {
            let Effect::Launch(batch) = &intent.effect else { continue };
            let (cloud, id, batch) = (self.ports.cloud.clone(), intent.id.clone(), batch.clone());
            tokio::spawn(async move { drop(cloud.launch(&id, &batch).await) });
        }
    }
}

impl Decider for Misguided {
    fn decide(&self, state: &ReleaseState, world: &World) -> Decision {
        let (mut seen, mut known) = (world.clone(), state.clone());
        self.remember(state, &mut seen);
        sights::mistake(&self.bugs, &mut known, &mut seen);
        let decision = deeds::mistake(&self.bugs, state, world, ByTheDomain.decide(&known, &seen));
        if self.bugs.has(Bug::LostIntent) {
            self.begin_early(&decision);
        }
        decision
    }

    fn decide_after(
        &self,
        state: &ReleaseState,
        world: &World,
        claimed: &BTreeSet<InstanceId>,
        configured: &Routing,
    ) -> Decision {
        if self.bugs.has(Bug::KeptForEver) {
            return Decision::Over;
        }
        let mut known = state.clone();
        if self.bugs.has(Bug::KeptForNothing) {
            known.plan.service.full.keep_old = Duration::ZERO;
        }
        ByTheDomain.decide_after(&known, world, claimed, configured)
    }

    fn breaks(&self, before: &ReleaseState, event: &Event) -> Option<Broken> {
        ByTheDomain.breaks(before, event).filter(|_| self.asserts)
    }
}
