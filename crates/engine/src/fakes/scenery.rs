//! The larger one of the two small worlds, and what can be put into either before a story begins.

use segue_domain::ids::{InstanceId, SubnetId, Version};
use segue_domain::instance::Origin;
use segue_domain::service::{Service, WarmSpec};

use super::FakeWorld;
use super::fixture::{SUBNETS, is_slot};
use super::machine::{Fate, Machine};

impl FakeWorld {
    /// As [`FakeWorld::with_fleet`], with the servers spread over every subnet.
    pub fn with_spread_fleet(servers: u32, boards: usize) -> Self {
        Self::with_spread_fleet_at(1, servers, boards)
    }

    /// The same behind so many load balancers.
    pub fn with_spread_fleet_at(balancers: u32, servers: u32, boards: usize) -> Self {
        let world = Self::new();
        world.build_balancers(balancers);
        world.seed_fleet(servers, boards, SUBNETS.len());
        world
    }

    /// The service of a world that is spread: every subnet, and new servers are configured and warmed up.
    pub fn spread_service(&self) -> Service {
        self.now().gets_ready = true;
        let mut service = self.service();
        service.launch.subnets = SUBNETS.iter().map(|subnet| SubnetId::new(*subnet)).collect();
        service.launch.configure = Some(vec!["make-ready".to_owned()]);
        service.launch.warm = Some(WarmSpec { path: "/".to_owned(), requests: 20, median_ms: 50 });
        service
    }

    /// There are no route slots: clients come to a server by its own address.
    pub fn do_without_slots(&self) {
        let mut state = self.now();
        state.balancers.iter_mut().for_each(|balancer| balancer.slots.clear());
        state.groups.retain(|group, _| !is_slot(group));
        state.machines.values_mut().filter_map(|it| it.app.as_mut()).for_each(|app| app.route = None);
    }

    /// An instance of the version that was stopped long ago.
    pub fn keep_spare(&self, version: &str) -> InstanceId {
        let mut state = self.now();
        let image = state.images.iter().find(|image| image.version.as_str() == version).cloned();
        let image = image.expect("there is an image of the version");
        let subnet = SubnetId::new(SUBNETS.last().copied().unwrap_or_default());
        let instance = state.instance(&image, subnet, Origin::Adopted);
        let id = instance.id.clone();
        state.machines.insert(id.clone(), Machine::launched(instance, 0, Fate::Well).already_stopped());
        id
    }

    /// This version writes boards as no other can read them.
    pub fn write_anew(&self, version: &str) {
        self.now().new_formats.insert(Version::new(version));
    }
}
