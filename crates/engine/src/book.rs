//! Where instances are spoken to, by EC2's last word.

use std::collections::BTreeMap;

use segue_domain::ids::InstanceId;
use segue_domain::instance::{Instance, InstanceState};

use crate::ports::{CallError, Target};

/// Private addresses of running instances. It is as old as the observation that it comes from; a call that
/// reaches another instance at a reused address is refused there, because it names the instance that it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AddressBook {
    addresses: BTreeMap<InstanceId, String>,
    generation: u64,
}

impl AddressBook {
    pub(crate) fn new(instances: Option<&BTreeMap<InstanceId, Instance>>, generation: u64) -> Self {
        let running = instances.into_iter().flatten().filter(|(_, instance)| may_answer(instance.state));
        let addresses = running.filter_map(|(id, instance)| Some((id.clone(), instance.address.clone()?)));
        Self { addresses: addresses.collect(), generation }
    }

    pub(crate) fn target(&self, id: &InstanceId) -> Option<Target> {
        let address = self.addresses.get(id)?.clone();
        Some(Target { instance: id.clone(), address, generation: self.generation })
    }

    /// The target, or a failure of a call that was not sent: an instance that has no address now may have one
    /// at the next look.
    pub(crate) fn reach(&self, id: &InstanceId) -> Result<Target, CallError> {
        self.target(id).ok_or_else(|| CallError::retry(format!("{id} has no address to be spoken to at")))
    }

    /// Everyone who may answer, in order of ids.
    pub(crate) fn everyone(&self) -> impl Iterator<Item = &InstanceId> {
        self.addresses.keys()
    }
}

fn may_answer(state: InstanceState) -> bool {
    match state {
        InstanceState::Running | InstanceState::Pending | InstanceState::Stopping => true,
        InstanceState::Stopped | InstanceState::ShuttingDown | InstanceState::Terminated => false,
    }
}
