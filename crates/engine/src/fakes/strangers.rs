//! A fleet that nobody has adopted yet.

use std::collections::BTreeMap;

use segue_domain::ids::{GroupArn, InstanceId};

use super::FakeWorld;
use super::fixture::COLOUR;
use super::state::Registration;

impl FakeWorld {
    /// As [`FakeWorld::with_fleet`], and somebody else launched the servers: they carry no tag of Segue's.
    pub fn with_strangers(servers: u32, boards: usize) -> Self {
        let world = Self::with_fleet(servers, boards);
        for machine in world.now().machines.values_mut() {
            machine.tags = BTreeMap::from([("Name".to_owned(), "board server".to_owned())]);
        }
        world
    }

    /// Somebody writes a tag; EC2 itself may write any.
    pub fn set_tag(&self, id: &InstanceId, key: &str, value: &str) {
        if let Some(machine) = self.now().machines.get_mut(id) {
            machine.tags.insert(key.to_owned(), value.to_owned());
        }
    }

    /// All tags of an instance.
    pub fn tags(&self, id: &InstanceId) -> BTreeMap<String, String> {
        self.now().machines.get(id).map(|machine| machine.tags.clone()).unwrap_or_default()
    }

    /// The AMIs are gone, and what their tags said with them. What was launched from them runs on.
    pub fn forget_images(&self) {
        self.now().images.clear();
    }

    /// Somebody registers in the first colour what is no instance.
    pub fn register_stranger(&self, target: &InstanceId) {
        let registration = Registration { since_ms: 0, drained_at_ms: None };
        self.now().groups.entry(GroupArn::new(COLOUR)).or_default().insert(target.clone(), registration);
    }

    /// No process answers on this server any more, and it runs.
    pub fn silence(&self, id: &InstanceId) {
        if let Some(machine) = self.now().machines.get_mut(id) {
            machine.app = None;
        }
    }
}
