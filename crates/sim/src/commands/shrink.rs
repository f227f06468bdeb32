//! `shrink`: the smallest plan that still breaks a law, found by leaving things out.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use tokio::time::Instant;

use super::played;
use crate::plan::Plan;
use crate::strike::Struck;

/// A plan that fails, made smaller. One that breaks no law is left as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shrunk {
    /// Runs that it took.
    pub runs: u64,
    pub seconds: f64,
    /// Happenings and strikes that are left.
    pub happenings: usize,
    pub strikes: usize,
    pub violations: Vec<String>,
    pub plan: Plan,
}

/// Makes a failing plan smaller.
pub fn shrink(plan: &Plan) -> Shrunk {
    let began = Instant::now();
    let first = played(plan, &[]);
    let violations = first.violations;
    let mut shrunk =
        Shrunk { runs: 1, seconds: 0.0, happenings: 0, strikes: 0, violations, plan: plan.clone() };
    if !shrunk.violations.is_empty() {
        // From here on it is a list: leaving one strike out moves no other.
        shrunk.try_smaller(plan.as_struck(&first.struck));
        shrunk.try_smaller(Plan { daemons: 1, ..shrunk.plan.clone() });
        shrunk.try_smaller(Plan { clocks_off_ms: 0, ..shrunk.plan.clone() });
        shrunk.leave_happenings_out();
        shrunk.leave_strikes_out();
        shrunk.leave_happenings_out();
    }
    (shrunk.happenings, shrunk.strikes) = (shrunk.plan.happenings.len(), shrunk.strikes().len());
    shrunk.seconds = began.elapsed().as_secs_f64();
    shrunk
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        writeln!(f, "runs        {}", self.runs)?;
        writeln!(f, "happenings  {}", self.happenings)?;
        writeln!(f, "strikes     {}", self.strikes)?;
        write!(f, "time        {:.1} s", self.seconds)
    }
}

impl Shrunk {
    /// Keeps the smaller one if it fails as well.
    fn try_smaller(&mut self, plan: Plan) -> bool {
        self.runs += 1;
        let outcome = played(&plan, &[]);
        let fails = !outcome.violations.is_empty();
        if fails {
            (self.plan, self.violations) = (plan, outcome.violations);
        }
        fails
    }

    fn leave_happenings_out(&mut self) {
        for place in (0..self.plan.happenings.len()).rev() {
            let mut smaller = self.plan.clone();
            smaller.happenings.remove(place);
            self.try_smaller(smaller);
        }
    }

    /// Halves, quarters and so on, down to single strikes.
    fn leave_strikes_out(&mut self) {
        let mut size = self.strikes().len();
        while size > 0 {
            for part in self.strikes().chunks(size) {
                let rest: BTreeSet<Struck> =
                    self.strikes().into_iter().filter(|strike| !part.contains(strike)).collect();
                self.try_smaller(Plan { strikes: Some(rest), ..self.plan.clone() });
            }
            size /= 2;
        }
    }

    fn strikes(&self) -> Vec<Struck> {
        self.plan.strikes.iter().flatten().cloned().collect()
    }
}
