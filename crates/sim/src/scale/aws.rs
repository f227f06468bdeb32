//! EC2 and Elastic Load Balancing of the large world, and the two ports that nothing is waited for at.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use segue_domain::effect::LaunchBatch;
use segue_domain::ids::{EffectId, ForwardArn, GroupArn, InstanceId, ServiceName, SubnetId, TemplateId};
use segue_domain::instance::{Image, Instance, InstanceState, Origin};
use segue_domain::service::WarmSpec;
use segue_domain::stranger::Stranger;
use segue_domain::target::{Targets, Weights};
use segue_engine::fakes::Law;
use segue_engine::ports::{CallError, Cloud, Hooks, ImageQuery, LoadBalancer, Notifier, Target};

use super::buckets::Api;
use super::service;
use super::world::{self, AWS_MS, PAGE, State, World};

/// Ids in one call, as the adapter sends them: more are more calls.
const IDS_AT_ONCE: usize = 100;
/// Targets of one load balancer, and of one group.
/// Source: Elastic Load Balancing, "Quotas for your Application Load Balancers".
pub(super) const TARGETS_MAX: usize = 1_000;

#[async_trait]
impl Cloud for World {
    async fn images(&self, _query: &ImageQuery) -> Result<Vec<Image>, CallError> {
        self.aws(Api::DescribeImages, 0).await?;
        Ok(self.now().images.clone())
    }

    async fn instances(&self, _service: &ServiceName) -> Result<BTreeMap<InstanceId, Instance>, CallError> {
        self.now().calls.look_begins();
        let mut pages = 1;
        let mut read = 0;
        while read < pages {
            self.aws(Api::DescribeInstances, 0).await?;
            read += 1;
            pages = self.now().servers.len().div_ceil(PAGE);
        }
        let state = self.now();
        let described = state.servers.iter().map(|(id, server)| {
            (id.clone(), Instance { state: server.state(state.now_ms), ..server.instance.clone() })
        });
        Ok(described.collect())
    }

    async fn strangers(
        &self,
        _instances: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, Stranger>, CallError> {
        Err(CallError::bug("nobody is taken in here"))
    }

    async fn free_addresses(&self, subnets: &[SubnetId]) -> Result<BTreeMap<SubnetId, u64>, CallError> {
        self.aws(Api::DescribeSubnets, 0).await?;
        Ok(subnets.iter().map(|subnet| (subnet.clone(), 16_000)).collect())
    }

    async fn template_exists(&self, _template: &TemplateId) -> Result<bool, CallError> {
        self.aws(Api::DescribeLaunchTemplates, 0).await.map(|()| true)
    }

    async fn launch(&self, id: &EffectId, batch: &LaunchBatch) -> Result<Vec<InstanceId>, CallError> {
        let count = usize::try_from(batch.count).unwrap_or(usize::MAX);
        self.aws(Api::RunInstances, count).await?;
        let mut state = self.now();
        if let Some(launched) = state.tokens.get(id) {
            return Ok(launched.clone());
        }
        let image = state.images.iter().find(|image| image.id == batch.image).cloned();
        let image = image.ok_or_else(|| CallError::refused("there is no such image"))?;
        let origin = Origin::Release {
            release: batch.release.to_string(),
            batch: batch.batch,
            attempt: batch.attempt,
        };
        let launched: Vec<InstanceId> =
            (0..batch.count).map(|_| state.launch(&image, &batch.subnet, origin.clone())).collect();
        state.tokens.insert(id.clone(), launched.clone());
        let new = state.servers.values().filter(|it| it.instance.version.as_str() == service::NEW).count();
        let wanted = state.sizes.instances;
        if u32::try_from(new).is_ok_and(|new| new > wanted) {
            state.violation(Law::NoDoubleLaunch, format!("{new} new servers, and {wanted} were wanted"));
        }
        Ok(launched)
    }

    async fn start(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        self.aws(Api::StartInstances, instances.len()).await?;
        Err(CallError::bug("nobody is kept stopped here"))
    }

    async fn stop(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        for some in instances.chunks(IDS_AT_ONCE) {
            self.aws(Api::StopInstances, some.len()).await?;
            self.now().end(some, InstanceState::Stopped)?;
        }
        Ok(())
    }

    async fn terminate(&self, instances: &[InstanceId]) -> Result<(), CallError> {
        for some in instances.chunks(IDS_AT_ONCE) {
            self.aws(Api::TerminateInstances, some.len()).await?;
            self.now().end(some, InstanceState::Terminated)?;
        }
        Ok(())
    }

    async fn tag(&self, _ids: &[InstanceId], _tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        self.aws(Api::CreateTags, 0).await
    }
}

#[async_trait]
impl LoadBalancer for World {
    async fn targets(&self, group: &GroupArn) -> Result<Targets, CallError> {
        self.aws(Api::DescribeTargetHealth, 0).await?;
        let state = self.now();
        let targets = state.groups.get(group).ok_or_else(|| no_group(group))?;
        let health = targets.iter().map(|(id, target)| Some((id.clone(), state.health(id, *target)?)));
        Ok(health.flatten().collect())
    }

    async fn register(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        for some in instances.chunks(IDS_AT_ONCE) {
            self.aws(Api::RegisterTargets, 0).await?;
            self.now().register(group, some)?;
        }
        Ok(())
    }

    async fn deregister(&self, group: &GroupArn, instances: &[InstanceId]) -> Result<(), CallError> {
        for some in instances.chunks(IDS_AT_ONCE) {
            self.aws(Api::DeregisterTargets, 0).await?;
            self.now().deregister(group, some);
        }
        Ok(())
    }

    async fn weights(&self, forward: &ForwardArn) -> Result<Weights, CallError> {
        self.aws(Api::DescribeForward, 0).await?;
        let state = self.now();
        let groups = groups_of(forward, &state)?;
        Ok(state
            .weights
            .iter()
            .filter(|(group, _)| groups.contains(*group))
            .map(|(g, w)| (g.clone(), *w))
            .collect())
    }

    async fn set_weights(&self, forward: &ForwardArn, weights: &Weights) -> Result<(), CallError> {
        self.aws(Api::ModifyForward, 0).await?;
        let mut state = self.now();
        let groups = groups_of(forward, &state)?;
        if weights.keys().cloned().collect::<BTreeSet<_>>() != groups {
            return Err(CallError::refused(format!("{forward} has other groups")));
        }
        state.weights.extend(weights.clone());
        state.watch_capacity("the shares were changed");
        Ok(())
    }
}

fn no_group(group: &GroupArn) -> CallError {
    CallError::refused(format!("the target group {group} does not exist"))
}

/// The groups of a load balancer's weighted forward.
fn groups_of(forward: &ForwardArn, state: &State) -> Result<BTreeSet<GroupArn>, CallError> {
    let balancer = (0..state.sizes.balancers).find(|number| service::forward(*number) == *forward);
    let balancer = balancer.ok_or_else(|| CallError::refused(format!("{forward} does not exist")))?;
    Ok(service::groups_of(balancer).collect())
}

impl State {
    /// Within the quotas of a group and of its load balancer.
    fn register(&mut self, group: &GroupArn, ids: &[InstanceId]) -> Result<(), CallError> {
        let since_ms = self.now_ms;
        let balancer = (0..self.sizes.balancers).find(|it| service::groups_of(*it).any(|one| one == *group));
        let balancer = balancer.ok_or_else(|| no_group(group))?;
        let here = service::groups_of(balancer);
        let registered: usize = here.filter_map(|one| self.groups.get(&one)).map(BTreeMap::len).sum();
        if registered.saturating_add(ids.len()) > self.sizes.targets_max() {
            return Err(CallError::refused("TooManyTargets"));
        }
        let targets = self.groups.get_mut(group).ok_or_else(|| no_group(group))?;
        for id in ids {
            targets.entry(id.clone()).or_insert(world::Target { since_ms, gone_ms: None });
        }
        Ok(())
    }
}

#[async_trait]
impl Hooks for World {
    async fn configure(&self, _at: &Target, _command: &[String]) -> Result<(), CallError> {
        Err(CallError::bug("the AMI needs nothing"))
    }

    async fn warm_up(&self, _at: &Target, _spec: &WarmSpec) -> Result<(), CallError> {
        Err(CallError::bug("the AMI needs nothing"))
    }
}

#[async_trait]
impl Notifier for World {
    async fn announce(&self, _line: &str) -> Result<(), CallError> {
        self.other("announce", AWS_MS, false).await;
        Ok(())
    }
}
