//! What a sandbox holds from the start: images, a launch template, three subnets, load balancers with their
//! colour groups and route slots.
//!
//! All of it is there before the first call, as if Packer and Terraform had run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{ImageConfig, SandboxConfig};
use crate::names::{GroupArn, ImageId, SubnetId, TemplateId};
use crate::ready::Slot;
use crate::sabotage;
use crate::world::{
    ACCOUNT, At, Balancer, BalancerSettings, Balancers, Cidr, Cloud, CloudSettings, Forward, Group, Image,
    QueryCondition, QueryPair, Rule, Subnet, Template, TemplateData, Thresholds, Weighted, World,
};

/// Zones, and with them subnets.
pub(crate) const ZONES: [char; 3] = ['a', 'b', 'c'];
/// The colour groups by the names they go under in the sandbox.
const COLOURS: [&str; 5] = ["a", "b", "canary-1", "canary-2", "canary-3"];
/// The group of the seeded fleet.
pub(crate) const BLUE: &str = "a";
/// The weight of group `a` when no fleet says another.
const WEIGHT: u32 = 100;

/// What the seed needs from outside.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) config: &'a SandboxConfig,
    /// The subnets' address blocks, one for each zone.
    pub(crate) blocks: Vec<Cidr>,
    /// Where each load balancer listens.
    pub(crate) lb_ports: Vec<u16>,
    /// The instances' port for users.
    pub(crate) traffic_port: u16,
    /// What every instance's environment has.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) now: At,
}

/// A new world and the names of what is in it.
#[derive(Debug)]
pub(crate) struct Seeded {
    pub(crate) world: World,
    pub(crate) images: BTreeMap<String, ImageId>,
    pub(crate) template: TemplateId,
    pub(crate) subnets: Vec<SubnetId>,
    pub(crate) load_balancer_arn: String,
    pub(crate) listener_arn: String,
    pub(crate) groups: BTreeMap<String, GroupArn>,
    pub(crate) slots: Vec<Slot>,
    /// The same of every load balancer but the first.
    pub(crate) others: Vec<SeededBalancer>,
}

/// The names of what one load balancer has.
#[derive(Debug)]
pub(crate) struct SeededBalancer {
    pub(crate) arn: String,
    pub(crate) listener_arn: String,
    pub(crate) groups: BTreeMap<String, GroupArn>,
    pub(crate) slots: Vec<Slot>,
}

/// Makes the world.
pub(crate) fn seed(ground: Ground<'_>) -> Seeded {
    let Ground { config, blocks, lb_ports, traffic_port, env, now } = ground;
    let mut rng = config.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
    let mut cloud = Cloud::new(cloud_settings(config, env), rng.fork());
    let mut images = BTreeMap::new();
    // A second apart, the last one now: whoever asks for the newest has one answer.
    let seconds = (0..config.images.len()).rev().map(|age| u64::try_from(age).unwrap_or(u64::MAX));
    for (image, age_s) in config.images.iter().zip(seconds) {
        let created_at = At::from_ms(now.ms().saturating_sub(age_s.saturating_mul(1_000)));
        let id = add_image(&mut cloud, config, image, created_at);
        images.insert(image.version.clone(), id);
    }
    let subnets = add_subnets(&mut cloud, &config.region, &blocks);
    let template = add_template(&mut cloud, config, now);
    let mark = rng.u64(..);
    let mut ports = lb_ports.into_iter().map(|front| Ports { front, targets: traffic_port });
    let first = ports.next().unwrap_or(Ports { front: 0, targets: traffic_port });
    let (first, own) = one_of_them(&Arns { config, mark, place: 1 }, first, now);
    let (others, names) =
        (2..).zip(ports).map(|(place, ports)| one_of_them(&Arns { config, mark, place }, ports, now)).unzip();
    let world = World::new(cloud, Balancers { first, others }, rng.fork());
    let SeededBalancer { arn: load_balancer_arn, listener_arn, groups, slots } = own;
    Seeded { world, images, template, subnets, load_balancer_arn, listener_arn, groups, slots, others: names }
}

fn one_of_them(arns: &Arns<'_>, ports: Ports, now: At) -> (Balancer, SeededBalancer) {
    let slots: Vec<_> = (1..=arns.config.slots)
        .map(|n| (format!("s{n:02}"), arns.told(&format!("s{n:02}"))))
        .map(|(short, value)| Slot { target_group: arns.group(&short), value })
        .collect();
    let balancer = balancer(arns, &slots, ports, now);
    let groups = COLOURS.map(|name| (name.to_owned(), arns.group(name))).into();
    (balancer, SeededBalancer { arn: arns.balancer(), listener_arn: arns.listener(), groups, slots })
}

fn cloud_settings(config: &SandboxConfig, env: BTreeMap<String, String>) -> CloudSettings {
    let times = &config.instances;
    CloudSettings {
        boot: Duration::from_millis(times.boot_ms),
        stop: Duration::from_millis(times.stop_ms),
        terminated_listed: Duration::from_secs(times.terminated_listed_s),
        instances_max: times.max,
        zone_max: times.zone_max,
        vcpus_max: times.vcpus_max,
        env,
    }
}

fn add_image(cloud: &mut Cloud, config: &SandboxConfig, image: &ImageConfig, created_at: At) -> ImageId {
    let id = ImageId::from(cloud.fresh_id("ami"));
    let commit = image.commit.clone().unwrap_or_else(|| made_up_commit(&image.version));
    let mut tags = BTreeMap::from([
        ("service".to_owned(), config.service.clone()),
        ("releaseVersion".to_owned(), image.version.clone()),
        ("commit".to_owned(), commit),
    ]);
    tags.extend(image.tags.clone());
    let name = format!("{}-{}", config.service, image.version);
    let (command, mut env) = (image.command.clone(), image.env.clone());
    env.extend(sabotage::environment(config, &image.version));
    cloud.images.insert(id.clone(), Image { id: id.clone(), name, tags, created_at, command, env });
    id
}

/// Forty hexadecimal digits that are always the same for a version.
fn made_up_commit(version: &str) -> String {
    let mut commit = format!("{:0>40}", hex::encode(version));
    commit.truncate(40);
    commit
}

fn add_subnets(cloud: &mut Cloud, region: &str, blocks: &[Cidr]) -> Vec<SubnetId> {
    let mut ids = Vec::new();
    for (zone, block) in ZONES.iter().zip(blocks) {
        let id = SubnetId::from(cloud.fresh_id("subnet"));
        cloud.subnets.insert(id.clone(), Subnet::new(id.clone(), format!("{region}{zone}"), *block));
        ids.push(id);
    }
    ids
}

fn add_template(cloud: &mut Cloud, config: &SandboxConfig, now: At) -> TemplateId {
    let id = TemplateId::from(cloud.fresh_id("lt"));
    let instance_type = Some(config.instances.instance_type.clone());
    cloud.templates.push(Template {
        id: id.clone(),
        name: config.service.clone(),
        created_at: now,
        default_version: 1,
        versions: vec![TemplateData { instance_type, ..TemplateData::default() }],
    });
    id
}

/// The names that Elastic Load Balancing gives to things.
struct Arns<'a> {
    config: &'a SandboxConfig,
    /// Tells this sandbox's things from another's.
    mark: u64,
    /// Which load balancer it is, from 1. The first has the plain names.
    place: u16,
}

impl Arns<'_> {
    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:elasticloadbalancing:{}:{ACCOUNT}:{rest}", self.config.region)
    }

    /// A name with the load balancer's place, where it is not the first.
    fn told(&self, name: &str) -> String {
        if self.place == 1 { name.to_owned() } else { format!("{name}-{}", self.place) }
    }

    fn name(&self) -> String {
        self.told(&self.config.service)
    }

    fn balancer(&self) -> String {
        self.arn(&format!("loadbalancer/app/{}/{:016x}", self.name(), self.mark))
    }

    fn listener(&self) -> String {
        self.arn(&format!("listener/app/{}/{:016x}/0000000000000001", self.name(), self.mark))
    }

    fn rule(&self, priority: u32) -> String {
        let name = self.name();
        let path = format!("listener-rule/app/{name}/{:016x}/0000000000000001/{priority:016x}", self.mark);
        self.arn(&path)
    }

    fn group_name(&self, short: &str) -> String {
        self.told(&format!("{}-{short}", self.config.service))
    }

    fn group(&self, short: &str) -> GroupArn {
        GroupArn::from(self.arn(&format!("targetgroup/{}/{:016x}", self.group_name(short), self.mark)))
    }
}

/// Where the load balancer listens, and where its targets do.
#[derive(Debug, Clone, Copy)]
struct Ports {
    front: u16,
    targets: u16,
}

fn balancer(arns: &Arns<'_>, slots: &[Slot], ports: Ports, now: At) -> Balancer {
    let config = arns.config;
    let delay = Duration::from_secs(config.load_balancer.deregistration_delay_s);
    let group = |short: String| Group::new(arns.group(&short), arns.group_name(&short), ports.targets, delay);
    let shorts = COLOURS.map(str::to_owned).into_iter();
    let shorts = shorts.chain((1..=config.slots).map(|n| format!("s{n:02}")));
    let blue_weight = config.fleet.as_ref().map_or(WEIGHT, |fleet| fleet.weight);
    let weighted = COLOURS
        .map(|name| Weighted { group: arns.group(name), weight: if name == BLUE { blue_weight } else { 0 } });
    let default = Forward::new(weighted.into()).expect("five groups with checked weights are legal");
    let mut balancer =
        Balancer::new(balancer_settings(arns), ports.front, shorts.map(group).collect(), default, now);
    for (priority, slot) in (1_u32..).zip(slots) {
        let pair = QueryPair { key: Some("srv".to_owned()), value: slot.value.clone() };
        let rule = Rule {
            arn: arns.rule(priority).into(),
            priority,
            conditions: vec![QueryCondition { pairs: vec![pair] }],
            forward: Forward::single(slot.target_group.clone()),
        };
        balancer.add_rule(rule, now);
    }
    balancer
}

fn balancer_settings(arns: &Arns<'_>) -> BalancerSettings {
    let SandboxConfig { health, load_balancer, .. } = arns.config;
    BalancerSettings {
        name: arns.name(),
        arn: arns.balancer(),
        listener_arn: arns.listener(),
        check_interval: Duration::from_millis(health.interval_ms),
        check_timeout: Duration::from_millis(health.timeout_ms),
        check_path: health.path.clone(),
        thresholds: Thresholds { healthy: health.healthy_threshold, unhealthy: health.unhealthy_threshold },
        at_delay_end: load_balancer.at_delay_end,
        when_unhealthy: load_balancer.when_unhealthy,
        targets_max: usize::from(load_balancer.targets_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_commit_has_the_form_of_one() {
        for version in ["1", "2", "a-very-long-version-name-2026-11-21"] {
            let commit = made_up_commit(version);
            assert_eq!(commit.len(), 40, "{version}");
        }
        assert_ne!(made_up_commit("1"), made_up_commit("2"));
    }
}
