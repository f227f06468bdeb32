//! Token buckets: how many calls AWS takes, by its published figures.
//!
//! Sources: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html> (a bucket of calls for
//! each action, and for launches and their like one of instances) and
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html> (one for all
//! actions, and one for each kind). A refused call takes nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::at::At;

/// Whether calls are counted against AWS's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenBuckets {
    /// Every call is taken.
    #[default]
    Off,
    /// As an account without a raised limit has them.
    Aws,
}

/// What a call of EC2 weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ec2Call<'a> {
    pub(crate) action: &'a str,
    pub(crate) listing: Listing,
    /// Instances that it asks for or names.
    pub(crate) instances: u32,
}

/// How much a call that lists wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// It has a filter or a page size.
    Narrowed,
    Whole,
}

/// Tokens that a bucket holds at most, and how many flow in each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    most: u32,
    per_s: u32,
}

const fn size(most: u32, per_s: u32) -> Size {
    Size { most, per_s }
}

/// Tokens out of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toll {
    bucket: String,
    size: Size,
    tokens: u32,
}

fn toll(bucket: impl Into<String>, size: Size, tokens: u32) -> Toll {
    Toll { bucket: bucket.into(), size, tokens }
}

/// What EC2 takes for a call.
pub(crate) fn ec2_tolls(call: Ec2Call<'_>) -> Vec<Toll> {
    let Ec2Call { action, listing, instances } = call;
    let by_call = match (action, listing) {
        ("DescribeInstances" | "DescribeInstanceStatus", Listing::Whole) => {
            return vec![toll(format!("{action}, whole"), size(50, 10), 1)];
        }
        ("RunInstances" | "StartInstances", _) => size(5, 2),
        ("TerminateInstances", _) => size(100, 5),
        ("CreateTags", _) => size(100, 10),
        (other, _) if other.starts_with("Describe") => size(100, 20),
        _ => size(50, 5),
    };
    let by_instance = match action {
        "RunInstances" | "StartInstances" => Some(size(1_000, 2)),
        "TerminateInstances" | "StopInstances" => Some(size(1_000, 20)),
        _ => None,
    };
    let mut tolls = vec![toll(action, by_call, 1)];
    tolls.extend(by_instance.map(|size| toll(format!("{action}, instances"), size, instances)));
    tolls
}

/// What Elastic Load Balancing takes for a call.
pub(crate) fn elb_tolls(action: &str) -> Vec<Toll> {
    let by_kind = match action {
        "RegisterTargets" | "DeregisterTargets" => toll("targets", size(20, 4), 1),
        other if other.starts_with("Describe") => toll("looks", size(40, 10), 1),
        _ => toll("changes", size(20, 3), 1),
    };
    vec![toll("balancing", size(40, 10), 1), by_kind]
}

/// One bucket, in thousandths of a token: a millisecond brings as many as a second brings tokens.
#[derive(Debug)]
struct Bucket {
    size: Size,
    thousandths: u64,
    at: At,
}

impl Bucket {
    fn fill(&mut self, now: At) {
        let ms = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let most = u64::from(self.size.most).saturating_mul(1_000);
        let come = ms.saturating_mul(self.size.per_s.into());
        self.thousandths = self.thousandths.saturating_add(come).min(most);
        self.at = now;
    }
}

/// The account's buckets; one that was never used is full.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) count: TokenBuckets,
    by_name: HashMap<String, Bucket>,
}

impl Buckets {
    /// Takes all tolls, or nothing when one bucket has too little.
    pub(super) fn take(&mut self, tolls: &[Toll], now: At) -> bool {
        if self.count == TokenBuckets::Off {
            return true;
        }
        for Toll { bucket, size, .. } in tolls {
            let full = u64::from(size.most).saturating_mul(1_000);
            let new = || Bucket { size: *size, thousandths: full, at: now };
            self.by_name.entry(bucket.clone()).or_insert_with(new).fill(now);
        }
        let cost = |toll: &Toll| u64::from(toll.tokens).saturating_mul(1_000);
        let affordable =
            |toll: &Toll| self.by_name.get(&toll.bucket).is_some_and(|b| b.thousandths >= cost(toll));
        if !tolls.iter().all(affordable) {
            return false;
        }
        for toll in tolls {
            if let Some(bucket) = self.by_name.get_mut(&toll.bucket) {
                bucket.thousandths = bucket.thousandths.saturating_sub(cost(toll));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        Buckets { count: TokenBuckets::Aws, ..Buckets::default() }
    }

    /// How many calls at once are taken.
    fn burst(buckets: &mut Buckets, tolls: &[Toll], now: At) -> u32 {
        (0..2_000).take_while(|_| buckets.take(tolls, now)).map(|_| 1).sum()
    }

    fn ec2(action: &str, listing: Listing, instances: u32) -> Vec<Toll> {
        ec2_tolls(Ec2Call { action, listing, instances })
    }

    #[test]
    fn five_launches_at_once_and_two_a_second_after_that() {
        let mut buckets = buckets();
        let launch = ec2("RunInstances", Listing::Whole, 1);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(0)), 5);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(499)), 0);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(500)), 1);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(1_500)), 2);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(600_000)), 5, "never more than it holds");
    }

    #[test]
    fn a_thousand_instances_and_two_a_second_after_that() {
        let mut buckets = buckets();
        let launch = |instances| ec2("RunInstances", Listing::Whole, instances);
        assert!(buckets.take(&launch(999), At::from_ms(0)));
        assert!(!buckets.take(&launch(2), At::from_ms(0)), "one is left");
        assert!(buckets.take(&launch(1), At::from_ms(0)), "and was not taken by the refusal");
        assert!(buckets.take(&launch(2), At::from_ms(1_000)));
        assert!(!buckets.take(&launch(1), At::from_ms(1_000)));
    }

    #[test]
    fn who_asks_for_everything_is_refused_sooner() {
        let mut buckets = buckets();
        let now = At::from_ms(0);
        assert_eq!(burst(&mut buckets, &ec2("DescribeInstances", Listing::Whole, 0), now), 50);
        assert_eq!(burst(&mut buckets, &ec2("DescribeInstances", Listing::Narrowed, 0), now), 100);
        assert_eq!(burst(&mut buckets, &ec2("DescribeSubnets", Listing::Whole, 0), now), 100);
    }

    #[test]
    fn all_calls_of_the_load_balancer_share_forty() {
        let mut buckets = buckets();
        let now = At::from_ms(0);
        assert_eq!(burst(&mut buckets, &elb_tolls("RegisterTargets"), now), 20);
        assert_eq!(burst(&mut buckets, &elb_tolls("DeregisterTargets"), now), 0, "one bucket for both");
        assert_eq!(burst(&mut buckets, &elb_tolls("DescribeRules"), now), 20, "what is left of forty");
        assert_eq!(burst(&mut buckets, &elb_tolls("ModifyRule"), now), 0);
    }

    #[test]
    fn nothing_is_counted_unless_the_configuration_wants_it() {
        let mut buckets = Buckets::default();
        let launch = ec2("RunInstances", Listing::Whole, 1);
        assert_eq!(burst(&mut buckets, &launch, At::from_ms(0)), 2_000);
    }
}
