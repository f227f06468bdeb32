//! EC2 of the small world.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, InstanceId, InstanceType, PoolName, ServiceName, SubnetId, TemplateId};
use segue_domain::instance::{Image, Instance, InstanceState, Origin};
use segue_domain::stranger::Stranger;

use super::law::Law;
use super::machine::{Fate, Machine};
use super::state::State;
use super::{FakePort, Method, at, fixture};
use crate::ports::{CallError, Cloud, ImageQuery};

#[async_trait]
impl Cloud for FakePort {
    async fn images(&self, query: &ImageQuery) -> Result<Vec<Image>, CallError> {
        let is_ours = query.tags.get("service").is_none_or(|service| service == fixture::SERVICE);
        self.call(Method::Images, |state| Ok(if is_ours { state.images.clone() } else { Vec::new() })).await
    }

    async fn instances(&self, service: &ServiceName) -> Result<BTreeMap<InstanceId, Instance>, CallError> {
        let is_ours = service.as_str() == fixture::SERVICE;
        self.call(Method::Instances, |state| {
            let listed = state.machines.values().filter(|it| is_ours && it.is_listed_at(state.now_ms));
            let ours = listed.filter_map(|it| it.listed().transpose());
            ours.map(|listed| listed.map(|instance| (instance.id.clone(), instance))).collect()
        })
        .await
    }

    async fn strangers(
        &self,
        instances: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, Stranger>, CallError> {
        self.call(Method::Strangers, |state| {
            let asked = state.machines.iter().filter(|(id, _)| instances.contains(*id));
            let version = |machine: &Machine| {
                let image = state.images.iter().find(|image| image.id == machine.instance.image);
                image.map(|image| image.version.clone())
            };
            Ok(asked.map(|(id, machine)| (id.clone(), machine.stranger(version(machine)))).collect())
        })
        .await
    }

    async fn free_addresses(&self, subnets: &[SubnetId]) -> Result<BTreeMap<SubnetId, u64>, CallError> {
        self.call(Method::FreeAddresses, |state| {
            let free = |subnet: &SubnetId| {
                let free = state.subnets.get(subnet).copied();
                free.map(|free| (subnet.clone(), free)).ok_or_else(|| not_found(subnet.as_str()))
            };
            subnets.iter().map(free).collect()
        })
        .await
    }

    async fn template_exists(&self, template: &TemplateId) -> Result<bool, CallError> {
        self.call(Method::TemplateExists, |state| Ok(state.templates.contains(template))).await
    }

    async fn launch(&self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError> {
        let (id, batch) = (id.clone(), batch.clone());
        self.change(Method::Launch, move |state| state.launch(&id, &batch)).await
    }

    async fn start(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        let instances = instances.to_vec();
        self.change(Method::Start, move |state| state.each_machine(&instances, Machine::start)).await
    }

    async fn stop(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        let instances = instances.to_vec();
        self.change(Method::Stop, move |state| {
            state.watch_the_end("stopped", &instances);
            state.each_machine(&instances, Machine::stop)
        })
        .await
    }

    async fn terminate(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        let instances = instances.to_vec();
        self.change(Method::Terminate, move |state| {
            state.watch_the_end("terminated", &instances);
            state.each_machine(&instances, Machine::terminate)
        })
        .await
    }

    async fn tag(&self, instances: &[InstanceId], tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        self.call(Method::Tag, |state| state.tag(instances, tags)).await
    }
}

impl State {
    fn launch(&mut self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError> {
        if let Some(answer) = self.launched_before(id, batch) {
            return answer;
        }
        let image = self.images.iter().find(|image| image.id == batch.image).cloned();
        let image = image.ok_or_else(|| not_found(batch.image.as_str()))?;
        if !self.templates.contains(&batch.template) {
            return Err(not_found(batch.template.as_str()));
        }
        self.require_room(batch)?;
        let release = batch.release.to_string();
        let asked = self.asked.entry((release.clone(), batch.batch)).or_default();
        *asked = batch.count.max(*asked);
        let mut launched = Vec::new();
        for _ in 0..batch.count {
            let fate = if self.fates.is_empty() { Fate::Well } else { self.fates.remove(0) };
            if fate != Fate::Short {
                launched.push(self.make(&image, batch, fate));
            }
        }
        self.tokens.insert(id.clone(), (batch.clone(), launched.clone()));
        self.watch_launches(&release, batch.batch);
        Ok(launched)
    }

    /// The same token brings the same instances; with other parameters it is refused, which nobody who keeps one token
    /// for one launch sees, and once one of its instances was terminated it is refused for ever.
    /// Source: EC2, "Ensuring idempotency".
    fn launched_before(
        &mut self,
        id: &EffectId,
        batch: &LaunchBatch,
    ) -> Option<Result<Vec<InstanceId>, CallError>> {
        let (earlier, instances) = self.tokens.get(id)?;
        let is_gone = |id| self.machines.get(id).is_some_and(|it: &Machine| it.instance.state.is_gone());
        if earlier != batch {
            self.violation(Law::NoBug, "IdempotentParameterMismatch");
            return Some(Err(CallError::refused("IdempotentParameterMismatch")));
        }
        Some(match instances.iter().any(is_gone) {
            true => Err(CallError::refused("IdempotentInstanceTerminated")),
            false => Ok(instances.clone()),
        })
    }

    fn require_room(&self, batch: &LaunchBatch) -> Result<(), CallError> {
        let kind = batch.instance_type.as_ref().map_or("the template's type", InstanceType::as_str);
        let subnet = batch.subnet.as_str();
        let for_now = self.troubles.full.as_ref();
        let for_now = for_now.is_some_and(|(full, until)| *full == batch.subnet && self.now_ms < *until);
        match for_now || self.full.contains(subnet) || self.full.contains(kind) {
            true => Err(CallError::no_room(format!("there is no capacity for {kind} in {subnet}"))),
            false => Ok(()),
        }
    }

    fn make(&mut self, image: &Image, batch: &LaunchBatch, fate: Fate) -> InstanceId {
        let origin = Origin::Release {
            release: batch.release.to_string(),
            batch: batch.batch,
            attempt: batch.attempt,
        };
        let instance = self.instance(image, batch.subnet.clone(), origin);
        let id = instance.id.clone();
        let mut machine = Machine::launched(instance, self.now_ms, fate);
        if !self.troubles.unlisted_for_ms.is_empty() {
            machine.listed_at_ms = self.now_ms.saturating_add(self.troubles.unlisted_for_ms.remove(0));
        }
        self.machines.insert(id.clone(), machine);
        id
    }

    /// A new instance's description, with an address of its own.
    pub(super) fn instance(&mut self, image: &Image, subnet: SubnetId, origin: Origin) -> Instance {
        self.machines_made += 1;
        let number = self.machines_made;
        Instance {
            id: InstanceId::new(format!("i-{number:04}")),
            image: image.id.clone(),
            version: image.version.clone(),
            pool: PoolName::new("main"),
            subnet,
            state: InstanceState::Pending,
            address: Some(format!("10.0.0.{number}")),
            launched_at: at(self.now_ms),
            origin,
        }
    }

    /// All or nothing, and no key of AWS's own. Source: EC2 API, CreateTags.
    fn tag(&mut self, ids: &[InstanceId], tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        if let Some(reserved) = tags.keys().find(|key| key.starts_with("aws:")) {
            return Err(CallError::refused(format!("the tag {reserved} is reserved")));
        }
        self.require(ids)?;
        self.watch_the_tags(ids);
        for id in ids {
            if let Some(machine) = self.machines.get_mut(id) {
                machine.tags.extend(tags.clone());
            }
        }
        Ok(())
    }

    fn require(&self, ids: &[InstanceId]) -> Result<(), CallError> {
        let is_known =
            |id: &InstanceId| self.machines.get(id).is_some_and(|machine| machine.is_listed_at(self.now_ms));
        match ids.iter().find(|id| !is_known(id)) {
            None => Ok(()),
            Some(gone) => Err(CallError::retry(format!("{gone} is gone, or not yet known everywhere"))),
        }
    }

    fn each_machine(&mut self, ids: &[InstanceId], change: fn(&mut Machine, u64)) -> Result<(), CallError> {
        self.require(ids)?;
        let now_ms = self.now_ms;
        for id in ids {
            if let Some(machine) = self.machines.get_mut(id) {
                change(machine, now_ms);
            }
        }
        Ok(())
    }
}

fn not_found(what: &str) -> CallError {
    CallError::refused(format!("{what} does not exist"))
}
