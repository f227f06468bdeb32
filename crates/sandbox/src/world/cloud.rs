//! The EC2 half of the world: images, subnets, launch templates, instances.
//!
//! Launching is in `launch`, stopping and its like in `lifecycle`. Nothing here does anything: what must be
//! done to a process comes back as an [`Effect`].

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::at::At;
use super::effect::{Effect, Launch};
use super::image::{Image, Tags};
use super::instance::{Instance, InstanceState, Phase, StateReason};
use super::launch::Remembered;
use super::refusal::Ec2Refusal;
use super::subnet::Subnet;
use super::template::{Template, TemplateName};
use crate::names::{ClientToken, ImageId, InstanceId, SubnetId};

/// Tags that a resource may have.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
const TAGS_MAX: usize = 50;

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

    /// The ids as they were given, when all of them exist.
    pub(crate) fn require(&self, ids: &[InstanceId]) -> Result<(), Ec2Refusal> {
        if let Some(bad) = ids.iter().find(|id| !id.as_str().starts_with("i-")) {
            return Err(Ec2Refusal::InstanceMalformed(bad.to_string()));
        }
        let missing: Vec<_> = ids.iter().filter(|id| !self.by_id.contains_key(*id)).cloned().collect();
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

    /// Adds or replaces tags of instances and images; all or nothing.
    pub(crate) fn create_tags(&mut self, resources: &[String], tags: &Tags) -> Result<(), Ec2Refusal> {
        for resource in resources {
            let mut merged = self.tags_of(resource)?.clone();
            merged.extend(tags.clone());
            check_tags(&merged)?;
        }
        for resource in resources {
            if let Ok(present) = self.tags_of_mut(resource) {
                present.extend(tags.clone());
            }
        }
        Ok(())
    }

    fn tags_of(&self, resource: &str) -> Result<&Tags, Ec2Refusal> {
        if resource.starts_with("i-") {
            let id = InstanceId::from(resource);
            let instance = self.instance(&id);
            return instance.map(|i| &i.tags).ok_or(Ec2Refusal::InstanceNotFound(vec![id]));
        }
        if resource.starts_with("ami-") {
            let id = ImageId::from(resource);
            return self.images.get(&id).map(|i| &i.tags).ok_or(Ec2Refusal::ImageNotFound(id));
        }
        Err(Ec2Refusal::UnknownResource(resource.to_owned()))
    }

    fn tags_of_mut(&mut self, resource: &str) -> Result<&mut Tags, Ec2Refusal> {
        if resource.starts_with("i-") {
            let id = InstanceId::from(resource);
            return match self.instance_mut(&id) {
                Some(instance) => Ok(&mut instance.tags),
                None => Err(Ec2Refusal::InstanceNotFound(vec![id])),
            };
        }
        let id = ImageId::from(resource);
        self.images.get_mut(&id).map(|i| &mut i.tags).ok_or(Ec2Refusal::ImageNotFound(id))
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn next_due(&self) -> Option<At> {
        let listed = self.settings.terminated_listed;
        self.instances().filter_map(|i| forget_at(i, listed).or_else(|| i.phase.due())).min()
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: At) {
        let due: Vec<u64> =
            self.instances().filter(|i| i.phase.due().is_some_and(|at| at <= now)).map(|i| i.seq).collect();
        for seq in due {
            self.step(seq, now);
        }
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

/// Whether a resource may carry these tags.
pub(super) fn check_tags(tags: &Tags) -> Result<(), Ec2Refusal> {
    if tags.len() > TAGS_MAX {
        return Err(Ec2Refusal::TagLimit);
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return Err(Ec2Refusal::InvalidParameterValue(
                "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(Ec2Refusal::InvalidParameterValue(format!(
                "Tag '{key}' exceeds the maximum length of 128 characters for a key or 256 for a value."
            )));
        }
    }
    Ok(())
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
