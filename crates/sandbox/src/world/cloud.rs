//! The EC2 half of the world: images, subnets, launch templates, instances.
//!
//! Launching is in `launch`, stopping and its like in `lifecycle`, tags are in `tagging`. Nothing here does anything:
//! what must be done to a process comes back as an [`Effect`].

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::at::At;
use super::effect::{Effect, Launch};
use super::image::Image;
use super::instance::{Instance, InstanceState, Phase, StateReason};
use super::lag::{Lags, Sight};
use super::launch::Remembered;
use super::refusal::Ec2Refusal;
use super::subnet::Subnet;
use super::tagging::ComingTags;
use super::template::{Template, TemplateName};
use crate::names::{ClientToken, ImageId, InstanceId, SubnetId};

/// How long instances take, and how many there may be.
#[derive(Debug, Clone)]
pub(crate) struct CloudSettings {
    /// From the launch, or the start, until `running`.
    pub(crate) boot: Duration,
    /// The least time an instance shows `stopping` or `shutting-down`.
    pub(crate) stop: Duration,
    /// How long a terminated instance stays listed (about an hour on AWS).
    pub(crate) terminated_listed: Duration,
    /// Instances that may live at once; each is a process of this machine.
    pub(crate) instances_max: u32,
    /// Instances that a zone has room for, those that are stopped not counted.
    pub(crate) zone_max: Option<u32>,
    /// The account's quota of vCPUs for what is not stopped.
    pub(crate) vcpus_max: Option<u32>,
    /// What every instance's environment has, whatever its image.
    pub(crate) env: BTreeMap<String, String>,
}

/// The account's EC2 resources in one region.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) settings: CloudSettings,
    pub(crate) images: BTreeMap<ImageId, Image>,
    pub(crate) subnets: BTreeMap<SubnetId, Subnet>,
    pub(crate) templates: Vec<Template>,
    /// By place in the order of launches.
    pub(super) instances: BTreeMap<u64, Instance>,
    pub(super) by_id: HashMap<InstanceId, u64>,
    pub(super) lags: Lags,
    pub(super) coming_tags: Vec<ComingTags>,
    pub(super) tokens: HashMap<ClientToken, Remembered>,
    pub(super) next_seq: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) effects: Vec<Effect>,
}

impl Cloud {
    pub(crate) fn new(settings: CloudSettings, rng: fastrand::Rng) -> Self {
        Self {
            settings,
            images: BTreeMap::new(),
            subnets: BTreeMap::new(),
            templates: Vec::new(),
            instances: BTreeMap::new(),
            by_id: HashMap::new(),
            lags: Lags::default(),
            coming_tags: Vec::new(),
            tokens: HashMap::new(),
            next_seq: 0,
            rng,
            effects: Vec::new(),
        }
    }

    /// A fresh id: the prefix, `0` and 16 hexadecimal digits.
    pub(crate) fn fresh_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{:016x}", self.rng.u64(..))
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    pub(crate) fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.instances.get(self.by_id.get(id)?)
    }

    pub(super) fn instance_mut(&mut self, id: &InstanceId) -> Option<&mut Instance> {
        self.instances.get_mut(self.by_id.get(id)?)
    }

    /// The instances that calls see.
    pub(crate) fn seen_instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances().filter(|instance| instance.sight == Sight::Seen)
    }

    /// An instance, if calls see it.
    pub(super) fn seen(&self, id: &InstanceId) -> Option<&Instance> {
        self.instance(id).filter(|instance| instance.sight == Sight::Seen)
    }

    /// Whether all of them exist, as far as calls see.
    pub(crate) fn require(&self, ids: &[InstanceId]) -> Result<(), Ec2Refusal> {
        if let Some(bad) = ids.iter().find(|id| !id.as_str().starts_with("i-")) {
            return Err(Ec2Refusal::InstanceMalformed(bad.to_string()));
        }
        let missing: Vec<_> = ids.iter().filter(|id| self.seen(id).is_none()).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(Ec2Refusal::InstanceNotFound(missing)) }
    }

    pub(crate) fn template(&self, name: &TemplateName) -> Result<&Template, Ec2Refusal> {
        let found = self.templates.iter().find(|template| match name {
            TemplateName::Id(id) => template.id == *id,
            TemplateName::Name(name) => template.name == *name,
        });
        found.ok_or_else(|| match name {
            TemplateName::Id(id) => Ec2Refusal::TemplateNotFound(id.clone()),
            TemplateName::Name(name) => Ec2Refusal::TemplateNameNotFound(name.clone()),
        })
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn next_due(&self) -> Option<At> {
        let listed = self.settings.terminated_listed;
        let moved = self.instances().filter_map(|i| forget_at(i, listed).or_else(|| i.phase.due()));
        let shown = self.instances().filter_map(|i| i.sight.due());
        moved.chain(shown).chain(self.coming_tags.iter().map(|coming| coming.at)).min()
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: At) {
        let due: Vec<u64> =
            self.instances().filter(|i| i.phase.due().is_some_and(|at| at <= now)).map(|i| i.seq).collect();
        for seq in due {
            self.step(seq, now);
        }
        for instance in self.instances.values_mut() {
            instance.sight = instance.sight.at(now);
        }
        self.show_tags(now);
    }

    /// Takes out what was terminated so long ago that it is not listed any more.
    pub(super) fn forget(&mut self, now: At) -> Vec<Instance> {
        let listed = self.settings.terminated_listed;
        let gone = |i: &Instance| forget_at(i, listed).is_some_and(|at| at <= now);
        let forgotten: Vec<_> = self.instances.extract_if(.., |_, i| gone(i)).map(|(_, i)| i).collect();
        for instance in &forgotten {
            self.by_id.remove(&instance.id);
        }
        forgotten
    }

    fn step(&mut self, seq: u64, now: At) {
        let Some(instance) = self.instances.get_mut(&seq) else { return };
        instance.phase = instance.phase.at(now);
        match instance.state() {
            InstanceState::Running => {
                instance.run = instance.run.saturating_add(1);
                instance.reason = None;
                self.effects.extend(self.launch_of(seq).map(Effect::Start));
            }
            InstanceState::Terminated => self.release_address(seq),
            InstanceState::Pending
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown => {}
        }
    }

    pub(super) fn release_address(&mut self, seq: u64) {
        let Some(instance) = self.instances.get(&seq) else { return };
        if let Some(subnet) = self.subnets.get_mut(&instance.subnet) {
            subnet.give_back(instance.address);
        }
    }

    fn launch_of(&self, seq: u64) -> Option<Launch> {
        let instance = self.instances.get(&seq)?;
        let image = self.images.get(&instance.image)?;
        let mut env = self.settings.env.clone();
        env.extend(image.env.clone());
        env.extend(user_env(&instance.user_data));
        env.insert("INSTANCE_ID".to_owned(), instance.id.to_string());
        env.insert("PRIVATE_IP".to_owned(), instance.address.to_string());
        env.insert("IMAGE_ID".to_owned(), image.id.to_string());
        let (instance_id, run) = (instance.id.clone(), instance.run);
        Some(Launch {
            instance: instance_id,
            run,
            address: instance.address,
            command: image.command.clone(),
            env,
        })
    }

    /// An instance's program ended. An ending of an earlier run is ignored.
    pub(crate) fn program_ended(&mut self, id: &InstanceId, run: u32, how: &str, now: At) {
        let Some(instance) = self.instance_mut(id).filter(|i| i.run == run) else { return };
        if instance.state() == InstanceState::Running {
            instance.reason = Some(StateReason::InstanceInitiated { how: how.to_owned() });
        }
        instance.phase = instance.phase.program_ended();
        self.advance(now);
    }

    /// An instance's program could not be started: AWS terminates such an instance.
    pub(crate) fn launch_failed(&mut self, id: &InstanceId, run: u32, why: &str, now: At) {
        let Some(instance) = self.instance_mut(id).filter(|i| i.run == run) else { return };
        instance.reason = Some(StateReason::LaunchFailed { why: why.to_owned() });
        instance.phase = Phase::Terminated { at: now };
        let seq = instance.seq;
        self.release_address(seq);
    }
}

fn forget_at(instance: &Instance, listed: Duration) -> Option<At> {
    if let Phase::Terminated { at } = instance.phase { Some(at.plus(listed)) } else { None }
}

/// The lines `KEY=VALUE` of user data; anything else in it is the program's own business.
fn user_env(user_data: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(user_data);
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs
        .filter(|(key, _)| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        })
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_gives_environment_lines_and_nothing_else() {
        let env = user_env(b"#!/bin/sh\nROUTE=s07\necho a=b\n lower=no\nURL=http://h/?srv=1\n");
        let expected = [("ROUTE", "s07"), ("URL", "http://h/?srv=1")];
        assert_eq!(env, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
