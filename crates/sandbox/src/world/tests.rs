//! AWS's manners, told as stories about the world: no clock, no process, no socket.

mod faults;
mod lags;
mod launches;
mod lifecycle;
mod protection;
mod quotas;
mod routing;
mod targets;

use std::collections::BTreeMap;

use super::*;
use crate::config::SandboxConfig;
use crate::names::{GroupArn, InstanceId};
use crate::ports;
use crate::seed::{Ground, Seeded, seed};

/// A seeded world and the time in it.
struct Story {
    seeded: Seeded,
    now: At,
}

impl Story {
    fn begin() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SandboxConfig)) -> Self {
        let mut config = SandboxConfig { seed: Some(7), ..SandboxConfig::default() };
        change(&mut config);
        let now = At::from_ms(1_700_000_000_000);
        let lb_ports = (0..config.load_balancers).map(|other| 80 + other).collect();
        let ground = Ground {
            config: &config,
            blocks: [1, 2, 3].map(Cidr::Small).into(),
            traffic_port: ports::TRAFFIC,
            lb_ports,
            env: BTreeMap::new(),
            now,
        };
        Self { seeded: seed(ground), now }
    }

    fn world(&mut self) -> &mut World {
        &mut self.seeded.world
    }

    fn after_ms(&mut self, ms: u64) -> &mut Self {
        self.now = At::from_ms(self.now.ms() + ms);
        let now = self.now;
        self.world().advance(now);
        self
    }

    fn request(&self, token: &str, count: u32) -> LaunchRequest {
        LaunchRequest {
            template: None,
            image: self.seeded.images.get("1").cloned(),
            instance_type: None,
            subnet: self.seeded.subnets.first().cloned(),
            user_data: None,
            tags: BTreeMap::new(),
            protection: Protection::Off,
            min: 1,
            max: count,
            token: Some(token.into()),
        }
    }

    fn launch(&mut self, token: &str, count: u32) -> Result<Launched, Ec2Refusal> {
        let (request, now) = (self.request(token, count), self.now);
        self.world().launch(request, now)
    }

    /// One instance that runs.
    fn running(&mut self) -> InstanceId {
        let launched = self.launch(&format!("t{}", self.now.ms()), 1).expect("there is room");
        self.after_ms(300).world().take_effects();
        launched.instances[0].clone()
    }

    fn state(&self, id: &InstanceId) -> &'static str {
        self.seeded.world.cloud.instance(id).map_or("forgotten", |i| i.state().name())
    }

    fn change(&mut self, verb: Verb, id: &InstanceId) -> Result<Vec<Change>, Ec2Refusal> {
        let now = self.now;
        self.world().change(verb, std::slice::from_ref(id), now)
    }

    fn ended(&mut self, id: &InstanceId, run: u32) {
        let now = self.now;
        self.world().program_ended(id, run, "exit status: 0", now);
    }

    fn group(&self, name: &str) -> GroupArn {
        self.seeded.groups[name].clone()
    }

    fn register(&mut self, group: &str, id: &InstanceId) -> Result<(), ElbRefusal> {
        let (arn, now, targets) = (self.group(group), self.now, [(id.clone(), None)]);
        let World { cloud, balancers, .. } = self.world();
        balancers.register(cloud, &arn, &targets, now)
    }

    fn deregister(&mut self, group: &str, id: &InstanceId) {
        let (arn, now, targets) = (self.group(group), self.now, [(id.clone(), None)]);
        self.world().balancers.deregister(&arn, &targets, now).expect("the group exists");
    }

    /// One round of health checks, all ending alike; how many there were.
    fn checks(&mut self, outcome: CheckOutcome) -> usize {
        let now = self.now;
        let checks = self.world().due_checks(now);
        for check in &checks {
            self.world().checked(check, outcome, now);
        }
        checks.len()
    }

    fn health(&self, group: &str, id: &InstanceId) -> (&'static str, &'static str) {
        let world = &self.seeded.world;
        let key = TargetKey { instance: id.clone(), port: 8080 };
        let group = world.balancers.group(&self.group(group)).expect("the group exists");
        let report = group.report(&key, world.cloud.instance(id));
        (report.state, report.reason.unwrap_or("-"))
    }

    fn weigh(&mut self, weights: &[(&str, u32)]) {
        let weighted =
            weights.iter().map(|(name, weight)| Weighted { group: self.group(name), weight: *weight });
        let forward = Forward::new(weighted.collect()).expect("a legal action");
        let now = self.now;
        self.world().balancers.first.modify_default(forward, now).expect("the groups exist");
    }
}

const PASSED: CheckOutcome = CheckOutcome::Passed;
const FAILED: CheckOutcome = CheckOutcome::Failed(Failure::Code(503));
