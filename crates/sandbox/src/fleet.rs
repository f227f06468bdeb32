//! The fleet that runs already when the sandbox is ready: launched, registered and healthy, by the same calls
//! that a client would make, but not counted as calls.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::config::{FleetConfig, LaunchedBy, SandboxConfig};
use crate::names::{GroupArn, InstanceId};
use crate::ready::{Ready, Slot};
use crate::seed::BLUE;
use crate::shared::Shared;
use crate::world::{
    Health, Instance, InstanceState, LaunchRequest, Protection, TemplateChoice, TemplateName, VersionSpec,
    World,
};

/// How long the whole fleet may take to be healthy.
const LIMIT: Duration = Duration::from_mins(1);
/// What the keys of AWS's own tags begin with.
const RESERVED: &str = "aws:";
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(10);

/// Launches the fleet, each instance with a route slot of its own, and waits until all of it is healthy.
pub(crate) async fn launch(
    shared: &Shared,
    config: &SandboxConfig,
    ready: &Ready,
) -> anyhow::Result<Vec<InstanceId>> {
    let Some(fleet) = &config.fleet else { return Ok(Vec::new()) };
    let mut instances = Vec::new();
    for number in 0..usize::from(fleet.count) {
        let request = request(config, fleet, ready, number)?;
        let launched = shared.with(|world, now| world.launch(request, now))?;
        // AWS itself writes tags that nobody else may.
        let reserved = fleet.tags.iter().filter(|(key, _)| key.starts_with(RESERVED));
        let reserved = reserved.map(|(key, value)| (key.clone(), value.clone())).collect();
        shared.with(|world, _| world.cloud.seed_tags(&launched.instances, &reserved));
        instances.extend(launched.instances);
    }
    wait(shared, "running", &instances, has_booted).await?;
    let mut places = Vec::new();
    for (number, instance) in instances.iter().enumerate() {
        let Place { group, slot } = place(ready, number)?;
        for group in std::iter::once(group).chain(slot.map(|slot| &slot.target_group)) {
            register(shared, group, [instance])?;
            places.push((instance, group));
        }
    }
    for (instance, group) in places {
        let one = std::slice::from_ref(instance);
        wait(shared, "healthy", one, |world, id| is_healthy(world, group, id)).await?;
    }
    Ok(instances)
}

/// Where an instance of the fleet serves.
struct Place<'a> {
    group: &'a GroupArn,
    /// None where nobody has one.
    slot: Option<&'a Slot>,
}

/// They stand at the load balancers in turn.
fn place(ready: &Ready, number: usize) -> anyhow::Result<Place<'_>> {
    let first = (&ready.target_groups, &ready.slots);
    let all: Vec<_> =
        std::iter::once(first).chain(ready.others.iter().map(|it| (&it.target_groups, &it.slots))).collect();
    let own = number.checked_rem(all.len()).and_then(|at| all.get(at));
    let (groups, slots) = own.context("there is no load balancer")?;
    let group = groups.get(BLUE).context("there is no group for the fleet")?;
    let slot = number.checked_div(all.len()).and_then(|turn| slots.get(turn));
    Ok(Place { group, slot })
}

fn request(
    config: &SandboxConfig,
    fleet: &FleetConfig,
    ready: &Ready,
    number: usize,
) -> anyhow::Result<LaunchRequest> {
    let image = ready.images.get(&fleet.version).context("the fleet's version has no image")?;
    let slot = place(ready, number)?.slot;
    ensure!(slot.is_some() || config.slots == 0, "the fleet has more instances than there are slots");
    let zone = number.checked_rem(ready.subnets.len()).and_then(|zone| ready.subnets.get(zone));
    Ok(LaunchRequest {
        template: Some(TemplateChoice {
            name: TemplateName::Id(ready.launch_template.clone()),
            version: VersionSpec::Latest,
        }),
        image: Some(image.clone()),
        instance_type: None,
        subnet: zone.cloned(),
        user_data: slot.map(|slot| format!("ROUTE={}\n", slot.value).into_bytes()),
        tags: tags(config, fleet).into_iter().filter(|(key, _)| !key.starts_with(RESERVED)).collect(),
        protection: Protection::Off,
        min: 1,
        max: 1,
        token: Some(format!("seed-{number}").into()),
    })
}

/// As if an earlier release had launched them, unless somebody else did.
fn tags(config: &SandboxConfig, fleet: &FleetConfig) -> BTreeMap<String, String> {
    let mut tags = match fleet.launched_by {
        LaunchedBy::Segue => tags_of_a_release(config, fleet),
        LaunchedBy::Others => BTreeMap::new(),
    };
    tags.extend(fleet.tags.clone());
    tags
}

fn tags_of_a_release(config: &SandboxConfig, fleet: &FleetConfig) -> BTreeMap<String, String> {
    [
        ("segue:managed-by", "segue"),
        ("segue:service", config.service.as_str()),
        ("segue:version", fleet.version.as_str()),
        ("segue:release", "seed"),
        ("segue:batch", "0"),
        ("segue:attempt", "0"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn register<'a>(
    shared: &Shared,
    group: &GroupArn,
    instances: impl IntoIterator<Item = &'a InstanceId>,
) -> anyhow::Result<()> {
    let targets: Vec<_> = instances.into_iter().map(|id| (id.clone(), None)).collect();
    shared.with(|world, now| world.balancers.register(&world.cloud, group, &targets, now))?;
    Ok(())
}

/// How far an instance is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    There,
    NotYet,
    /// What has become of it instead.
    Never(&'static str),
}

fn has_booted(world: &World, id: &InstanceId) -> Progress {
    match world.cloud.instance(id).map(Instance::state) {
        Some(InstanceState::Running) => Progress::There,
        Some(InstanceState::Pending) => Progress::NotYet,
        Some(
            ended @ (InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::ShuttingDown
            | InstanceState::Terminated),
        ) => Progress::Never(ended.name()),
        None => Progress::Never("gone"),
    }
}

fn is_healthy(world: &World, group: &GroupArn, id: &InstanceId) -> Progress {
    // Only what runs can become healthy.
    match has_booted(world, id) {
        Progress::There => {}
        other @ (Progress::NotYet | Progress::Never(_)) => return other,
    }
    let Ok(group) = world.balancers.group(group) else { return Progress::Never("without its group") };
    let target = group.targets().find(|(key, _)| key.instance == *id).map(|(_, target)| target);
    match target.zip(world.cloud.instance(id)).map(|(target, instance)| target.health(instance)) {
        Some(Some(Health::Healthy { .. })) => Progress::There,
        Some(Some(Health::Registering | Health::Initial { .. } | Health::Unhealthy { .. })) => {
            Progress::NotYet
        }
        Some(None) => Progress::Never("draining"),
        None => Progress::Never("not registered"),
    }
}

/// Waits until all are as they should be; one that never will be ends the wait.
async fn wait(
    shared: &Shared,
    wanted: &'static str,
    instances: &[InstanceId],
    progress: impl Fn(&World, &InstanceId) -> Progress,
) -> anyhow::Result<()> {
    let all_are = async {
        for id in instances {
            loop {
                match shared.with(|world, _| progress(world, id)) {
                    Progress::There => break,
                    Progress::NotYet => tokio::time::sleep(LOOK).await,
                    Progress::Never(what) => {
                        bail!("the seeded instance {id} is {what} and will not be {wanted}; see its log")
                    }
                }
            }
        }
        Ok(())
    };
    let waited = tokio::time::timeout(LIMIT, all_are).await;
    waited.with_context(|| format!("the seeded fleet was not {wanted} within {} s", LIMIT.as_secs()))?
}
