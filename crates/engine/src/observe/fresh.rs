//! Readings of the metrics system: every one that was asked for is answered, and an old one is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use crate::outside::{Call, Outside};
use crate::ports::CallError;

/// What the metrics system answered, or why it did not.
pub(super) type Answer<T> = Result<BTreeMap<InstanceId, Reading<T>>, CallError>;

pub(super) async fn within<T>(
    outside: &Outside,
    asked: &BTreeSet<InstanceId>,
    call: Call,
    answer: impl Future<Output = BTreeMap<InstanceId, Reading<T>>>,
) -> Answer<T> {
    outside.read_of(asked.len(), call, async { Ok(answer.await) }).await
}

/// One reading for each instance that was asked for, and for no other.
pub(super) fn only_fresh<T>(
    asked: &BTreeSet<InstanceId>,
    answer: Answer<T>,
    max_age: Duration,
) -> BTreeMap<InstanceId, Reading<T>> {
    let mut answers = match answer {
        Ok(answers) => answers,
        Err(error) => {
            let why = super::why(error);
            return asked.iter().map(|id| (id.clone(), Reading::Unknown(why.clone()))).collect();
        }
    };
    let one = |id: &InstanceId| (id.clone(), if_fresh(answers.remove(id), max_age));
    asked.iter().map(one).collect()
}

fn if_fresh<T>(reading: Option<Reading<T>>, max_age: Duration) -> Reading<T> {
    match reading {
        Some(Reading::Known { age, .. }) if age > max_age => {
            Reading::Unknown(Why::Stale { age, limit: max_age })
        }
        Some(reading @ (Reading::Known { .. } | Reading::Unknown(_))) => reading,
        None => Reading::Unknown(Why::Missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sample_is_unknown_and_so_is_one_that_did_not_come() {
        let (old, gone) = (InstanceId::new("i-old"), InstanceId::new("i-gone"));
        let asked = BTreeSet::from([old.clone(), gone.clone()]);
        let sample = Reading::Known { value: 0_u64, age: Duration::from_secs(61) };
        let answers = BTreeMap::from([(old.clone(), sample), (InstanceId::new("i-else"), Reading::fresh(4))]);
        let limit = Duration::from_mins(1);
        let read = only_fresh(&asked, Ok(answers), limit);
        let stale = Why::Stale { age: Duration::from_secs(61), limit };
        assert_eq!(read[&old], Reading::Unknown(stale));
        assert_eq!(read[&gone], Reading::Unknown(Why::Missing));
        assert_eq!(read.len(), 2);
    }
}
