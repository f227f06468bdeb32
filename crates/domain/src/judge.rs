//! Whether new instances did well under real traffic. A plain comparison, until there is statistics.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Vital;
use crate::ids::InstanceId;

/// What was seen of both fleets from the beginning of the bake to its end. Everything known, or it is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence<'a> {
    pub green: &'a BTreeSet<InstanceId>,
    pub blue: &'a BTreeSet<InstanceId>,
    pub before: &'a BTreeMap<InstanceId, Vital>,
    pub after: BTreeMap<InstanceId, Vital>,
    /// Most boards held at one time; none when never enough.
    pub enough_boards: Option<u64>,
    pub min_boards: u64,
    pub max_error_ratio: u64,
}

/// What the judge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Passed,
    Failed(String),
    /// Nothing can be said: a person must.
    Undecided(Vec<String>),
}

/// Judges at the end of a bake.
pub fn judge(evidence: &Evidence<'_>) -> Judgement {
    let mut missing = Vec::new();
    if evidence.min_boards > 0 && evidence.enough_boards.is_none() {
        missing.push(format!("it never held {} boards", evidence.min_boards));
    }
    for id in evidence.green {
        match (evidence.before.get(id), evidence.after.get(id)) {
            (Some(before), Some(after)) if before.started_at_ms != after.started_at_ms => {
                return Judgement::Failed(format!("{id} was restarted during the bake"));
            }
            (Some(before), Some(after)) if after.errors < before.errors => {
                missing.push(format!("its errors went back without a restart: {id}"));
            }
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => missing.push(format!("its errors are not known: {id}")),
        }
    }
    let green = errors(evidence, evidence.green);
    let blue = errors(evidence, evidence.blue);
    if green.instances == 0 && missing.is_empty() {
        missing.push("there is no new instance to judge".to_owned());
    }
    if blue.instances == 0 {
        missing.push("no blue instance's errors are known to compare with".to_owned());
    }
    if !missing.is_empty() {
        return Judgement::Undecided(missing);
    }
    // green / green.instances > ratio * blue / blue.instances, without division.
    let here = u128::from(green.errors) * u128::from(blue.instances);
    let allowed = (u128::from(blue.errors) * u128::from(green.instances))
        .saturating_mul(evidence.max_error_ratio.into());
    if here > allowed {
        return Judgement::Failed(format!(
            "{} errors on {} new instances, {} on {} old ones: more than {} times as many each",
            green.errors, green.instances, blue.errors, blue.instances, evidence.max_error_ratio
        ));
    }
    Judgement::Passed
}

struct Errors {
    errors: u64,
    instances: u64,
}

/// Errors that were counted during the bake. An instance that restarted, or is not known at both ends, says
/// nothing.
fn errors(evidence: &Evidence<'_>, fleet: &BTreeSet<InstanceId>) -> Errors {
    let mut sum = Errors { errors: 0, instances: 0 };
    for id in fleet {
        let (Some(before), Some(after)) = (evidence.before.get(id), evidence.after.get(id)) else { continue };
        if before.started_at_ms == after.started_at_ms && after.errors >= before.errors {
            sum.errors = sum.errors.saturating_add(after.errors - before.errors);
            sum.instances += 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vital(errors: u64, started_at_ms: u64) -> Vital {
        Vital { errors, started_at_ms }
    }

    #[track_caller]
    fn check(
        boards: Option<u64>,
        green: (Vital, Option<Vital>),
        blue: (Vital, Option<Vital>),
        verdict: &str,
    ) {
        let (g, b) = (InstanceId::new("i-green"), InstanceId::new("i-blue"));
        let mut after = BTreeMap::new();
        after.extend(green.1.map(|vital| (g.clone(), vital)));
        after.extend(blue.1.map(|vital| (b.clone(), vital)));
        let judgement = judge(&Evidence {
            green: &BTreeSet::from([g.clone()]),
            blue: &BTreeSet::from([b.clone()]),
            before: &BTreeMap::from([(g, green.0), (b, blue.0)]),
            after,
            enough_boards: boards,
            min_boards: 5,
            max_error_ratio: 2,
        });
        let said = match judgement {
            Judgement::Passed => "passed",
            Judgement::Failed(_) => "failed",
            Judgement::Undecided(_) => "undecided",
        };
        assert_eq!(said, verdict);
    }

    #[test]
    fn a_canary_with_boards_and_as_many_errors_as_blue_passes() {
        check(Some(5), (vital(0, 1), Some(vital(4, 1))), (vital(10, 1), Some(vital(12, 1))), "passed");
    }

    #[test]
    fn more_than_twice_blues_errors_fail_it() {
        check(Some(5), (vital(0, 1), Some(vital(5, 1))), (vital(10, 1), Some(vital(12, 1))), "failed");
        check(Some(5), (vital(0, 1), Some(vital(1, 1))), (vital(0, 1), Some(vital(0, 1))), "failed");
    }

    #[test]
    fn a_restart_fails_it() {
        check(Some(5), (vital(0, 1), Some(vital(0, 2))), (vital(0, 1), Some(vital(0, 1))), "failed");
    }

    #[test]
    fn a_counter_that_went_back_without_a_restart_passes_nothing() {
        check(Some(5), (vital(9, 1), Some(vital(3, 1))), (vital(0, 1), Some(vital(0, 1))), "undecided");
        check(Some(5), (vital(0, 1), Some(vital(0, 1))), (vital(9, 1), Some(vital(3, 1))), "undecided");
    }

    #[test]
    fn anything_missing_leaves_it_undecided() {
        check(None, (vital(0, 1), Some(vital(0, 1))), (vital(0, 1), Some(vital(0, 1))), "undecided");
        check(Some(5), (vital(0, 1), None), (vital(0, 1), Some(vital(0, 1))), "undecided");
        check(Some(5), (vital(0, 1), Some(vital(0, 1))), (vital(0, 1), None), "undecided");
    }
}
