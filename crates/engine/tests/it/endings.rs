//! How stories must end, looked at in the world itself.

use segue_domain::instance::InstanceState;
use segue_domain::target::TargetHealth;
use segue_engine::fakes::FakeWorld;

/// Nothing was done against the laws, and no board is lost or double.
#[track_caller]
pub(crate) fn lawful(world: &FakeWorld) {
    assert_eq!(world.violations(), Vec::<String>::new());
}

/// So many servers of the version run, are open and healthy in the group; boards live on them.
#[track_caller]
pub(crate) fn serves(world: &FakeWorld, version: &str, group: &str, servers: usize) {
    let fleet = world.fleet(version, InstanceState::Running);
    assert_eq!(fleet.len(), servers, "{version}: {:?}", world.instances());
    let open = world.open_servers();
    let targets = world.targets(group);
    for id in &fleet {
        assert!(open.contains(id), "{id} is not open");
        assert_eq!(targets.get(id), Some(&TargetHealth::Healthy), "{id} in {group}");
    }
    assert_eq!(targets.len(), servers, "{group} has others: {targets:?}");
}

/// Nothing of the version runs or will, and no group lists anything of it.
#[track_caller]
pub(crate) fn is_gone(world: &FakeWorld, version: &str) {
    for state in [InstanceState::Pending, InstanceState::Running, InstanceState::Stopping] {
        assert_eq!(world.fleet(version, state), Vec::new(), "{version} {state}");
    }
    let ids: Vec<_> = world.instances().into_values().filter(|it| it.version.as_str() == version).collect();
    for group in world
        .service()
        .routing
        .first
        .slots
        .iter()
        .map(|slot| slot.group.as_str().to_owned())
        .chain(["a", "b", "canary-1"].map(str::to_owned))
    {
        let targets = world.targets(&group);
        assert!(ids.iter().all(|it| !targets.contains_key(&it.id)), "{group}: {targets:?}");
    }
}

/// The shares that are not zero.
#[track_caller]
pub(crate) fn shares(world: &FakeWorld, expected: &[(&str, u16)]) {
    let weights = world.weights();
    let shares: Vec<(&str, u16)> = weights
        .iter()
        .filter(|(_, share)| **share > 0)
        .map(|(group, share)| (group.as_str(), *share))
        .collect();
    assert_eq!(shares, expected);
}
