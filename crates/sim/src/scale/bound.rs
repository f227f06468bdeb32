//! The shortest time in which a release can be done: from the configuration's numbers, AWS's published buckets and
//! what this world's machines take. Two choices of the product are in it besides, as fixed numbers of this file: the
//! trial waves and the lanes. Nothing is asked of the engine or of its policies, so whoever makes them slower is slower
//! than the bound.
//!
//! The steps of a release are goals, each reached before the next begins: their times are added up. Within a step
//! everything that may happen at one time does.

use segue_domain::service::Service;
use serde::Serialize;

use super::Sizes;
use super::buckets::{ELB_TARGETS, RUN_CALLS, RUN_INSTANCES, STOP_CALLS, STOP_INSTANCES};
use super::server::{APP_START_MS, BOOT_MS, CHECK_MS, DEREGISTRATION_DELAY_MS, DOWN_MS, SCRAPE_MS};
use super::world::{CLIENTS, CONTROL_MS};

/// Source: EC2 API, RunInstances: at most 100 instances in one call.
const BATCH: u64 = 100;

/// Boards that are carried across alone before all others, and the hundredth part of all.
const TRIALS: [u64; 2] = [1, 10];

/// Waves at one time: one for so many new servers, and so many at the most. No limit of anybody's: AWS and the
/// application would bear more, and what is right is chosen (docs/simulation.md, "Scale").
const SERVERS_OF_A_LANE: u64 = 40;
const LANES_MAX: u64 = 25;

/// What one part of a release takes at the least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    pub name: &'static str,
    pub ms: u64,
    /// From which numbers.
    pub because: String,
}

/// All parts, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bound {
    pub parts: Vec<Part>,
}

impl Bound {
    pub fn ms(&self) -> u64 {
        self.parts.iter().map(|part| part.ms).sum()
    }
}

pub(super) fn bound(sizes: Sizes, service: &Service) -> Bound {
    let parts = vec![launch(sizes), boot(), registration(sizes), bake(service)];
    let rest = [handover(sizes, service), zeros(service), deregistration(sizes), stop(sizes)];
    Bound { parts: parts.into_iter().chain(rest).collect() }
}

fn launch(sizes: Sizes) -> Part {
    let instances = u64::from(sizes.instances);
    let calls = instances.div_ceil(BATCH);
    let (by_calls, by_instances) = (RUN_CALLS.1.ms_for(calls), RUN_INSTANCES.1.ms_for(instances));
    let because = format!(
        "{calls} calls and {instances} instances: {:.0} s and {:.0} s from full buckets of RunInstances",
        s(by_calls),
        s(by_instances)
    );
    Part { name: "launch", ms: by_calls.max(by_instances), because }
}

fn boot() -> Part {
    let because = format!("{:.0} s to run, {:.0} s to answer", s(BOOT_MS), s(APP_START_MS));
    Part { name: "boot", ms: BOOT_MS + APP_START_MS, because }
}

/// Calls that register or deregister everybody of one fleet.
fn target_calls(sizes: Sizes) -> u64 {
    let balancers = u64::from(sizes.balancers.max(1));
    u64::from(sizes.instances).div_ceil(balancers).div_ceil(BATCH).saturating_mul(balancers)
}

fn registration(sizes: Sizes) -> Part {
    let calls = target_calls(sizes);
    let because = format!("{calls} calls from a full bucket, then a health check of {:.0} s", s(CHECK_MS));
    Part { name: "registration", ms: ELB_TARGETS.1.ms_for(calls) + CHECK_MS, because }
}

fn bake(service: &Service) -> Part {
    let ms = u64::try_from(service.full.bake.as_millis()).unwrap_or(u64::MAX);
    Part { name: "bake", ms, because: "configured".to_owned() }
}

/// The trial waves one after the other, then everything that is left, a wave in each lane. Each part takes until its clients are let in, or until its boards are switched,
/// whichever is longer; a switch is a seal and an activation. That somebody looks between one wave and the next is
/// the engine's, and not in here.
fn handover(sizes: Sizes, service: &Service) -> Part {
    let policy = &service.handover;
    let servers = u64::from(sizes.instances);
    let lanes = (servers / SERVERS_OF_A_LANE).clamp(1, LANES_MAX);
    let boards = u64::from(sizes.boards);
    let [one, ten] = TRIALS;
    let trials = [one, ten, boards.div_ceil(100)].map(|it| it.min(u64::from(policy.wave_boards)).min(boards));
    let ms = |boards: u64, waves: u64| {
        let let_in_ms = boards.saturating_mul(CLIENTS).saturating_mul(1_000)
            / servers.min(boards).saturating_mul(u64::from(policy.attach_rate_per_s)).max(1);
        let switching = u64::from(policy.switching_at_once).saturating_mul(waves).max(1);
        let_in_ms.max(boards.saturating_mul(2 * CONTROL_MS) / switching)
    };
    let left = boards.saturating_sub(trials.iter().sum());
    let trials_ms: u64 = trials.iter().map(|trial| ms(*trial, 1)).sum();
    let left_ms = ms(left, lanes);
    let because = format!(
        "3 trials, then {left} boards in {:.1} s by {lanes} waves at one time: {} boards switched at one time in each, \
         {} attaches a second at a server",
        s(left_ms),
        policy.switching_at_once,
        policy.attach_rate_per_s
    );
    Part { name: "handover", ms: trials_ms + left_ms, because }
}

/// The last of many servers is scraped one interval after it was emptied, and the sample that counts is so far apart.
fn zeros(service: &Service) -> Part {
    let apart_ms = u64::try_from(service.patience.zeros_apart.as_millis()).unwrap_or(u64::MAX);
    let because = format!("scraped every {:.0} s, two samples {:.0} s apart", s(SCRAPE_MS), s(apart_ms));
    Part { name: "zeros", ms: SCRAPE_MS + apart_ms.next_multiple_of(SCRAPE_MS), because }
}

fn deregistration(sizes: Sizes) -> Part {
    let calls = target_calls(sizes);
    let because = format!(
        "{calls} calls from a full bucket, then a deregistration delay of {:.0} s",
        s(DEREGISTRATION_DELAY_MS)
    );
    Part { name: "deregistration", ms: ELB_TARGETS.1.ms_for(calls) + DEREGISTRATION_DELAY_MS, because }
}

fn stop(sizes: Sizes) -> Part {
    let instances = u64::from(sizes.instances);
    let calls = instances.div_ceil(BATCH);
    let ms = STOP_CALLS.1.ms_for(calls).max(STOP_INSTANCES.1.ms_for(instances));
    let because = format!(
        "{calls} calls, {instances} instances: {:.0} s from full buckets of StopInstances, {:.0} s to be down",
        s(ms),
        s(DOWN_MS)
    );
    Part { name: "stop", ms: ms + DOWN_MS, because }
}

/// For people.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "no time here has 52 bits")]
pub(super) fn s(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::service;

    /// Fixed numbers, told once more as milliseconds: a product with fewer lanes would be slower than this, and would
    /// not move it.
    #[test]
    fn the_bound_of_the_handover_does_not_follow_the_product() {
        let service = service::service(1);
        let ms = |instances, boards| handover(Sizes::new(instances, boards), &service).ms;
        assert_eq!((ms(1_000, 100_000), ms(5_000, 1_000_000)), (6_259, 51_259));
    }
}
