//! Servers that somebody else brings while a release is on, and the law of them.

use std::collections::BTreeSet;

use segue_domain::ids::{GroupArn, InstanceId, SubnetId, Version};
use segue_domain::instance::{InstanceState, Origin};
use segue_domain::service::Balancer;

use super::FakeWorld;
use super::fixture::{COLOUR, SUBNETS};
use super::machine::{Fate, Machine};
use super::state::{Registration, State};

/// A look that began before it could be found is over by then.
const FOUND_MS: u64 = 30_000;

impl FakeWorld {
    /// An autoscaler of somebody else's brings a server up, tagged and registered like those that run.
    pub fn join(&self, version: &str) {
        let mut state = self.now();
        let image = state.images.iter().find(|image| image.version.as_str() == version).cloned();
        let Some(image) = image else { return };
        let subnet = SubnetId::new(SUBNETS.first().copied().unwrap_or_default());
        let instance = state.instance(&image, subnet, Origin::Adopted);
        let (id, now_ms) = (instance.id.clone(), state.now_ms);
        state.machines.insert(id.clone(), Machine::launched(instance, now_ms, Fate::Well));
        let fresh = Registration { since_ms: now_ms, drained_at_ms: None };
        state.groups.entry(GroupArn::new(COLOUR)).or_default().insert(id, fresh);
    }

    /// Somebody of a version that is left, whom users and daemons could find for long enough, and who is none of these.
    /// Whoever is found by these groups alone, of new ones or of nobody new, is left to the next release.
    pub fn stays_behind(
        &self,
        leaving: &BTreeSet<InstanceId>,
        to: &Version,
        others: &BTreeSet<GroupArn>,
    ) -> Option<InstanceId> {
        let state = self.now();
        let version = |id: &InstanceId| state.machines.get(id).map(|machine| &machine.instance.version);
        let versions: BTreeSet<&Version> =
            leaving.iter().filter_map(version).filter(|it| *it != to).collect();
        let is_left = |id: &&InstanceId| version(id).is_some_and(|it| versions.contains(it));
        let is_found = |id: &&InstanceId| {
            state.found_since_ms(id, others).is_some_and(|at| at + FOUND_MS <= state.now_ms)
        };
        let others = state.machines.keys().filter(|id| !leaving.contains(*id));
        others.filter(is_left).find(is_found).cloned()
    }
}

impl State {
    /// Since when it has been healthy in some group of a forward but these, for all to see.
    fn found_since_ms(&self, id: &InstanceId, but: &BTreeSet<GroupArn>) -> Option<u64> {
        let machine = self.machines.get(id)?;
        let app = machine.app.as_ref().filter(|_| machine.instance.state == InstanceState::Running)?;
        let tagged_ms = machine.untagged.map_or(Some(0), |untagged| untagged.to_ms)?;
        let groups =
            self.balancers.iter().flat_map(Balancer::forwarded).filter(|group| !but.contains(*group));
        let listed = groups.filter_map(|group| self.groups.get(group)?.get(id));
        let staying = listed.filter(|target| target.drained_at_ms.is_none());
        let healthy_ms = staying.map(|target| target.checked_at_ms(app)).min()?;
        Some(healthy_ms.max(tagged_ms).max(machine.listed_at_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use segue_domain::ids::{GroupArn, Version};

    use super::COLOUR;
    use crate::fakes::{FIRST, FakeWorld, SECOND};

    /// Whoever joined is left behind by those who leave without it, and by nobody else.
    #[tokio::test(start_paused = true)]
    async fn whoever_joined_is_seen_when_the_others_leave() {
        let world = FakeWorld::new();
        world.join(FIRST);
        let old = world.instances().into_keys().collect();
        world.join(FIRST);
        let (nobodys, greens) = (BTreeSet::new(), [GroupArn::new(COLOUR)].into());
        let (first, second) = (Version::new(FIRST), Version::new(SECOND));
        assert_eq!(world.stays_behind(&old, &second, &nobodys), None, "nobody could find it yet");
        tokio::time::sleep(Duration::from_mins(1)).await;
        let left = world.stays_behind(&old, &second, &nobodys).expect("it stays");
        assert!(!old.contains(&left));
        assert_eq!(world.stays_behind(&old, &first, &nobodys), None, "it is of the version that comes");
        assert_eq!(
            world.stays_behind(&old, &second, &greens),
            None,
            "it is in a group of those that come in"
        );
        let all = world.instances().into_keys().collect();
        assert_eq!(world.stays_behind(&all, &second, &nobodys), None, "it leaves with them");
    }
}
