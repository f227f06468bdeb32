//! How many instances there is room for: the account's limits, a zone's capacity, a subnet's addresses.
//!
//! A launch gets as many as there is room for, and is refused when that is less than its minimum; a start is
//! refused as a whole. What is stopped or terminated takes no room but its address.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits>

use std::collections::BTreeMap;

use super::cloud::Cloud;
use super::instance::{Instance, InstanceState};
use super::refusal::Ec2Refusal;
use super::subnet::Subnet;
use crate::names::{InstanceId, SubnetId};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) subnet: &'a SubnetId,
    pub(super) instance_type: &'a str,
}

impl Cloud {
    /// As many as asked for, as far as there is room, and at least the minimum.
    pub(super) fn room_to_launch(&self, wanted: Wanted<'_>) -> Result<u32, Ec2Refusal> {
        let Wanted { min, max, subnet: id, instance_type } = wanted;
        let alive = self.instances().filter(|i| i.state() != InstanceState::Terminated).count();
        let limit = self.settings.instances_max;
        let room = limit.saturating_sub(u32::try_from(alive).unwrap_or(u32::MAX));
        if room < min {
            return Err(Ec2Refusal::InstanceLimit { wanted: min, limit });
        }
        let vcpus = self.room_by_vcpus(instance_type);
        if vcpus < min {
            return Err(self.vcpu_limit());
        }
        let subnet = self.subnets.get(id).ok_or_else(|| Ec2Refusal::SubnetNotFound(id.clone()))?;
        let in_zone = self.room_in_zone(&subnet.zone);
        if in_zone < min {
            return Err(self.no_capacity(&subnet.zone, instance_type));
        }
        let free = u32::try_from(subnet.free_addresses()).unwrap_or(u32::MAX);
        if free < min {
            return Err(Ec2Refusal::NoFreeAddresses { subnet: id.clone() });
        }
        Ok(max.min(room).min(vcpus).min(in_zone).min(free))
    }

    /// Whether there is room for those that are stopped.
    pub(super) fn check_room_to_start(&self, ids: &[InstanceId]) -> Result<(), Ec2Refusal> {
        let stopped = ids.iter().filter_map(|id| self.instance(id));
        let stopped: Vec<_> = stopped.filter(|i| i.state() == InstanceState::Stopped).collect();
        if let Some(max) = self.settings.vcpus_max {
            let more: u32 = stopped.iter().map(|i| vcpus_of(&i.instance_type)).sum();
            if self.vcpus_used().saturating_add(more) > max {
                return Err(self.vcpu_limit());
            }
        }
        let mut by_zone: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
        for instance in stopped {
            by_zone.entry(&instance.zone).or_default().push(instance);
        }
        for (zone, wanted) in by_zone {
            let too_many = u32::try_from(wanted.len()).is_ok_and(|n| n > self.room_in_zone(zone));
            if let (true, Some(one)) = (too_many, wanted.first()) {
                return Err(self.no_capacity(zone, &one.instance_type));
            }
        }
        Ok(())
    }

    /// The refusal of a zone that has no room, with those that may have some.
    pub(super) fn no_capacity(&self, zone: &str, instance_type: &str) -> Ec2Refusal {
        let zones = self.subnets.values().map(|subnet: &Subnet| subnet.zone.clone());
        let mut others: Vec<_> = zones.filter(|other| other != zone).collect();
        others.sort();
        Ec2Refusal::NoCapacity { instance_type: instance_type.to_owned(), zone: zone.to_owned(), others }
    }

    fn room_by_vcpus(&self, instance_type: &str) -> u32 {
        let Some(max) = self.settings.vcpus_max else { return u32::MAX };
        let left = max.saturating_sub(self.vcpus_used());
        left.checked_div(vcpus_of(instance_type)).unwrap_or(u32::MAX)
    }

    fn vcpus_used(&self) -> u32 {
        self.instances().filter(|i| takes_room(i)).map(|i| vcpus_of(&i.instance_type)).sum()
    }

    fn vcpu_limit(&self) -> Ec2Refusal {
        Ec2Refusal::VcpuLimit { limit: self.settings.vcpus_max.unwrap_or(u32::MAX) }
    }

    fn room_in_zone(&self, zone: &str) -> u32 {
        let Some(max) = self.settings.zone_max else { return u32::MAX };
        let used = self.instances().filter(|i| takes_room(i)).filter(|i| i.zone == zone).count();
        max.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }
}

fn takes_room(instance: &Instance) -> bool {
    !matches!(instance.state(), InstanceState::Stopped | InstanceState::Terminated)
}

/// The vCPUs of a type, by the size in its name: two up to `large`, four times N in `Nxlarge`.
/// A size that is not known (`metal`) counts as two.
fn vcpus_of(instance_type: &str) -> u32 {
    let size = instance_type.split_once('.').map_or("", |(_, size)| size);
    match size.strip_suffix("xlarge") {
        Some("") => 4,
        Some(times) => times.parse::<u32>().map_or(2, |times| times.saturating_mul(4)),
        None => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcpus_are_told_by_the_size() {
        let known = [("m7i.large", 2), ("m7i.xlarge", 4), ("c7g.4xlarge", 16), ("t3.micro", 2), ("odd", 2)];
        for (instance_type, vcpus) in known {
            assert_eq!(vcpus_of(instance_type), vcpus, "{instance_type}");
        }
    }
}
