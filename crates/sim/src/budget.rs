//! S23: readings at EC2 stay within its token buckets.

use std::collections::BTreeMap;

use segue_engine::fakes::{Law, Method, Port, Site};

/// Tokens of each action, in thousandths, and when they were counted.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    left: BTreeMap<Method, (u64, u64)>,
    is_broken: bool,
}

impl Budget {
    /// Takes one token; the violation, once, when there is none.
    pub(crate) fn s23_api_budget(&mut self, site: &Site) -> Option<String> {
        let (most, per_s) = bucket(site.method)?;
        let full = most * 1_000;
        let (left, at_ms) = self.left.get(&site.method).copied().unwrap_or((full, site.now_ms));
        let left = left.saturating_add((site.now_ms - at_ms) * per_s).min(full);
        self.left.insert(site.method, (left.saturating_sub(1_000), site.now_ms));
        let is_first = left < 1_000 && !std::mem::replace(&mut self.is_broken, left < 1_000);
        is_first.then(|| {
            format!("{}: {} ms: the bucket of {} is empty", Law::ApiBudget, site.now_ms, site.method)
        })
    }
}

/// What a bucket holds, and what flows in each second. What changes something is paced by the engine, and
/// looked at in `scale`.
/// Source: EC2 developer guide, "Request throttling for the Amazon EC2 API".
fn bucket(method: Method) -> Option<(u64, u64)> {
    (method.port() == Port::Cloud && method.reads()).then_some((100, 20))
}
