//! What is to be done, drawn from the seed before anything begins.

use std::fmt;

use segue_api::ReleaseKind;
use segue_sandbox::faults::PrometheusFault;

/// One run's chaos.
#[derive(Debug)]
pub(super) struct Script {
    /// The steps of the canary in which the daemon is killed, in their order.
    pub(super) canary: [&'static str; 2],
    /// The step of the full release, before the handover.
    pub(super) early: &'static str,
    /// From which step on a new server is killed.
    pub(super) green_in: &'static str,
    /// Whose first launch loses its reply.
    pub(super) loses_in: ReleaseKind,
    pub(super) throttled_ms: u64,
    pub(super) blind: PrometheusFault,
    pub(super) blind_ms: u64,
    /// For what can only be chosen when it is there.
    pub(super) rng: fastrand::Rng,
}

impl Script {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut one = |of: &[&'static str]| of.get(rng.usize(..of.len())).copied().unwrap_or_default();
        let canary = [one(&["launch", "admit"]), "observe"];
        let early = one(&["launch", "admit", "observe", "close"]);
        let green_in = one(&["handover", "handover", "retire"]);
        let loses_in = if rng.bool() { ReleaseKind::Canary } else { ReleaseKind::Full };
        let blind = if rng.bool() { PrometheusFault::Down } else { PrometheusFault::Empty };
        let (throttled_ms, blind_ms) = (rng.u64(500..2_500), rng.u64(2_000..6_000));
        Self { canary, early, green_in, loses_in, throttled_ms, blind, blind_ms, rng }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            canary: [first, second], early, green_in, loses_in, throttled_ms, blind, blind_ms, ..
        } = self;
        write!(
            f,
            "the daemon dies in the canary's {first} and {second}, in the full release's {early}, twice in the \
             handover and after it; the {loses_in} release's first launch loses its reply; calls are throttled for \
             {throttled_ms} ms; Prometheus is {blind:?} for {blind_ms} ms; a new server dies from {green_in} on"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_chaos_and_seeds_differ() {
        let told = |seed| Script::of(seed).to_string();
        assert_eq!(told(7), told(7));
        let all: std::collections::BTreeSet<String> = (1..=20).map(told).collect();
        assert!(all.len() > 15, "{} of 20 differ", all.len());
    }
}
