//! From two answers to readings: value and age of every instance that was asked for, or why not.

use std::collections::BTreeMap;
use std::time::Duration;

use segue_domain::event::Vital;
use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use super::answer::{Answer, Sample};

/// One metric of several instances; every one that was asked for is in it.
pub(super) type Column = BTreeMap<InstanceId, Reading<f64>>;

/// Whole numbers above this cannot be told apart in a 64-bit float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn joined(
    ids: &[InstanceId],
    values: &Result<Answer, Why>,
    ages: &Result<Answer, Why>,
    max_age: Duration,
) -> Column {
    ids.iter().map(|id| (id.clone(), one(id, values, ages, max_age))).collect()
}

fn one(
    id: &InstanceId,
    values: &Result<Answer, Why>,
    ages: &Result<Answer, Why>,
    max_age: Duration,
) -> Reading<f64> {
    match (number(id, values), number(id, ages).and_then(age)) {
        (Err(why), _) | (Ok(_), Err(why)) => Reading::Unknown(why),
        (Ok(_), Ok(age)) if age > max_age => Reading::Unknown(Why::Stale { age, limit: max_age }),
        (Ok(value), Ok(age)) => Reading::Known { value, age },
    }
}

fn number(id: &InstanceId, answer: &Result<Answer, Why>) -> Result<f64, Why> {
    match answer.as_ref().map_err(Clone::clone)?.get(id.as_str()) {
        None => Err(Why::Missing),
        Some(Sample::One(number)) => Ok(*number),
        Some(Sample::Unusable(what)) => Err(Why::Unusable(what.clone())),
    }
}

/// No sample is younger than the moment of evaluation.
fn age(seconds: f64) -> Result<Duration, Why> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| Why::Unusable(format!("an age of {seconds} s: {error}")))
}

/// A count: whole and not negative.
pub(super) fn count(reading: Reading<f64>) -> Reading<u64> {
    match reading {
        Reading::Unknown(why) => Reading::Unknown(why),
        Reading::Known { value, age } => match whole(value) {
            Ok(value) => Reading::Known { value, age },
            Err(why) => Reading::Unknown(why),
        },
    }
}

/// Both numbers of one process, as old as the older of them.
pub(super) fn vital(errors: Reading<f64>, started: Option<Reading<f64>>) -> Reading<Vital> {
    match (count(errors), started) {
        (Reading::Unknown(why), _) | (Reading::Known { .. }, Some(Reading::Unknown(why))) => {
            Reading::Unknown(why)
        }
        (Reading::Known { .. }, None) => Reading::Unknown(Why::Missing),
        (
            Reading::Known { value: errors, age: errors_age },
            Some(Reading::Known { value: started, age: started_age }),
        ) => match whole((started * 1_000.0).round()) {
            Ok(started_at_ms) => {
                Reading::Known { value: Vital { errors, started_at_ms }, age: errors_age.max(started_age) }
            }
            Err(why) => Reading::Unknown(why),
        },
    }
}

fn whole(number: f64) -> Result<u64, Why> {
    if number.fract() != 0.0 || !(0.0..=WHOLE_MAX).contains(&number) {
        return Err(Why::Unusable(number.to_string()));
    }
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative and small enough: looked at right above"
    )]
    let whole = number as u64;
    Ok(whole)
}
