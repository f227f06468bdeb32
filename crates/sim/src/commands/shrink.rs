//! `shrink`: the smallest plan that still breaks a law, found by leaving things out.

use std::collections::BTreeSet;

use super::played;
use crate::plan::Plan;
use crate::strike::Struck;

/// A plan that fails, made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    pub plan: Plan,
    pub violations: Vec<String>,
    /// Runs that it took.
    pub runs: u64,
}

/// Makes a failing plan smaller; none when it does not fail.
pub fn shrink(plan: &Plan) -> Option<Shrunk> {
    let first = played(plan, &[]);
    if first.violations.is_empty() {
        return None;
    }
    // From here on it is a list: leaving one strike out moves no other.
    let mut shrunk = Shrunk { plan: plan.clone(), violations: first.violations, runs: 1 };
    shrunk.try_smaller(plan.as_struck(&first.struck));
    shrunk.try_smaller(Plan { daemons: 1, ..shrunk.plan.clone() });
    shrunk.try_smaller(Plan { clocks_off_ms: 0, ..shrunk.plan.clone() });
    shrunk.leave_happenings_out();
    shrunk.leave_strikes_out();
    shrunk.leave_happenings_out();
    Some(shrunk)
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
