//! What was asked of the sandbox: every call by name, every refusal by code, every launch.
//!
//! Kept for the whole life of the sandbox, unlike the listings of instances; a report about a release counts
//! from here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::at::At;
use super::image::Tags;
use super::instance::{Instance, InstanceState};
use super::lifecycle::Change;
use crate::names::{ClientToken, ImageId, InstanceId};

/// The ledger as `GET /admin/ledger` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Calls by action, whatever their end. What the sandbox did itself is not in it.
    pub calls: BTreeMap<String, u64>,
    /// Refusals by `Action:Code`.
    pub refused: BTreeMap<String, u64>,
    /// Calls of actions that the sandbox does not know.
    pub unknown: BTreeMap<String, u64>,
    /// How often faults struck, as `lose_response:RunInstances`.
    #[serde(default)]
    pub faults: BTreeMap<String, u64>,
    /// Every instance that was ever launched, in order.
    pub launches: Vec<LaunchRecord>,
    /// Every stop and every end that was asked for and begun, in order.
    pub ends: Vec<EndRecord>,
    /// How many of the launches are terminated now.
    pub terminated: u64,
    /// How many of the launches are stopped now.
    pub stopped: u64,
}

/// One launched instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// The instance.
    pub instance_id: InstanceId,
    /// The image it was launched from.
    pub image_id: ImageId,
    /// The token of the call that launched it.
    pub client_token: Option<ClientToken>,
    /// Its tags now.
    pub tags: Tags,
    /// Its state now, as EC2 names it.
    pub state: String,
    /// Milliseconds since the Unix epoch.
    pub launched_at_ms: u64,
}

/// An instance that was asked to stop, or to be no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRecord {
    /// The instance.
    pub instance_id: InstanceId,
    /// The state that it took, as EC2 names it.
    pub state: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Names that are kept apart in one of the maps; more are counted together. Anybody can make them up.
const NAMES_MAX: usize = 1_000;

impl Ledger {
    pub(super) fn called(&mut self, action: &str) {
        count(&mut self.calls, action.to_owned());
    }

    pub(super) fn refused(&mut self, action: &str, code: &str) {
        count(&mut self.refused, format!("{action}:{code}"));
    }

    pub(super) fn unknown(&mut self, action: &str) {
        count(&mut self.unknown, action.to_owned());
    }

    pub(super) fn struck(&mut self, name: String) {
        count(&mut self.faults, name);
    }

    /// Writes down what changes of instances did.
    pub(super) fn changed(&mut self, changes: &[Change], now: At) {
        let ends = changes.iter().filter(|change| change.before != change.after && change.after.is_end());
        self.ends.extend(ends.map(|change| EndRecord {
            instance_id: change.instance.clone(),
            state: change.after.name().to_owned(),
            at_ms: now.ms(),
        }));
    }

    /// Writes down an instance as it is now, for the first time or again.
    pub(super) fn note(&mut self, instance: &Instance) {
        let record = record_of(instance);
        let place = usize::try_from(instance.seq).unwrap_or(usize::MAX);
        match self.launches.get_mut(place) {
            Some(known) => *known = record,
            None => self.launches.push(record),
        }
    }

    pub(super) fn sum_up(&mut self) {
        let with = |state: InstanceState| {
            let n = self.launches.iter().filter(|l| l.state == state.name()).count();
            u64::try_from(n).unwrap_or(u64::MAX)
        };
        let (terminated, stopped) = (with(InstanceState::Terminated), with(InstanceState::Stopped));
        self.terminated = terminated;
        self.stopped = stopped;
    }
}

fn record_of(instance: &Instance) -> LaunchRecord {
    LaunchRecord {
        instance_id: instance.id.clone(),
        image_id: instance.image.clone(),
        client_token: instance.client_token.clone(),
        tags: instance.tags.clone(),
        state: instance.state().name().to_owned(),
        launched_at_ms: instance.launched_at.ms(),
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    let is_full = counts.len() >= NAMES_MAX && !counts.contains_key(&name);
    let n = counts.entry(if is_full { "others".to_owned() } else { name }).or_default();
    *n = n.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let mut ledger = Ledger::default();
        for n in 0..NAMES_MAX + 5 {
            ledger.called(&format!("MadeUp{n}"));
            ledger.called("MadeUp0");
        }
        assert_eq!((ledger.calls.len(), ledger.calls["others"]), (NAMES_MAX + 1, 5));
        assert_eq!(ledger.calls["MadeUp0"], u64::try_from(NAMES_MAX).expect("few") + 6);
    }
}
