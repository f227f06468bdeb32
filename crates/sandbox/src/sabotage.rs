//! Faults that are planted on purpose: what shows that a report's counters count.
//!
//! Each is planted at one place, in the stand-ins and in the demo's application alone; the daemon never hears
//! of it. A sandbox without `sabotage` in its configuration has none of them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::SandboxConfig;
use crate::names::{GroupArn, InstanceId};
use crate::shared::Shared;
use crate::world::{Verb, World};

/// How an instance's program is told, in its environment.
const VARIABLE: &str = "SABOTAGE";
/// How often it is looked whether the moment for a sabotage has come.
const LOOK: Duration = Duration::from_millis(20);

/// One planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Sabotage {
    /// The store takes appends of an epoch that is over
    NoFence,
    /// Version 2 acknowledges some edits that it does not store
    DropEdit,
    /// Version 2 stores some edits twice
    DoubleEdit,
    /// An old server is ended while it owns boards
    TerminateEarly,
    /// A launch is done once more than it was asked for
    LaunchTwice,
    /// Version 1 counts zero boards where it does not know how many there are
    UnknownAsZero,
}

impl Sabotage {
    /// As it is written in a configuration and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFence => "no-fence",
            Self::DropEdit => "drop-edit",
            Self::DoubleEdit => "double-edit",
            Self::TerminateEarly => "terminate-early",
            Self::LaunchTwice => "launch-twice",
            Self::UnknownAsZero => "unknown-as-zero",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        <Self as clap::ValueEnum>::value_variants().iter().copied().find(|it| it.name() == name)
    }

    /// The version of the application that has it: the oldest image is the first one.
    fn is_in_image(self, config: &SandboxConfig, version: &str) -> bool {
        let is = |image: Option<&crate::config::ImageConfig>| image.is_some_and(|it| it.version == version);
        match self {
            Self::UnknownAsZero => is(config.images.first()),
            Self::DropEdit | Self::DoubleEdit => is(config.images.last()),
            Self::NoFence | Self::TerminateEarly | Self::LaunchTwice => false,
        }
    }
}

/// What the program of an image is told besides.
pub(crate) fn environment(config: &SandboxConfig, version: &str) -> Option<(String, String)> {
    let sabotage = config.sabotage.filter(|it| it.is_in_image(config, version))?;
    Some((VARIABLE.to_owned(), sabotage.name().to_owned()))
}

/// Ends a server of the seeded fleet as soon as the fleet gets no new boards any more: its boards are there.
pub(crate) async fn terminate_early(shared: Arc<Shared>, fleet: GroupArn, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let ended = shared.with(|world, now| {
            let instance = first_without_share(world, &fleet)?;
            world.change(Verb::Terminate, std::slice::from_ref(&instance), now).ok()
        });
        if ended.is_some() {
            return;
        }
    }
}

/// Does a launch of the newest image once more, as if its token had been forgotten. Not before its fleet is whole: what
/// a canary has too many of the full release takes for its own.
pub(crate) async fn launch_twice(shared: Arc<Shared>, fleet: u16, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        if shared.with(|world, now| world.launch_again(fleet.into(), now)).is_some() {
            return;
        }
    }
}

fn first_without_share(world: &World, fleet: &GroupArn) -> Option<InstanceId> {
    let share = world.balancers.first.default.groups().iter().find(|it| it.group == *fleet)?;
    let group = world.balancers.group(fleet).ok().filter(|_| share.weight == 0)?;
    group.targets().next().map(|(key, _)| key.instance.clone())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn a_sabotage_has_one_name_everywhere() {
        for sabotage in Sabotage::value_variants() {
            let name = sabotage.name();
            assert_eq!(sabotage.to_possible_value().unwrap().get_name(), name);
            assert_eq!(serde_json::to_value(sabotage).unwrap(), name);
            assert_eq!(Sabotage::named(name), Some(*sabotage));
        }
    }

    #[test]
    fn only_the_version_that_has_the_fault_is_told() {
        let config = |sabotage| SandboxConfig { sabotage, ..SandboxConfig::default() };
        let told = |config: &SandboxConfig| ["1", "2"].map(|version| environment(config, version).is_some());
        assert_eq!(told(&config(None)), [false, false]);
        assert_eq!(told(&config(Some(Sabotage::DropEdit))), [false, true]);
        assert_eq!(told(&config(Some(Sabotage::UnknownAsZero))), [true, false]);
        assert_eq!(told(&config(Some(Sabotage::NoFence))), [false, false]);
    }
}
