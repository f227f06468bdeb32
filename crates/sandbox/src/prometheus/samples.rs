//! The last scrapes of each instance, and what a query sees of them at a moment.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use super::exposition::{Exposed, Labels, Metrics};
use super::query::{Asks, Query};
use crate::names::InstanceId;
use crate::world::At;

/// Scrapes that are kept of each instance: enough for a query that is dated some seconds back.
const SCRAPES_KEPT: usize = 32;
/// How old a sample may be and still be seen.
/// <https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness>
const LOOKBACK: Duration = Duration::from_mins(5);

/// The job that every instance is scraped for.
const JOB: &str = "instances";
/// Prometheus' own word on whether a scrape went well.
const UP: &str = "up";

/// The scrapes of all instances, oldest first.
#[derive(Debug, Default)]
pub(super) struct Samples {
    by_instance: HashMap<InstanceId, VecDeque<Scrape>>,
}

#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) at: At,
    pub(super) got: Got,
}

/// What a scrape brought.
#[derive(Debug)]
pub(super) enum Got {
    Page {
        target: SocketAddrV4,
        /// Of several scrapes, where nothing has changed between them.
        metrics: Arc<Metrics>,
    },
    /// There was no answer, or no legal one: from here on there is no sample but that the target is down.
    Failed { target: SocketAddrV4 },
    /// It is scraped no more: a staleness marker in every series.
    Gone,
}

/// One series of an answer, with what it is told apart by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

impl Samples {
    /// Keeps what a scrape brought.
    pub(super) fn scraped(&mut self, instance: InstanceId, mut scrape: Scrape) {
        let scrapes = self.by_instance.entry(instance).or_default();
        if let Some(Scrape { got: Got::Page { metrics: before, .. }, .. }) = scrapes.back()
            && let Got::Page { metrics, .. } = &mut scrape.got
            && before == metrics
        {
            *metrics = Arc::clone(before);
        }
        if scrapes.len() >= SCRAPES_KEPT {
            scrapes.pop_front();
        }
        scrapes.push_back(scrape);
    }

    /// Marks instances stale that are not scraped any more, and forgets them when nobody can see them.
    pub(super) fn only_running(&mut self, running: &HashSet<&InstanceId>, now: At) {
        for (instance, scrapes) in &mut self.by_instance {
            let is_gone = scrapes.back().is_none_or(|scrape| matches!(scrape.got, Got::Gone));
            if !is_gone && !running.contains(instance) {
                scrapes.push_back(Scrape { at: now, got: Got::Gone });
            }
        }
        self.by_instance.retain(|_, s| s.back().is_some_and(|scrape| now.since(scrape.at) < LOOKBACK));
    }

    /// The series that a query sees at a moment, in order of instance.
    pub(super) fn evaluate(&self, query: &Query, at: At) -> Vec<Series> {
        query.instances.iter().flat_map(|instance| self.series(query, instance, at)).collect()
    }

    fn series(&self, query: &Query, instance: &InstanceId, at: At) -> Vec<Series> {
        let scrapes = self.by_instance.get(instance).into_iter().flatten();
        let seen = scrapes.rev().find(|scrape| scrape.at <= at);
        let Some(scrape) = seen.filter(|scrape| at.since(scrape.at) < LOOKBACK) else { return Vec::new() };
        let up = |value| Exposed { labels: Labels::new(), value };
        let (target, exposed) = match &scrape.got {
            Got::Page { target, .. } if query.metric == UP => (target, vec![up(1.0)]),
            Got::Failed { target } if query.metric == UP => (target, vec![up(0.0)]),
            Got::Page { target, metrics } => {
                (target, metrics.get(&query.metric).cloned().unwrap_or_default())
            }
            Got::Failed { .. } | Got::Gone => return Vec::new(),
        };
        let one = |Exposed { labels, value }| {
            let mut labels = of_target(labels, instance, *target);
            match query.asks {
                Asks::Value => {
                    labels.insert("__name__".to_owned(), query.metric.clone());
                    Series { labels, value }
                }
                // What is computed from a series has no name.
                Asks::Age => Series { labels, value: at.since(scrape.at).as_secs_f64() },
            }
        };
        exposed.into_iter().map(one).collect()
    }
}

/// A target's labels win over those of its page, which come under another name.
/// <https://prometheus.io/docs/prometheus/latest/configuration/configuration/>, `honor_labels`
fn of_target(exposed: Labels, instance: &InstanceId, target: SocketAddrV4) -> Labels {
    let own =
        [("instance_id", instance.to_string()), ("instance", target.to_string()), ("job", JOB.to_owned())];
    let mut labels = Labels::new();
    for (name, value) in exposed {
        let is_taken = own.iter().any(|(taken, _)| *taken == name);
        labels.insert(if is_taken { format!("exported_{name}") } else { name }, value);
    }
    labels.extend(own.map(|(name, value)| (name.to_owned(), value)));
    labels
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::exposition;
    use super::*;

    const NONE: [f64; 0] = [];
    const TARGET: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9000);

    fn at_s(s: u64) -> At {
        At::from_ms(s * 1000)
    }

    fn page(text: &str) -> Got {
        Got::Page { target: TARGET, metrics: Arc::new(exposition::parse(text).expect("a legal page")) }
    }

    /// Instance `i-1`, scraped at second 10.
    fn scraped(text: &str) -> Samples {
        let mut samples = Samples::default();
        samples.scraped("i-1".into(), Scrape { at: at_s(10), got: page(text) });
        samples
    }

    fn values(samples: &Samples, asks: Asks, metric: &str, s: u64) -> Vec<f64> {
        let query = Query { asks, metric: metric.to_owned(), instances: ["i-1".into()].into() };
        samples.evaluate(&query, at_s(s)).iter().map(|series| series.value).collect()
    }

    #[test]
    fn a_sample_is_seen_until_its_instance_fails_a_scrape() {
        let mut samples = scraped("boards 7\n");
        assert_eq!(values(&samples, Asks::Value, "boards", 12), [7.0]);
        assert_eq!(values(&samples, Asks::Value, "up", 12), [1.0]);
        samples.scraped("i-1".into(), Scrape { at: at_s(13), got: Got::Failed { target: TARGET } });
        assert_eq!(values(&samples, Asks::Value, "boards", 13), NONE);
        assert_eq!(values(&samples, Asks::Value, "up", 13), [0.0], "and its target is down");
        assert_eq!(values(&samples, Asks::Value, "boards", 12), [7.0], "the past is as it was");
    }

    #[test]
    fn an_instance_that_is_not_scraped_any_more_goes_stale() {
        let mut samples = scraped("boards 7\n");
        samples.only_running(&HashSet::new(), at_s(11));
        for metric in ["boards", "up"] {
            assert_eq!(values(&samples, Asks::Value, metric, 11), NONE, "{metric}");
        }
    }

    #[test]
    fn two_series_of_one_instance_are_two_with_the_targets_labels_and_their_own() {
        let samples = scraped("boards{kind=\"a\",job=\"x\"} 1\nboards{kind=\"b\"} 2\n");
        let ask = |asks| {
            let query = Query { asks, metric: "boards".to_owned(), instances: ["i-1".into()].into() };
            samples.evaluate(&query, at_s(12)).into_iter().map(|series| series.labels).collect::<Vec<_>>()
        };
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let own = [("instance_id", "i-1"), ("instance", "127.0.0.1:9000"), ("job", "instances")];
        let first = [&own[..], &[("kind", "a"), ("exported_job", "x"), ("__name__", "boards")]].concat();
        let second = [&own[..], &[("kind", "b"), ("__name__", "boards")]].concat();
        assert_eq!(ask(Asks::Value), [labels(&first), labels(&second)]);
        assert_eq!(ask(Asks::Age).len(), 2);
        assert!(ask(Asks::Age).iter().all(|labels| !labels.contains_key("__name__")));
    }

    #[test]
    fn the_age_counts_from_the_scrape_to_the_evaluation() {
        assert_eq!(values(&scraped("boards 7\n"), Asks::Age, "boards", 12), [2.0]);
    }

    #[test]
    fn before_the_first_scrape_and_after_the_lookback_there_is_nothing() {
        assert_eq!(values(&scraped("boards 7\n"), Asks::Value, "boards", 9), NONE);
        assert_eq!(values(&scraped("boards 7\n"), Asks::Value, "boards", 310), NONE);
    }
}
