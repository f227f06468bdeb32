//! The last scrapes of each instance, and what a query sees of them at a moment.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::exposition::Metrics;
use super::query::{Asks, Query};
use crate::names::InstanceId;
use crate::world::At;

/// Scrapes that are kept of each instance: enough for a query that is dated some seconds back.
const SCRAPES_KEPT: usize = 32;
/// How old a sample may be and still be seen.
/// <https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness>
const LOOKBACK: Duration = Duration::from_mins(5);

/// The scrapes of all instances, oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples {
    by_instance: HashMap<InstanceId, VecDeque<Scrape>>,
}

#[derive(Debug)]
struct Scrape {
    at: At,
    /// None is a staleness marker: from here on there is no sample.
    metrics: Option<Metrics>,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) instance: InstanceId,
    pub(super) value: f64,
}

impl Samples {
    /// Keeps what a scrape brought, or that it failed.
    pub(super) fn scraped(&mut self, instance: InstanceId, at: At, metrics: Option<Metrics>) {
        let scrapes = self.by_instance.entry(instance).or_default();
        if scrapes.len() >= SCRAPES_KEPT {
            scrapes.pop_front();
        }
        scrapes.push_back(Scrape { at, metrics });
    }

    /// Marks instances stale that are not scraped any more, and forgets them when nobody can see them.
    pub(super) fn only_running(&mut self, running: &[InstanceId], now: At) {
        for (instance, scrapes) in &mut self.by_instance {
            let fresh = scrapes.back().is_some_and(|scrape| scrape.metrics.is_some());
            if fresh && !running.contains(instance) {
                scrapes.push_back(Scrape { at: now, metrics: None });
            }
        }
        self.by_instance.retain(|_, s| s.back().is_some_and(|scrape| now.since(scrape.at) < LOOKBACK));
    }

    /// The series that a query sees at a moment, in order of instance.
    pub(super) fn evaluate(&self, query: &Query, at: At) -> Vec<Series> {
        query.instances.iter().filter_map(|instance| self.series(query, instance, at)).collect()
    }

    fn series(&self, query: &Query, instance: &InstanceId, at: At) -> Option<Series> {
        let scrapes = self.by_instance.get(instance)?;
        let scrape = scrapes.iter().rev().find(|scrape| scrape.at <= at)?;
        if at.since(scrape.at) >= LOOKBACK {
            return None;
        }
        let value = *scrape.metrics.as_ref()?.get(&query.metric)?;
        let value = match query.asks {
            Asks::Value => value,
            Asks::Age => at.since(scrape.at).as_secs_f64(),
        };
        Some(Series { instance: instance.clone(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(asks: Asks) -> Query {
        Query { asks, metric: "boards".into(), instances: ["i-1".into()].into() }
    }

    fn at_s(s: u64) -> At {
        At::from_ms(s * 1000)
    }

    fn scraped() -> Samples {
        let mut samples = Samples::default();
        samples.scraped("i-1".into(), at_s(10), Some([("boards".to_owned(), 7.0)].into()));
        samples
    }

    #[test]
    fn a_sample_is_seen_until_its_instance_fails_a_scrape() {
        let mut samples = scraped();
        let series = Series { instance: "i-1".into(), value: 7.0 };
        assert_eq!(samples.evaluate(&query(Asks::Value), at_s(12)), std::slice::from_ref(&series));
        samples.scraped("i-1".into(), at_s(13), None);
        assert_eq!(samples.evaluate(&query(Asks::Value), at_s(13)), []);
        assert_eq!(samples.evaluate(&query(Asks::Value), at_s(12)), [series], "the past is as it was");
    }

    #[test]
    fn an_instance_that_is_not_scraped_any_more_goes_stale() {
        let mut samples = scraped();
        samples.only_running(&[], at_s(11));
        assert_eq!(samples.evaluate(&query(Asks::Value), at_s(11)), []);
    }

    #[test]
    fn the_age_counts_from_the_scrape_to_the_evaluation() {
        let series = Series { instance: "i-1".into(), value: 2.0 };
        assert_eq!(scraped().evaluate(&query(Asks::Age), at_s(12)), [series]);
    }

    #[test]
    fn before_the_first_scrape_and_after_the_lookback_there_is_nothing() {
        assert_eq!(scraped().evaluate(&query(Asks::Value), at_s(9)), []);
        assert_eq!(scraped().evaluate(&query(Asks::Value), at_s(310)), []);
    }
}
