//! From three answers to readings: value and age of every instance that was asked for, or why not.

use std::collections::BTreeMap;
use std::time::Duration;

use segue_domain::event::Vital;
use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use super::answer::{Answer, Doubt, Sample};

/// One metric of several instances; every one that was asked for is in it.
pub(super) type Column = BTreeMap<InstanceId, Reading<f64>>;

/// Whole numbers above this cannot be told apart in a 64-bit float.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Why a server has no sample when its target does not answer.
const DOWN: &str = "Prometheus cannot scrape it (up is 0)";

/// What Prometheus said of some instances at one moment.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) values: Result<Answer, Why>,
    pub(super) ages: Result<Answer, Why>,
    /// Whether its targets answer. Only asked to say why there is no value; never makes a number.
    pub(super) ups: Result<Answer, Why>,
}

impl Answers {
    pub(super) fn joined(&self, ids: &[InstanceId], max_age: Duration) -> Column {
        ids.iter().map(|id| (id.clone(), self.one(id, max_age))).collect()
    }

    fn one(&self, id: &InstanceId, max_age: Duration) -> Reading<f64> {
        match (number(id, &self.values), number(id, &self.ages).and_then(age)) {
            (Err(Why::Missing), _) if self.is_down(id) => Reading::Unknown(Why::Unreachable(DOWN.to_owned())),
            (Err(why), _) | (Ok(_), Err(why)) => Reading::Unknown(why),
            (Ok(_), Ok(age)) if age > max_age => Reading::Unknown(Why::Stale { age, limit: max_age }),
            (Ok(value), Ok(age)) => Reading::Known { value, age },
        }
    }

    /// A server may be several targets; one that does not answer explains enough.
    fn is_down(&self, id: &InstanceId) -> bool {
        let ups = self.ups.as_ref().ok().and_then(|ups| ups.series.get(id.as_str()));
        ups.is_some_and(|ups| ups.contains(&Sample::Number(0.0)))
    }
}

fn number(id: &InstanceId, answer: &Result<Answer, Why>) -> Result<f64, Why> {
    let series = answer.as_ref().map_err(Clone::clone)?.series.get(id.as_str());
    match series.map(Vec::as_slice).unwrap_or_default() {
        [] => Err(Why::Missing),
        [Sample::Number(number)] => Ok(*number),
        [Sample::NotANumber(text)] => Err(Doubt::NotANumber(text.clone()).into()),
        [Sample::Histogram] => Err(Doubt::Histogram.into()),
        several => Err(Doubt::Several(several.len()).into()),
    }
}

/// No sample is younger than the moment of evaluation.
fn age(seconds: f64) -> Result<Duration, Why> {
    let why = |error: std::time::TryFromFloatSecsError| {
        Doubt::Age { age: seconds.to_string(), why: error.to_string() }.into()
    };
    Duration::try_from_secs_f64(seconds).map_err(why)
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
        return Err(Doubt::NoCount(number.to_string()).into());
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
