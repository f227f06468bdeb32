//! The figures of many runs: added up, printed for people and written as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::lately::Lately;
use crate::run::Outcome;

/// Failures that are told one by one.
const TOLD: usize = 20;

/// What many runs came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    pub runs: u64,
    /// Runs in which a law was broken.
    pub violated: u64,
    pub ends: BTreeMap<String, u64>,
    pub calls: u64,
    /// Calls that were struck, by the kind of fault.
    pub struck: BTreeMap<&'static str, u64>,
    pub deaths: u64,
    /// Runs in which a daemon died more than once.
    pub died_twice: u64,
    pub virtual_hours: f64,
    pub seconds: f64,
    pub runs_per_s: f64,
    /// The first of those that failed.
    pub failures: Vec<Failure>,
}

/// A run that failed: what was run, and the laws that it broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub run: String,
    pub violations: Vec<String>,
    /// What was done last before the first of them; none of what is no run.
    pub lately: Option<Lately>,
}

impl Figures {
    pub fn add(&mut self, run: &str, outcome: &Outcome, lately: Option<Lately>) {
        self.runs += 1;
        for (end, count) in &outcome.ends {
            *self.ends.entry(end.clone()).or_insert(0) += count;
        }
        self.calls += outcome.calls;
        for struck in &outcome.struck {
            *self.struck.entry(struck.kind.name()).or_insert(0) += 1;
        }
        self.deaths += outcome.deaths;
        self.died_twice += u64::from(outcome.deaths > 1);
        self.virtual_hours += Duration::from_millis(outcome.virtual_ms).as_secs_f64() / 3_600.0;
        self.judge(run, &outcome.violations, lately);
    }

    /// Counts violations, if there are any, perhaps of something that is no run of its own.
    pub(super) fn judge(&mut self, run: &str, violations: &[String], lately: Option<Lately>) {
        if violations.is_empty() {
            return;
        }
        self.violated += 1;
        if self.failures.len() < TOLD {
            let violations = violations.to_vec();
            self.failures.push(Failure { run: run.to_owned(), violations, lately });
        }
    }

    pub fn took(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
        let runs = u32::try_from(self.runs).unwrap_or(u32::MAX);
        self.runs_per_s = f64::from(runs) / self.seconds.max(f64::EPSILON);
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.run)?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))?;
        self.lately.iter().try_for_each(|lately| write!(f, "\n{lately}"))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        writeln!(f, "runs           {}", self.runs)?;
        writeln!(f, "violated       {}", self.violated)?;
        writeln!(f, "ends           {}", list(&self.ends))?;
        writeln!(f, "calls          {}", self.calls)?;
        writeln!(f, "struck         {}", list(&self.struck))?;
        writeln!(f, "deaths         {}", self.deaths)?;
        writeln!(f, "died twice     {}", self.died_twice)?;
        writeln!(f, "virtual hours  {:.1}", self.virtual_hours)?;
        write!(f, "time           {:.1} s, {:.1} runs/s", self.seconds, self.runs_per_s)
    }
}

fn list<K: fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}
