//! AWS's published token buckets, as AWS keeps them: one request takes one token of its action, and what it asks for
//! takes tokens of the resource. Sources: EC2 developer guide, "Request throttling for the Amazon EC2 API"; Elastic
//! Load Balancing, "API throttling".

use std::collections::BTreeMap;

/// What a bucket holds at the most, and what flows in each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) most: u64,
    pub(super) per_s: u64,
}

impl Size {
    const fn of(most: u64, per_s: u64) -> Self {
        Self { most, per_s }
    }

    /// How long `count` tokens take from a full bucket, in milliseconds.
    pub(super) const fn ms_for(self, count: u64) -> u64 {
        count.saturating_sub(self.most).saturating_mul(1_000) / self.per_s
    }
}

/// A bucket's name, and its size.
pub(super) type Bucket = (&'static str, Size);

pub(super) const RUN_CALLS: Bucket = ("RunInstances", Size::of(5, 2));
pub(super) const RUN_INSTANCES: Bucket = ("RunInstances, instances", Size::of(1_000, 2));
pub(super) const STOP_CALLS: Bucket = ("StopInstances", Size::of(50, 5));
pub(super) const STOP_INSTANCES: Bucket = ("StopInstances, instances", Size::of(1_000, 20));
pub(super) const START_CALLS: Bucket = ("StartInstances", Size::of(5, 2));
pub(super) const START_INSTANCES: Bucket = ("StartInstances, instances", Size::of(1_000, 2));
pub(super) const TERMINATE_CALLS: Bucket = ("TerminateInstances", Size::of(100, 5));
pub(super) const TERMINATE_INSTANCES: Bucket = ("TerminateInstances, instances", Size::of(1_000, 20));
pub(super) const TAG_CALLS: Bucket = ("CreateTags", Size::of(100, 10));
const EC2_READS: Size = Size::of(100, 20);
/// Every action of Elastic Load Balancing together.
pub(super) const ELB_ALL: Bucket = ("Elastic Load Balancing", Size::of(40, 10));
pub(super) const ELB_TARGETS: Bucket = ("RegisterTargets and DeregisterTargets", Size::of(20, 4));
const ELB_CHANGES: Bucket = ("changes of Elastic Load Balancing", Size::of(20, 3));

/// One call at AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Api {
    DescribeImages,
    DescribeInstances,
    DescribeLaunchTemplates,
    DescribeSubnets,
    RunInstances,
    StartInstances,
    StopInstances,
    TerminateInstances,
    CreateTags,
    DescribeTargetHealth,
    DescribeForward,
    RegisterTargets,
    DeregisterTargets,
    ModifyForward,
}

impl Api {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DescribeImages => "DescribeImages",
            Self::DescribeInstances => "DescribeInstances",
            Self::DescribeLaunchTemplates => "DescribeLaunchTemplates",
            Self::DescribeSubnets => "DescribeSubnets",
            Self::RunInstances => "RunInstances",
            Self::StartInstances => "StartInstances",
            Self::StopInstances => "StopInstances",
            Self::TerminateInstances => "TerminateInstances",
            Self::CreateTags => "CreateTags",
            Self::DescribeTargetHealth => "DescribeTargetHealth",
            Self::DescribeForward => "DescribeListeners or DescribeRules",
            Self::RegisterTargets => "RegisterTargets",
            Self::DeregisterTargets => "DeregisterTargets",
            Self::ModifyForward => "ModifyListener or ModifyRule",
        }
    }

    pub(super) fn reads(self) -> bool {
        self.name().starts_with("Describe")
    }

    /// The buckets that it takes from: one token each, or one for each instance.
    fn buckets(self) -> (Vec<Bucket>, Option<Bucket>) {
        match self {
            Self::DescribeImages
            | Self::DescribeInstances
            | Self::DescribeLaunchTemplates
            | Self::DescribeSubnets => (vec![(self.name(), EC2_READS)], None),
            Self::RunInstances => (vec![RUN_CALLS], Some(RUN_INSTANCES)),
            Self::StartInstances => (vec![START_CALLS], Some(START_INSTANCES)),
            Self::StopInstances => (vec![STOP_CALLS], Some(STOP_INSTANCES)),
            Self::TerminateInstances => (vec![TERMINATE_CALLS], Some(TERMINATE_INSTANCES)),
            Self::CreateTags => (vec![TAG_CALLS], None),
            Self::DescribeTargetHealth | Self::DescribeForward => (vec![ELB_ALL], None),
            Self::RegisterTargets | Self::DeregisterTargets => (vec![ELB_ALL, ELB_TARGETS], None),
            Self::ModifyForward => (vec![ELB_ALL, ELB_CHANGES], None),
        }
    }
}

/// All buckets of one account in one region.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// Thousandths of a token, and when they were counted.
    left: BTreeMap<&'static str, (u64, u64)>,
}

impl Buckets {
    /// Takes what the call needs, or nothing: then the name of the bucket that is empty.
    pub(super) fn take(&mut self, api: Api, instances: usize, now_ms: u64) -> Result<(), &'static str> {
        let (calls, resource) = api.buckets();
        let instances = u64::try_from(instances).unwrap_or(u64::MAX);
        let wanted = calls.into_iter().map(|bucket| (bucket, 1));
        let wanted: Vec<(Bucket, u64)> = wanted.chain(resource.map(|bucket| (bucket, instances))).collect();
        for ((name, size), count) in &wanted {
            let left = self.left(name, *size, now_ms);
            self.left.insert(name, (left, now_ms));
            if left < count.saturating_mul(1_000) {
                return Err(name);
            }
        }
        for ((name, _), count) in wanted {
            if let Some((left, _)) = self.left.get_mut(name) {
                *left = left.saturating_sub(count.saturating_mul(1_000));
            }
        }
        Ok(())
    }

    fn left(&self, name: &str, size: Size, now_ms: u64) -> u64 {
        let full = size.most.saturating_mul(1_000);
        let (left, at_ms) = self.left.get(name).copied().unwrap_or((full, now_ms));
        left.saturating_add(now_ms.saturating_sub(at_ms).saturating_mul(size.per_s)).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_takes_from_both_of_its_buckets_or_from_none() {
        let mut buckets = Buckets::default();
        for _ in 0..5 {
            assert_eq!(buckets.take(Api::RunInstances, 180, 0), Ok(()));
        }
        assert_eq!(buckets.take(Api::RunInstances, 1, 0), Err("RunInstances"));
        assert_eq!(buckets.take(Api::RunInstances, 200, 500), Err("RunInstances, instances"));
        assert_eq!(buckets.take(Api::RunInstances, 101, 500), Ok(()));
    }

    #[test]
    fn what_a_full_bucket_holds_takes_no_time_and_what_is_more_flows_in() {
        assert_eq!(RUN_INSTANCES.1.ms_for(1_000), 0);
        assert_eq!(RUN_INSTANCES.1.ms_for(5_000), 2_000_000);
    }
}
