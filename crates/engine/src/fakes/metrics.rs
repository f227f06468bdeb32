//! Prometheus of the small world: what the servers would count, if they are seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use segue_domain::app::BoardCount;
use segue_domain::event::Vital;
use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use super::app::App;
use super::state::{Sight, State};
use super::{BEGAN_AT_MS, FakePort, Method};
use crate::ports::BoardMetrics;

#[async_trait]
impl BoardMetrics for FakePort {
    async fn boards(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, BoardCount> {
        let count = |state: &State, id: &InstanceId, app: &App| match state.sight {
            Sight::Stale { .. } => state.counted.get(id).copied().unwrap_or(0),
            Sight::Clear | Sight::Empty | Sight::Partial | Sight::Mixed => app.count(),
        };
        self.measure(Method::BoardCounts, instances, count).await
    }

    async fn vitals(&self, instances: &BTreeSet<InstanceId>) -> BTreeMap<InstanceId, Reading<Vital>> {
        let vital = |state: &State, _: &InstanceId, app: &App| {
            let per_s = state.errors_per_s.get(&app.version).copied().unwrap_or(0);
            let began_ms = BEGAN_AT_MS.unsigned_abs();
            Vital {
                errors: (state.now_ms - app.started_at_ms) / 1_000 * per_s,
                started_at_ms: began_ms + app.started_at_ms,
            }
        };
        self.measure(Method::Vitals, instances, vital).await
    }
}

impl FakePort {
    async fn measure<T>(
        &self,
        method: Method,
        instances: &BTreeSet<InstanceId>,
        number: impl Fn(&State, &InstanceId, &App) -> T,
    ) -> BTreeMap<InstanceId, Reading<T>> {
        let answer = self.call(method, |state| {
            let one = |id: &InstanceId| (id.clone(), sample(state, id, &number));
            Ok(instances.iter().map(one).collect())
        });
        match answer.await {
            Ok(readings) => readings,
            Err(error) => {
                let why = Why::Unreachable(error.what);
                instances.iter().map(|id| (id.clone(), Reading::Unknown(why.clone()))).collect()
            }
        }
    }
}

impl State {
    /// Boards on each server, as they would be counted now.
    pub(super) fn counts(&self) -> BTreeMap<InstanceId, u64> {
        self.processes().map(|(id, app)| (id.clone(), app.count())).collect()
    }
}

fn sample<T>(state: &State, id: &InstanceId, number: impl Fn(&State, &InstanceId, &App) -> T) -> Reading<T> {
    match (state.sight, state.process(id)) {
        (Sight::Empty, _) | (_, None) => Reading::Unknown(Why::Missing),
        (Sight::Partial, Some(_)) if place(state, id) % 4 == 1 => Reading::Unknown(Why::Missing),
        (Sight::Partial, Some(_)) if place(state, id) % 4 == 3 => {
            Reading::Unknown(Why::Unusable("two series".to_owned()))
        }
        (Sight::Clear | Sight::Partial, Some(app)) => Reading::fresh(number(state, id, app)),
        (Sight::Mixed, Some(own)) => Reading::fresh(number(state, id, next(state, id).unwrap_or(own))),
        (Sight::Stale { since_ms }, Some(app)) => {
            let age = Duration::from_millis(state.now_ms.saturating_sub(since_ms));
            Reading::Known { value: number(state, id, app), age }
        }
    }
}

/// The process that comes after it, of those that are there.
fn next<'s>(state: &'s State, id: &InstanceId) -> Option<&'s App> {
    let next = state.processes().find(|(other, _)| *other > id).or_else(|| state.processes().next());
    next.map(|(_, app)| app)
}

/// Which of all machines it is.
fn place(state: &State, id: &InstanceId) -> usize {
    state.machines.range(..id).count()
}
