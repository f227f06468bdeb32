//! What a fuzzer feeds: bodies as they come from the network, through all that a release does with them.

use std::time::Duration;

use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use super::answer;
use super::readings::{self, Answers};

const MAX_AGE: Duration = Duration::from_secs(30);

/// Reads three bodies as the values, their ages and who is up. Panics where a number comes of them that is none, or is
/// older than it may be.
pub fn read(values: &[u8], ages: &[u8], ups: &[u8]) {
    drop(answer::refusal(values));
    let [values, ages, ups] = [values, ages, ups].map(|body| answer::read(body).map_err(Why::from));
    if let Some(moment) = ages.as_ref().ok().and_then(|ages| ages.evaluated_at) {
        let asked = moment.to_string().parse::<f64>();
        assert!(asked.is_ok_and(f64::is_finite), "{moment} is no moment to ask for");
    }
    let ids = ["i-1", "i-2"].map(InstanceId::new);
    let column = Answers { values, ages, ups }.joined(&ids, MAX_AGE);
    assert_eq!(column.len(), ids.len(), "somebody who was asked about is not in the answer");
    for reading in column.values() {
        if let Reading::Known { value, age } = reading {
            assert!(value.is_finite() && *age <= MAX_AGE, "{reading:?}");
        }
        let vital = readings::vital(reading.clone(), Some(reading.clone()));
        assert!(reading.known().is_some() || vital.known().is_none(), "{reading:?} became {vital:?}");
        drop(readings::count(reading.clone()));
    }
}
