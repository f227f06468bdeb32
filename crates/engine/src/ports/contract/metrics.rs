//! What every [`BoardMetrics`] must do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use segue_domain::ids::InstanceId;
use segue_domain::reading::{Reading, Why};

use super::eventually;
use crate::ports::BoardMetrics;

/// An instance that is scraped, and a name that is not.
#[derive(Debug, Clone)]
pub struct MetricsFixture {
    pub known: InstanceId,
    /// How many boards it has, and keeps.
    pub boards: u64,
    pub unknown: InstanceId,
    pub patience: Duration,
}

/// Runs the whole suite.
pub async fn metrics(metrics: Arc<dyn BoardMetrics>, fixture: MetricsFixture) {
    let asked = BTreeSet::from([fixture.known.clone(), fixture.unknown.clone()]);
    eventually("the count of a server that is scraped", fixture.patience, || async {
        let answer = metrics.boards(&asked).await;
        answer.get(&fixture.known).and_then(Reading::known) == Some(&fixture.boards)
    })
    .await;
    let boards = metrics.boards(&asked).await;
    assert_eq!(boards.keys().collect::<BTreeSet<_>>(), asked.iter().collect(), "everyone asked is answered");
    let unknown = boards.get(&fixture.unknown);
    assert_eq!(unknown, Some(&Reading::Unknown(Why::Missing)), "nobody is not zero");

    eventually("the vitals of a server that is scraped", fixture.patience, || async {
        let answer = metrics.vitals(&asked).await;
        answer.get(&fixture.known).is_some_and(|vital| vital.known().is_some())
    })
    .await;
    let vitals = metrics.vitals(&asked).await;
    assert_eq!(vitals.keys().collect::<BTreeSet<_>>(), asked.iter().collect(), "everyone asked is answered");
    let started = vitals.get(&fixture.known).and_then(Reading::known).map(|vital| vital.started_at_ms);
    assert!(started.is_some_and(|ms| ms > 1_000_000_000_000), "milliseconds since 1970: {started:?}");
    assert_eq!(vitals.get(&fixture.unknown), Some(&Reading::Unknown(Why::Missing)));

    assert!(metrics.boards(&BTreeSet::new()).await.is_empty(), "nobody asked, nobody answered");
}
