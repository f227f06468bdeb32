//! What one release of a large fleet came to.

use std::collections::BTreeMap;
use std::fmt;

use segue_domain::state::ReleaseState;
use serde::Serialize;

use super::Sizes;
use super::bound::{Bound, s};
use super::journal::{Counted, Written};
use super::world::World;

/// The most that a release may take, as a multiple of the bound.
const RATIO_MAX: f64 = 1.1;

/// Everything that is told of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub instances: u32,
    pub boards: u32,
    pub balancers: u32,
    pub verdict: String,
    pub bound: Bound,
    pub bound_s: f64,
    pub took_s: f64,
    pub ratio: f64,
    /// What each step took, in the order of the steps.
    pub steps_s: Vec<(&'static str, f64)>,
    pub looks: u64,
    pub calls_of_a_tick_mean: f64,
    pub calls_of_a_tick_max: u64,
    pub calls_of_a_tick_allowed: u64,
    pub calls: BTreeMap<&'static str, u64>,
    pub throttled: BTreeMap<&'static str, u64>,
    pub boards_moved: u64,
    pub waves: u32,
    pub longest_stall_ms: u64,
    pub journal: Written,
    pub cpu_s: f64,
    pub memory_peak_mib: u64,
    /// Everything that makes it fail.
    pub violations: Vec<String>,
}

pub(super) fn of(world: &World, journal: &Counted, state: &ReleaseState, took_ms: u64) -> Report {
    let mut world = world.now();
    world.look_at_the_end();
    let Sizes { instances, boards, balancers } = world.sizes;
    let tally = state.tally(segue_domain::moves::Direction::Out);
    let steps = state.steps.iter().filter_map(|record| {
        let (_, done_at) = record.done.as_ref()?;
        Some((record.step.name(), done_at.since(record.entered_at).as_secs_f64()))
    });
    Report {
        instances,
        boards,
        balancers,
        verdict: state.verdict().map_or("none", |verdict| verdict.name()).to_owned(),
        took_s: s(took_ms),
        steps_s: steps.collect(),
        looks: world.calls.looks,
        calls_of_a_tick_mean: mean(world.calls.of_looks, world.calls.looks),
        calls_of_a_tick_max: world.calls.most_in_a_look,
        calls_of_a_tick_allowed: world.sizes.calls_of_a_tick(),
        calls: world.calls.by_name.clone(),
        throttled: world.calls.throttled.clone(),
        boards_moved: tally.boards_moved,
        waves: tally.begun,
        longest_stall_ms: world.longest_stall_ms,
        journal: journal.written(),
        violations: world.violations.iter().cloned().chain(journal.violations()).collect(),
        ..Report::default()
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "nothing here is counted up to 52 bits"
)]
fn mean(sum: u64, of: u64) -> f64 {
    sum as f64 / of.max(1) as f64
}

impl Report {
    /// What follows from the figures.
    pub(super) fn conclude(&mut self) {
        self.bound_s = s(self.bound.ms());
        self.ratio = self.took_s / self.bound_s.max(f64::EPSILON);
        if self.verdict != "released" {
            self.violations.push(format!("the release ended as {:?}", self.verdict));
        }
        if self.boards_moved != u64::from(self.boards) {
            let moved = self.boards_moved;
            self.violations.push(format!("{moved} of {} boards were moved", self.boards));
        }
        if self.ratio > RATIO_MAX {
            let ratio = self.ratio;
            self.violations.push(format!("it took {ratio:.3} times the bound, {RATIO_MAX} are allowed"));
        }
        for (bucket, calls) in &self.throttled {
            self.violations.push(format!("the bucket of {bucket} was empty for {calls} calls"));
        }
        let (most, allowed) = (self.calls_of_a_tick_max, self.calls_of_a_tick_allowed);
        if most > allowed {
            self.violations.push(format!("a tick made {most} calls, {allowed} are allowed"));
        }
    }

    /// Nothing is wrong with it.
    pub fn is_well(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instances, boards, balancers, .. } = self;
        writeln!(f, "{instances} instances, {boards} boards, {balancers} load balancers: {}", self.verdict)?;
        writeln!(f, "\nlower bound      {:>9.1} s", self.bound_s)?;
        for part in &self.bound.parts {
            writeln!(f, "  {:<15}{:>9.1} s  {}", part.name, s(part.ms), part.because)?;
        }
        writeln!(f, "\ntook             {:>9.1} s", self.took_s)?;
        for (step, took_s) in &self.steps_s {
            writeln!(f, "  {step:<15}{took_s:>9.1} s")?;
        }
        writeln!(f, "ratio            {:>9.3}    at most {RATIO_MAX}", self.ratio)?;
        let with_cpu = (self.took_s + self.cpu_s) / self.bound_s.max(f64::EPSILON);
        writeln!(f, "  with the processor's time {with_cpu:.3}")?;
        let (most, allowed) = (self.calls_of_a_tick_max, self.calls_of_a_tick_allowed);
        let (mean, looks) = (self.calls_of_a_tick_mean, self.looks);
        writeln!(
            f,
            "\ncalls of a tick  {most:>9}    at most {allowed}; {mean:.1} in the mean of {looks} ticks"
        )?;
        for (name, count) in &self.calls {
            writeln!(f, "  {name:<30}{count:>9}")?;
        }
        for (bucket, count) in &self.throttled {
            writeln!(f, "  throttled: {bucket:<30}{count:>9}")?;
        }
        writeln!(f, "\nboards moved     {:>9}    in {} waves", self.boards_moved, self.waves)?;
        writeln!(f, "longest stall    {:>9} ms", self.longest_stall_ms)?;
        let Written { appends, records, bytes, largest_record_bytes } = self.journal;
        writeln!(f, "journal          {records:>9} records, {bytes} bytes, in {appends} appends")?;
        writeln!(f, "  largest record {largest_record_bytes:>9} bytes")?;
        writeln!(f, "processor        {:>9.1} s", self.cpu_s)?;
        write!(f, "memory at most   {:>9} MiB", self.memory_peak_mib)?;
        for violation in &self.violations {
            write!(f, "\n{violation}")?;
        }
        Ok(())
    }
}
